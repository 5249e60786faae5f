/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-compat.h"

/* The values of an enumeration, or of flags, and their nicks. */

typedef struct
{
  char   *nick;
  gint64  value;
} MaltGiEnumValue;

typedef struct
{
  GArray   *values;   /* of MaltGiEnumValue */
  char     *name;
  gboolean  is_flags;
} MaltGiEnum;

MaltGiEnum *malt_gi_enum_new   (GIEnumInfo        *info);
void        malt_gi_enum_free  (MaltGiEnum        *self);

gboolean    malt_gi_enum_read  (const MaltGiEnum  *self,
                                GVariant          *value,
                                gint64            *number,
                                GError           **error);
GVariant   *malt_gi_enum_write (const MaltGiEnum  *self,
                                gint64             number);
