/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-large-value.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>

#include "malt-error.h"
#include "malt-kept-types.h"
#include "malt-value-scan.h"

/* What the body of such a frame begins with, little-endian; then the type of the value,
 * with zeroes up to a multiple of 8, then the rest of the body. */
typedef struct
{
  guint64 offset;    /* in the arena */
  guint64 size;
  guint32 slot;
  guint32 type_size;
} Place;

static gsize
align (gsize size)
{
  return (size + 7) & ~(gsize) 7;
}

/* Sending. */

static void
buffer_free_cb (gpointer data)
{
  MaltLargeValue *self = data;

  malt_large_value_clear (self);
  g_free (self);
}

/* Gives room in the arena for a value that is yet to be written, and kept as long as the
 * bytes; %NULL if there is none, or nothing would be saved. */
GBytes *
malt_large_value_new_buffer (MaltArena *arena,
                             gsize      size,
                             gpointer  *data)
{
  MaltLargeValue self = { .arena = arena };

  if (arena == NULL || size < MALT_LARGE_VALUE_SIZE)
    return NULL;

  *data = malt_arena_allocate (arena, size, &self.slot);
  if (*data == NULL)
    return NULL;

  return g_bytes_new_with_free_func (*data, size, buffer_free_cb, g_memdup2 (&self, sizeof self));
}

static gsize
size_of_number (char type)
{
  switch (type)
    {
    case 'y':
      return 1;
    case 'n':
    case 'q':
      return 2;
    case 'i':
    case 'u':
      return 4;
    default:
      return 8;
    }
}

/* An array of numbers: of its bytes none has to be looked at, as all of them are a value,
 * whoever writes them and whenever. */
static gboolean
is_array_of_numbers (const char *type)
{
  return type[0] == 'a' && type[1] != '\0' && strchr ("ynqiuxtd", type[1]) != NULL && type[2] == '\0';
}

/* The same of a tuple of numbers without gaps between them, of which the last is an array of
 * numbers: where it ends is where the tuple does. */
static gboolean
is_free (const char *type)
{
  gsize offset = 0;

  if (is_array_of_numbers (type))
    return TRUE;
  if (*type++ != '(')
    return FALSE;

  for (; *type != '\0' && strchr ("ynqiuxtd", *type) != NULL; type++)
    {
      gsize size = size_of_number (*type);

      if (offset % size != 0)
        return FALSE;
      offset += size;
    }

  return offset > 0 && type[0] == 'a' && type[1] != '\0' && strchr ("ynqiuxtd", type[1]) != NULL &&
         offset % size_of_number (type[1]) == 0 && g_str_equal (type + 2, ")");
}

/* What @value consists of, bytes and all, as long as it is a tuple of one member. */
static GVariant *
ref_innermost (GVariant *value)
{
  GVariant *inner = g_variant_ref (value);

  while (g_variant_type_is_tuple (g_variant_get_type (inner)) && g_variant_n_children (inner) == 1)
    {
      GVariant *child = g_variant_get_child_value (inner, 0);

      if (g_variant_get_size (child) != g_variant_get_size (inner))
        {
          g_variant_unref (child);
          break;
        }
      g_variant_unref (inner);
      inner = child;
    }

  return inner;
}

static gboolean
check_value (GVariant       *value,
             gconstpointer   data,
             gsize           size,
             GError        **error)
{
  g_autofree char *reason = NULL;

  if (malt_value_scan (g_variant_get_type (value), data, size, &reason))
    return TRUE;

  g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "the value cannot cross: %s", reason);
  return FALSE;
}

/* Whether the value has no bytes yet but consists of others: then it gives these themselves.  It
 * only matters to what it costs. */
static gboolean
is_in_parts (GVariant *value)
{
  g_autoptr (GVariant) first = NULL;
  g_autoptr (GVariant) again = NULL;

  if (!g_variant_is_container (value) || g_variant_n_children (value) == 0)
    return FALSE;

  first = g_variant_get_child_value (value, 0);
  again = g_variant_get_child_value (value, 0);
  return first == again;
}

/* Copies a value that is in parts, checks it and copies it to where others may write.  GLib would
 * do the first with memory of small pages, whose first use takes several times as long as to copy
 * into them. */
static gboolean
copy_parts (GVariant  *whole,
            GVariant  *value,
            gsize      size,
            gpointer   room,
            GError   **error)
{
  gpointer scratch = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  gboolean is_good;

  if (scratch == MAP_FAILED)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                   "the value cannot cross: there is no memory for its %" G_GSIZE_FORMAT " bytes", size);
      return FALSE;
    }

  madvise (scratch, size, MADV_HUGEPAGE); /* advice only */
  g_variant_store (value, scratch);
  is_good = check_value (whole, scratch, size, error);
  if (is_good)
    memcpy (room, scratch, size);
  munmap (scratch, size);

  return is_good;
}

/* Copies @value, which has the bytes of @whole, into the arena.  What its bytes have to be
 * checked for is checked where nobody else can write.  FALSE without an error if there is no
 * room. */
static gboolean
copy_in (MaltLargeValue  *self,
         MaltArena       *arena,
         MaltPeer         peer,
         GVariant        *whole,
         GVariant        *value,
         gboolean         needs_check,
         guint64         *offset,
         GError         **error)
{
  gsize size = g_variant_get_size (value);
  gboolean is_checked_before = needs_check && peer == MALT_PEER_WORKER;
  gboolean in_parts = is_checked_before && is_in_parts (value);
  gconstpointer data = NULL;
  gboolean is_good;
  gpointer room;

  if (is_checked_before && !in_parts)
    {
      data = g_variant_get_data (value);
      if (!check_value (whole, data, size, error))
        return FALSE;
    }

  room = malt_arena_allocate (arena, size, &self->slot);
  if (room == NULL)
    return FALSE;

  self->arena = arena;
  *offset = malt_arena_offset (arena, room);
  if (data != NULL)
    {
      memcpy (room, data, size);
      return TRUE;
    }

  if (in_parts)
    is_good = copy_parts (whole, value, size, room, error);
  else
    {
      g_variant_store (value, room);
      is_good = check_value (whole, room, size, error);
    }
  if (!is_good)
    malt_large_value_clear (self);
  return is_good;
}

static GBytes *
make_body (const Place *place,
           const char  *type,
           GBytes      *rest)
{
  gsize begin = align (sizeof *place + place->type_size);
  gsize rest_size = rest != NULL ? g_bytes_get_size (rest) : 0;
  guint8 *data = g_malloc0 (begin + rest_size);
  Place wire = {
    .offset = GUINT64_TO_LE (place->offset),
    .size = GUINT64_TO_LE (place->size),
    .slot = GUINT32_TO_LE (place->slot),
    .type_size = GUINT32_TO_LE (place->type_size),
  };

  memcpy (data, &wire, sizeof wire);
  memcpy (data + sizeof wire, type, place->type_size);
  if (rest_size > 0)
    memcpy (data + begin, g_bytes_get_data (rest, NULL), rest_size);

  return g_bytes_new_take (data, begin + rest_size);
}

/* Sees to it that the value lies in the arena, and gives a body that says where, followed by
 * @rest.  A value that was built there lies there already; another one is copied, once.
 * FALSE without an error if there is no room. */
gboolean
malt_large_value_put (MaltLargeValue  *self,
                      MaltArena       *arena,
                      MaltPeer         peer,
                      GVariant        *value,
                      GBytes          *rest,
                      gsize            max_size,
                      GBytes         **body,
                      GError         **error)
{
  const char *type = g_variant_get_type_string (value);
  g_autoptr (GVariant) inner = ref_innermost (value);
  const char *inner_type = g_variant_get_type_string (inner);
  gboolean is_plain = is_array_of_numbers (inner_type);
  Place place = { .size = g_variant_get_size (value), .type_size = (guint32) strlen (type) };

  *self = (MaltLargeValue) { 0 };
  malt_kept_types_add (type);
  if (place.size > max_size)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                   "the value is of %" G_GUINT64_FORMAT " bytes (limit %" G_GSIZE_FORMAT ")",
                   place.size, max_size);
      return FALSE;
    }
  /* The type alone may be too much; it is that of the whole which the other end looks at. */
  if (is_plain && !check_value (value, g_variant_get_data (inner), g_variant_get_size (inner), error))
    return FALSE;

  if (is_plain && malt_arena_find (arena, g_variant_get_data (inner), place.size, &self->slot, &place.offset))
    {
      self->arena = arena;
      malt_arena_ref_slot (arena, self->slot);
    }
  else if (!copy_in (self, arena, peer, value, inner, !is_free (inner_type), &place.offset, error))
    return FALSE;

  place.slot = self->slot;
  *body = make_body (&place, type, rest);
  return TRUE;
}

/* The frame will reach the other end, to whom the value belongs now. */
void
malt_large_value_send (MaltLargeValue *self)
{
  if (self->arena == NULL)
    return;

  malt_arena_send (self->arena, self->slot);
  malt_large_value_clear (self);
}

/* The frame was not sent, or was. */
void
malt_large_value_clear (MaltLargeValue *self)
{
  if (self->arena != NULL)
    malt_arena_unref_slot (g_steal_pointer (&self->arena), self->slot);
}

/* Receiving. */

/* A type of a value, and a zero byte. */
typedef char TypeString[MALT_LIMIT_TYPE_STRING + 1];

/* Reads where the value lies, and copies its type. */
static gboolean
read_place (const guint8  *data,
            gsize          size,
            Place         *place,
            TypeString     type,
            gsize         *rest,
            GError       **error)
{
  if (size < sizeof *place)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a body of %" G_GSIZE_FORMAT " bytes says where a value is", size);
      return FALSE;
    }

  memcpy (place, data, sizeof *place);
  place->offset = GUINT64_FROM_LE (place->offset);
  place->size = GUINT64_FROM_LE (place->size);
  place->slot = GUINT32_FROM_LE (place->slot);
  place->type_size = GUINT32_FROM_LE (place->type_size);
  *rest = align (sizeof *place + (gsize) place->type_size);

  if (place->type_size > MALT_LIMIT_TYPE_STRING || *rest > size)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "the type of a value in the arena has %u characters", place->type_size);
      return FALSE;
    }

  memcpy (type, data + sizeof *place, place->type_size);
  type[place->type_size] = '\0';
  if (strlen (type) == place->type_size && g_variant_type_string_is_valid (type) &&
      g_variant_type_is_definite ((const GVariantType *) type))
    return TRUE;

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       "the type of a value in the arena is no type of a value");
  return FALSE;
}

static GBytes *
take_copy (MaltArenaView  *view,
           const Place    *place,
           GError        **error)
{
  g_autofree guint8 *copy = g_try_malloc ((gsize) place->size);

  if (copy == NULL && place->size > 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "there is no memory for a value of %" G_GUINT64_FORMAT " bytes", place->size);
      return NULL;
    }
  if (!malt_arena_view_copy (view, place->slot, place->offset, place->size, copy, error))
    return NULL;

  malt_arena_view_release (view, place->slot);
  return g_bytes_new_take (g_steal_pointer (&copy), (gsize) place->size);
}

/* Gives the value, and where in the body the rest begins.  What nobody can make invalid is
 * left where it is; of what a worker sends else, a copy is looked at and used. */
gboolean
malt_large_value_take (MaltArenaView  *view,
                       MaltPeer        peer,
                       gconstpointer   body,
                       gsize           body_size,
                       gsize           max_size,
                       GVariant      **value,
                       gsize          *rest,
                       GError        **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *reason = NULL;
  TypeString type;
  gsize begin;
  Place place;

  if (view == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                           "a value is said to be in an arena, and there is none");
      return FALSE;
    }
  if (!read_place (body, body_size, &place, type, &begin, error))
    return FALSE;
  if (place.size > max_size)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a value in the arena is of %" G_GUINT64_FORMAT " bytes (limit %" G_GSIZE_FORMAT ")",
                   place.size, max_size);
      return FALSE;
    }

  if (peer == MALT_PEER_MANAGER || is_free (type))
    bytes = malt_arena_view_take (view, place.slot, place.offset, place.size, error);
  else
    bytes = take_copy (view, &place, error);
  if (bytes == NULL)
    return FALSE;

  if (!malt_value_scan ((const GVariantType *) type, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), &reason))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a value in the arena is not valid: %s", reason);
      return FALSE;
    }

  *value = g_variant_ref_sink (g_variant_new_from_bytes ((const GVariantType *) type, bytes, TRUE));
  malt_kept_types_add (type);
  if (rest != NULL)
    *rest = begin;
  return TRUE;
}
