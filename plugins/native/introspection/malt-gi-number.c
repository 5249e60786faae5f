/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-number.h"

#include <math.h>
#include <string.h>

#include <gio/gio.h>

/* An integer of any type. */
typedef struct
{
  gboolean is_negative;
  guint64  bits;        /* two's complement */
} Integer;

typedef struct
{
  const char *name;
  gint64      minimum;
  guint64     maximum;
  const char *signature; /* of the GVariant that it becomes */
  gboolean    is_same;   /* whether that lies in memory in the same way */
} Range;

static const Range ranges[] = {
  [GI_TYPE_TAG_INT8] = { "gint8", G_MININT8, G_MAXINT8, "n", FALSE },
  [GI_TYPE_TAG_UINT8] = { "guint8", 0, G_MAXUINT8, "y", TRUE },
  [GI_TYPE_TAG_INT16] = { "gint16", G_MININT16, G_MAXINT16, "n", TRUE },
  [GI_TYPE_TAG_UINT16] = { "guint16", 0, G_MAXUINT16, "q", TRUE },
  [GI_TYPE_TAG_INT32] = { "gint32", G_MININT32, G_MAXINT32, "i", TRUE },
  [GI_TYPE_TAG_UINT32] = { "guint32", 0, G_MAXUINT32, "u", TRUE },
  [GI_TYPE_TAG_INT64] = { "gint64", G_MININT64, G_MAXINT64, "x", TRUE },
  [GI_TYPE_TAG_UINT64] = { "guint64", 0, G_MAXUINT64, "t", TRUE },
  [GI_TYPE_TAG_FLOAT] = { "gfloat", 0, 0, "d", FALSE },
  [GI_TYPE_TAG_DOUBLE] = { "gdouble", 0, 0, "d", TRUE },
};

/* What is in variants and maybes; nothing stays what it is. */
GVariant *
malt_gi_unwrap (GVariant *value)
{
  g_autoptr (GVariant) self = g_variant_ref (value);

  while (TRUE)
    {
      GVariant *inner = NULL;

      if (g_variant_is_of_type (self, G_VARIANT_TYPE_VARIANT))
        inner = g_variant_get_variant (self);
      else if (g_variant_is_of_type (self, G_VARIANT_TYPE_MAYBE))
        inner = g_variant_get_maybe (self);

      if (inner == NULL)
        return g_steal_pointer (&self);
      g_variant_unref (self);
      self = inner;
    }
}

/* Always FALSE. */
gboolean
malt_gi_mismatch (GVariant    *value,
                  const char  *wanted,
                  GError     **error)
{
  g_autofree char *text = NULL;

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_MAYBE))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "nothing was given, and not %s", wanted);
      return FALSE;
    }

  /* A large one would be printed as a whole. */
  if (g_variant_get_size (value) <= 200)
    text = g_variant_print (value, FALSE);
  if (text != NULL && strlen (text) > 60)
    g_clear_pointer (&text, g_free);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s of the type %s is not %s",
               text != NULL ? text : "a value", g_variant_get_type_string (value), wanted);
  return FALSE;
}

gboolean
malt_gi_is_number (GVariant *value)
{
  return strchr ("ynqiuxtd", g_variant_get_type_string (value)[0]) != NULL;
}

static Integer
from_signed (gint64 number)
{
  return (Integer) { number < 0, (guint64) number };
}

static gboolean
load_integer (char           code,
              gconstpointer  data,
              Integer       *integer)
{
  switch (code)
    {
    case 'y': *integer = (Integer) { FALSE, *(const guint8 *) data }; break;
    case 'n': *integer = from_signed (*(const gint16 *) data); break;
    case 'q': *integer = (Integer) { FALSE, *(const guint16 *) data }; break;
    case 'i': *integer = from_signed (*(const gint32 *) data); break;
    case 'u': *integer = (Integer) { FALSE, *(const guint32 *) data }; break;
    case 'x': *integer = from_signed (*(const gint64 *) data); break;
    case 't': *integer = (Integer) { FALSE, *(const guint64 *) data }; break;
    case 'd':
      {
        double number = *(const double *) data;

        /* Languages that have no integers send these. */
        if (number != floor (number) || number < -0x1p63 || number >= 0x1p64)
          return FALSE;
        *integer = number < 0 ? from_signed ((gint64) number) : (Integer) { FALSE, (guint64) number };
        break;
      }
    default:
      return FALSE;
    }

  return TRUE;
}

static double
load_double (char          code,
             gconstpointer data)
{
  Integer integer;

  if (code == 'd')
    return *(const double *) data;

  if (!load_integer (code, data, &integer))
    g_assert_not_reached ();
  return integer.is_negative ? (double) (gint64) integer.bits : (double) integer.bits;
}

static gboolean
is_in_range (const Range *range,
             Integer      integer)
{
  return integer.is_negative ? (gint64) integer.bits >= range->minimum : integer.bits <= range->maximum;
}

/* The lowest bits, as many as the type has. */
void
malt_gi_set_bits (GITypeTag   tag,
                  guint64     bits,
                  GIArgument *argument)
{
  switch ((int) tag)
    {
    case GI_TYPE_TAG_INT8: argument->v_int8 = (gint8) bits; break;
    case GI_TYPE_TAG_UINT8: argument->v_uint8 = (guint8) bits; break;
    case GI_TYPE_TAG_INT16: argument->v_int16 = (gint16) bits; break;
    case GI_TYPE_TAG_UINT16: argument->v_uint16 = (guint16) bits; break;
    case GI_TYPE_TAG_INT32: argument->v_int32 = (gint32) bits; break;
    case GI_TYPE_TAG_UINT32: argument->v_uint32 = (guint32) bits; break;
    case GI_TYPE_TAG_INT64: argument->v_int64 = (gint64) bits; break;
    default: argument->v_uint64 = bits; break;
    }
}

/* FALSE if it does not fit. */
static gboolean
convert (char           code,
         gconstpointer  data,
         GITypeTag      tag,
         GIArgument    *argument)
{
  static const guint64 zero;
  Integer integer;

  /* What is not in normal form has no data. */
  if (data == NULL)
    data = &zero;

  if (tag == GI_TYPE_TAG_DOUBLE || tag == GI_TYPE_TAG_FLOAT)
    {
      double number = load_double (code, data);

      if (tag == GI_TYPE_TAG_DOUBLE)
        argument->v_double = number;
      else if (isfinite (number) && fabs (number) > G_MAXFLOAT)
        return FALSE;
      else
        argument->v_float = (float) number;
      return TRUE;
    }

  if (!load_integer (code, data, &integer) || !is_in_range (&ranges[tag], integer))
    return FALSE;

  malt_gi_set_bits (tag, integer.bits, argument);
  return TRUE;
}

static gboolean
does_not_fit (GVariant    *value,
              const char  *name,
              GError     **error)
{
  g_autofree char *text = g_variant_print (value, FALSE);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s does not fit in %s", text, name);
  return FALSE;
}

gboolean
malt_gi_read_number (GVariant    *value,
                     GITypeTag    tag,
                     GIArgument  *argument,
                     GError     **error)
{
  if (!malt_gi_is_number (value))
    return malt_gi_mismatch (value, ranges[tag].name, error);
  if (!convert (g_variant_get_type_string (value)[0], g_variant_get_data (value), tag, argument))
    return does_not_fit (value, ranges[tag].name, error);

  return TRUE;
}

/* One whose type is @name. */
gboolean
malt_gi_read_int64 (GVariant    *value,
                    const char  *name,
                    gint64      *number,
                    GError     **error)
{
  GIArgument argument;

  if (!convert (g_variant_get_type_string (value)[0], g_variant_get_data (value), GI_TYPE_TAG_INT64, &argument))
    return does_not_fit (value, name, error);

  *number = argument.v_int64;
  return TRUE;
}

/* All elements of an array of numbers to @memory, each @size bytes. */
gboolean
malt_gi_read_numbers (GVariant    *array,
                      GITypeTag    tag,
                      gpointer     memory,
                      gsize        size,
                      GError     **error)
{
  char code = g_variant_get_type_string (array)[1];
  gsize n = g_variant_n_children (array);
  gsize from_size;
  const guint8 *from;
  guint8 *to = memory;

  if (n == 0)
    return TRUE;

  from_size = g_variant_get_size (array) / n;
  from = g_variant_get_data (array);
  if (code == ranges[tag].signature[0] && ranges[tag].is_same)
    {
      memcpy (memory, from, n * size);
      return TRUE;
    }

  for (gsize i = 0; i < n; i++)
    {
      GIArgument argument;

      if (!convert (code, from + i * from_size, tag, &argument))
        {
          g_autoptr (GVariant) element = g_variant_get_child_value (array, i);

          does_not_fit (element, ranges[tag].name, error);
          g_prefix_error (error, "element %" G_GSIZE_FORMAT ": ", i);
          return FALSE;
        }
      memcpy (to + i * size, &argument, size);
    }

  return TRUE;
}

gboolean
malt_gi_set_integer (GITypeTag    tag,
                     gint64       number,
                     const char  *name,
                     GIArgument  *argument,
                     GError     **error)
{
  if (convert ('x', &number, tag, argument))
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "%" G_GINT64_FORMAT " does not fit in %s", number, name != NULL ? name : ranges[tag].name);
  return FALSE;
}

/* A guint64 of more than G_MAXINT64 becomes negative. */
gint64
malt_gi_get_integer (GITypeTag         tag,
                     const GIArgument *argument)
{
  switch ((int) tag)
    {
    case GI_TYPE_TAG_INT8: return argument->v_int8;
    case GI_TYPE_TAG_UINT8: return argument->v_uint8;
    case GI_TYPE_TAG_INT16: return argument->v_int16;
    case GI_TYPE_TAG_UINT16: return argument->v_uint16;
    case GI_TYPE_TAG_INT32: return argument->v_int32;
    case GI_TYPE_TAG_UINT32: return argument->v_uint32;
    case GI_TYPE_TAG_INT64: return argument->v_int64;
    default: return (gint64) argument->v_uint64;
    }
}

GVariant *
malt_gi_write_number (GITypeTag         tag,
                      const GIArgument *argument)
{
  switch ((int) tag)
    {
    case GI_TYPE_TAG_INT8: return g_variant_new_int16 (argument->v_int8);
    case GI_TYPE_TAG_UINT8: return g_variant_new_byte (argument->v_uint8);
    case GI_TYPE_TAG_INT16: return g_variant_new_int16 (argument->v_int16);
    case GI_TYPE_TAG_UINT16: return g_variant_new_uint16 (argument->v_uint16);
    case GI_TYPE_TAG_INT32: return g_variant_new_int32 (argument->v_int32);
    case GI_TYPE_TAG_UINT32: return g_variant_new_uint32 (argument->v_uint32);
    case GI_TYPE_TAG_INT64: return g_variant_new_int64 (argument->v_int64);
    case GI_TYPE_TAG_UINT64: return g_variant_new_uint64 (argument->v_uint64);
    case GI_TYPE_TAG_FLOAT: return g_variant_new_double (argument->v_float);
    default: return g_variant_new_double (argument->v_double);
    }
}

const char *
malt_gi_number_signature (GITypeTag tag)
{
  return ranges[tag].signature;
}

/* Whether arrays of it are the same in C and in a GVariant. */
gboolean
malt_gi_number_is_same (GITypeTag tag)
{
  return ranges[tag].is_same;
}
