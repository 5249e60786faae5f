/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-compat.h"

/* The types behind a pointer that have a value: how it is read and written. */

typedef struct
{
  const char *namespace_;
  const char *name;
  const char *signature; /* of the GVariant that it becomes; `v` if that differs */
  const char *wanted;    /* what it can be made of */

  /* A new one; NULL without an error if the value is of the wrong type. */
  gpointer       (* read)  (GVariant  *value,
                            GError   **error);
  /* NULL with an error if it cannot cross. */
  GVariant      *(* write) (gpointer   data,
                            GError   **error);
  GDestroyNotify free;
} MaltGiBoxed;

extern const MaltGiBoxed malt_gi_boxed_error;

const MaltGiBoxed *malt_gi_boxed_find (const char *namespace_,
                                       const char *name);
