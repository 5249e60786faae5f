/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-layout.h"

#include <string.h>

#include "malt-gi-number.h"

/* How much of an array an element takes. */
gsize
malt_gi_type_get_stride (const MaltGiType *self)
{
  return malt_gi_type_is_pointer (self) && !self->is_inline ? sizeof (gpointer) : self->size;
}

void
malt_gi_type_store (const MaltGiType *self,
                    const GIArgument *argument,
                    gpointer          memory)
{
  memcpy (memory, self->is_inline ? argument->v_pointer : argument, malt_gi_type_get_stride (self));
}

void
malt_gi_type_load (const MaltGiType *self,
                   gpointer          memory,
                   GIArgument       *argument)
{
  memset (argument, 0, sizeof *argument);
  if (self->is_inline)
    argument->v_pointer = memory;
  else
    memcpy (argument, memory, malt_gi_type_get_stride (self));
}

/* Whether what is there ends a zero-terminated array. */
gboolean
malt_gi_type_is_zero (const MaltGiType *self,
                      gconstpointer     memory)
{
  const guint8 *bytes = memory;
  gsize stride = malt_gi_type_get_stride (self);

  for (gsize i = 0; i < stride; i++)
    if (bytes[i] != 0)
      return FALSE;

  return TRUE;
}

/* Whether a container of pointers has a pointer to the number instead of the number. */
gboolean
malt_gi_type_is_behind (const MaltGiType *self)
{
  return self->kind == MALT_GI_FLOAT || (self->kind == MALT_GI_INTEGER && self->size > 4);
}

/* What a container of pointers has for a value that is not behind one. */
gpointer
malt_gi_type_to_pointer (const MaltGiType *self,
                         const GIArgument *argument)
{
  switch (self->kind)
    {
    case MALT_GI_BOOLEAN: return GINT_TO_POINTER (argument->v_boolean);
    case MALT_GI_UNICHAR: return GUINT_TO_POINTER (argument->v_uint32);
    case MALT_GI_INTEGER: case MALT_GI_ENUM:
      return (gpointer) (gintptr) malt_gi_get_integer (self->tag, argument);
    default: return argument->v_pointer;
    }
}

void
malt_gi_type_from_pointer (const MaltGiType *self,
                           gpointer          pointer,
                           GIArgument       *argument)
{
  if (malt_gi_type_is_behind (self) && pointer != NULL)
    {
      malt_gi_type_load (self, pointer, argument);
      return;
    }

  memset (argument, 0, sizeof *argument);
  switch (self->kind)
    {
    case MALT_GI_BOOLEAN: argument->v_boolean = GPOINTER_TO_INT (pointer); break;
    case MALT_GI_UNICHAR: argument->v_uint32 = GPOINTER_TO_UINT (pointer); break;
    case MALT_GI_INTEGER: case MALT_GI_ENUM:
      malt_gi_set_bits (self->tag, (guint64) (gintptr) pointer, argument);
      break;
    default: argument->v_pointer = pointer; break;
    }
}
