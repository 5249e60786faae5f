/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-boxed.h"
#include "malt-gi-compat.h"
#include "malt-gi-enum.h"

/* What has to be known of a type to convert its values, taken out of the typelib once, so
 * that a call needs neither the typelib nor a lock. */

typedef enum
{
  MALT_GI_VOID,
  MALT_GI_BOOLEAN,
  MALT_GI_INTEGER,
  MALT_GI_FLOAT,
  MALT_GI_UNICHAR,
  MALT_GI_UTF8,
  MALT_GI_FILENAME,
  MALT_GI_ENUM,        /* flags too */
  MALT_GI_C_ARRAY,
  MALT_GI_ARRAY,       /* GArray */
  MALT_GI_PTR_ARRAY,
  MALT_GI_BYTE_ARRAY,
  MALT_GI_LIST,
  MALT_GI_SLIST,
  MALT_GI_HASH,
  MALT_GI_BOXED,       /* one of those that malt-gi-boxed.c knows */
  MALT_GI_VALUE,       /* GValue */
  MALT_GI_STRUCT,      /* whose fields are all public numbers */
  MALT_GI_CANCELLABLE,
  MALT_GI_OPAQUE,      /* has no value */
} MaltGiKind;

typedef struct _MaltGiType MaltGiType;

typedef struct
{
  char       *name;
  MaltGiType *type;
  gsize       offset;
} MaltGiField;

struct _MaltGiType
{
  MaltGiKind          kind;
  GITypeTag           tag;       /* how it lies in memory and is passed; of an enum its storage */
  gsize               size;      /* in memory, as an element of an array */
  char               *name;      /* for messages; where it is opaque, what it is */
  char               *signature; /* of the GVariant that it becomes; `v` if that differs */

  MaltGiType         *element;   /* of containers; of a hash table its values */
  MaltGiType         *key;       /* of a hash table */
  gssize              fixed_size;
  gint                length;    /* the number of the argument with the length; -1 if none */
  gboolean            is_terminated;

  MaltGiEnum         *values;    /* of an enum */
  const MaltGiBoxed  *boxed;
  GType               gtype;     /* of a struct, to copy and free it; else G_TYPE_NONE */
  gboolean            is_inline; /* of a struct or GValue in an array: there is no pointer to it */
  GArray             *fields;    /* of MaltGiField, of a struct */
};

MaltGiType *malt_gi_type_new          (GITypeInfo       *info);
MaltGiType *malt_gi_type_new_for      (GIBaseInfo       *info);
void        malt_gi_type_free         (MaltGiType       *self);

gboolean    malt_gi_type_is_sequence  (const MaltGiType *self);
gboolean    malt_gi_type_is_pointer   (const MaltGiType *self);
