/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-buffer.h"

#include <string.h>

#include <js/ArrayBuffer.h>
#include <js/ScalarType.h>
#include <js/experimental/TypedData.h>

/* Typed arrays and buffers as arrays of the same type, or of the next wider one. */

/* Those that are smaller may lie where the collector moves them. */
#define MIN_SHARED 4096

bool
malt_gjs_is_buffer (JSObject *object)
{
  return JS_IsArrayBufferViewObject (object) || JS::IsArrayBufferObject (object);
}

static GVariant *
widen_int8 (const gint8 *data,
            gsize        n)
{
  gint16 *wide = g_new (gint16, n);
  gsize i;

  for (i = 0; i < n; i++)
    wide[i] = data[i];

  return g_variant_new_from_data (G_VARIANT_TYPE ("an"), wide, n * sizeof *wide, TRUE, g_free, wide);
}

static GVariant *
widen_float (const float *data,
             gsize        n)
{
  double *wide = g_new (double, n);
  gsize i;

  for (i = 0; i < n; i++)
    wide[i] = (double) data[i];

  return g_variant_new_from_data (G_VARIANT_TYPE ("ad"), wide, n * sizeof *wide, TRUE, g_free, wide);
}

static GVariant *
copy (const char    *type,
      gconstpointer  data,
      gsize          size,
      gboolean       share)
{
  gpointer own;

  if (share && size >= MIN_SHARED)
    return g_variant_new_from_data (G_VARIANT_TYPE (type), data, size, TRUE, NULL, NULL);

  own = g_memdup2 (data, size);
  return g_variant_new_from_data (G_VARIANT_TYPE (type), own, size, TRUE, g_free, own);
}

/* A floating reference.  If @share, the value may refer to the memory of @object, and has to
 * be read before any other JavaScript runs; or %NULL if GVariant has no such type. */
GVariant *
malt_gjs_buffer_to_variant (JS::HandleObject object,
                            gboolean         share)
{
  JS::AutoCheckCannotGC no_gc;
  bool is_shared;
  gconstpointer data;
  gsize size;

  if (JS::IsArrayBufferObject (object))
    {
      size = JS::GetArrayBufferByteLength (object);
      data = JS::GetArrayBufferData (object, &is_shared, no_gc);
      return copy ("ay", data, size, share);
    }

  size = JS_GetArrayBufferViewByteLength (object);
  data = JS_GetArrayBufferViewData (object, &is_shared, no_gc);

  switch (JS_GetArrayBufferViewType (object))
    {
    case JS::Scalar::Int8:
      return widen_int8 ((const gint8 *) data, size);
    case JS::Scalar::Int16:
      return copy ("an", data, size, share);
    case JS::Scalar::Uint16:
      return copy ("aq", data, size, share);
    case JS::Scalar::Int32:
      return copy ("ai", data, size, share);
    case JS::Scalar::Uint32:
      return copy ("au", data, size, share);
    case JS::Scalar::BigInt64:
      return copy ("ax", data, size, share);
    case JS::Scalar::BigUint64:
      return copy ("at", data, size, share);
    case JS::Scalar::Float32:
      return widen_float ((const float *) data, size / sizeof (float));
    case JS::Scalar::Float64:
      return copy ("ad", data, size, share);
    case JS::Scalar::Uint8:
    case JS::Scalar::Uint8Clamped:
    case JS::Scalar::MaxTypedArrayViewType: /* a DataView */
      return copy ("ay", data, size, share);
    default:
      return NULL;
    }
}
