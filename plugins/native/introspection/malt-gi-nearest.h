/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

/* Of many names the one that is most like another one, if any is like it. */
typedef struct
{
  const char *wanted;
  char       *name;      /* (owned), NULL if there is none */
  guint       distance;  /* to it, or the first that is too far */
} MaltGiNearest;

MaltGiNearest malt_gi_nearest      (const char    *wanted);
void          malt_gi_nearest_look (MaltGiNearest *self,
                                    const char    *name);
