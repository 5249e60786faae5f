/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <malt.h>

#include "malt-arena.h"
#include "malt-arena-view.h"
#include "malt-large-value.h"
#include "malt-limits.h"
#include "test-asserts.h"

/* An arena in one direction, and both of its ends. */

#define ARENA_SIZE (4u * 1024 * 1024)
#define MAX_SIZE   (2u * 1024 * 1024)

typedef struct
{
  int            fd;
  guint32       *released;
  MaltArena     *arena;
  MaltArenaView *view;
  const guint8  *memory; /* of the view */
} Ends;

static void
ends_open (Ends *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) all = NULL;

  self->released = g_new0 (guint32, MALT_ARENA_SLOTS);
  self->fd = malt_arena_create_memory (ARENA_SIZE, &error);
  g_assert_no_error (error);
  self->arena = malt_arena_new (self->fd, ARENA_SIZE, self->released, NULL, NULL, &error);
  g_assert_no_error (error);
  self->view = malt_arena_view_new (self->fd, ARENA_SIZE, self->released, NULL, NULL, &error);
  g_assert_no_error (error);

  all = malt_arena_view_take (self->view, 0, 0, ARENA_SIZE, &error);
  g_assert_no_error (error);
  self->memory = g_bytes_get_data (all, NULL);
}

/* Nothing is under way any more: all of the room is there. */
static void
assert_all_free (Ends *self)
{
  guint32 slot;
  gpointer data = malt_arena_allocate (self->arena, ARENA_SIZE, &slot);

  g_assert_nonnull (data);
  malt_arena_unref_slot (self->arena, slot);
}

static void
ends_close (Ends *self)
{
  malt_arena_unref (self->arena);
  malt_arena_view_unref (self->view);
  g_free (self->released);
  close (self->fd);
}

static gboolean
is_in_view (Ends          *self,
            gconstpointer  data)
{
  return (const guint8 *) data >= self->memory && (const guint8 *) data < self->memory + ARENA_SIZE;
}

static gboolean
is_in_arena (Ends          *self,
             gconstpointer  data)
{
  guint32 slot;
  guint64 offset;

  return malt_arena_find (self->arena, data, 1, &slot, &offset);
}

static guint
count_released (Ends *self)
{
  guint n = 0, i;

  for (i = 0; i < MALT_ARENA_SLOTS; i++)
    n += self->released[i];
  return n;
}

/* Who puts and who takes. */
static MaltPeer
other_peer (MaltPeer peer)
{
  return peer == MALT_PEER_WORKER ? MALT_PEER_MANAGER : MALT_PEER_WORKER;
}

/* ---- There and back ---- */

static const struct
{
  const char *text;
  gboolean    is_plain; /* numbers, which are read in place from a worker too */
} values[] = {
  { "@ay [1, 2, 3]", TRUE },
  { "@an [1, -2, 3]", TRUE },
  { "@aq [1, 2, 3]", TRUE },
  { "@ai [1, -2, 3]", TRUE },
  { "@au [1, 2, 3]", TRUE },
  { "@ax [1, -2, 3]", TRUE },
  { "@at [1, 2, 3]", TRUE },
  { "@ad [1.5, -2.5]", TRUE },
  { "@ay []", TRUE },
  { "@ad []", TRUE },
  { "@ab [true, false]", FALSE },
  { "b'bytes'", TRUE },
  { "'a string'", FALSE },
  { "''", FALSE },
  { "@as ['a', '', 'b']", FALSE },
  { "@aay [[1], [], [2, 3]]", FALSE },
  { "@a(yy) [(1, 2), (3, 4)]", FALSE },
  { "@a(yx) [(1, 2), (3, 4)]", FALSE },
  { "@a{sv} {'a': <1>, 'b': <'x'>}", FALSE },
  { "<@ax [1, 2]>", FALSE },
  { "(@ax [1, 2],)", FALSE },
  { "(byte 102, byte 8, byte 1, byte 0, uint32 0, uint64 2, @ay [1, 2, 3])", TRUE },
  { "(1, uint32 2, @ad [1.5])", TRUE },
  { "(byte 1, @ay [])", TRUE },
  { "(byte 1, int64 2, @ay [1])", FALSE },
  { "(byte 1, @ax [1])", FALSE },
  { "(true, @ay [1])", FALSE },
  { "(byte 1, @ab [true])", FALSE },
  { "(byte 1, @as ['a'])", FALSE },
  { "(byte 1, @aay [[1]])", FALSE },
  { "(byte 1, @ay [1], byte 2)", FALSE },
  { "(1.5, ('a', @ay [1]))", FALSE },
  { "((@ay [1, 2],),)", FALSE },
  { "(@ax [1, 2], 'x')", FALSE },
  { "@(sx) ('a', 5)", FALSE },
  { "@(yxd) (1, 2, 3)", FALSE },
  { "@mx 5", FALSE },
  { "@mx nothing", FALSE },
  { "@mms just nothing", FALSE },
  { "()", FALSE },
  { "@(ayay) ([1], [2])", FALSE },
  { "true", FALSE },
  { "byte 0x07", FALSE },
  { "uint64 18446744073709551615", FALSE },
  { "2.5", FALSE },
  { "objectpath '/a/b'", FALSE },
  { "signature 'a{sv}'", FALSE },
};

/* Takes what a body says, and gives the rest of it. */
static gboolean
take (MaltArenaView  *view,
      MaltPeer        peer,
      GBytes         *body,
      gsize           max_size,
      GVariant      **value,
      GBytes        **rest,
      GError        **error)
{
  gsize size = 0, begin;
  gconstpointer data = body != NULL ? g_bytes_get_data (body, &size) : NULL;

  if (!malt_large_value_take (view, peer, data, size, max_size, value, rest != NULL ? &begin : NULL, error))
    return FALSE;

  if (rest != NULL)
    *rest = g_bytes_new_from_bytes (body, begin, size - begin);
  return TRUE;
}

static void
there_and_back (Ends       *ends,
                MaltPeer    sender,
                const char *text,
                gboolean    is_plain,
                GBytes     *rest)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) taken = NULL;
  g_autoptr (GBytes) body = NULL;
  g_autoptr (GBytes) taken_rest = NULL;
  g_autoptr (GError) error = NULL;
  guint n_released = count_released (ends);
  gboolean is_in_place = sender == MALT_PEER_MANAGER || is_plain;
  MaltLargeValue large;

  value = g_variant_ref_sink (g_variant_parse (NULL, text, NULL, NULL, &error));
  g_assert_no_error (error);

  g_assert_true (malt_large_value_put (&large, ends->arena, other_peer (sender), value, rest, MAX_SIZE, &body, &error));
  g_assert_no_error (error);
  malt_large_value_send (&large);
  malt_large_value_clear (&large);

  g_assert_true (take (ends->view, sender, body, MAX_SIZE, &taken, &taken_rest, &error));
  g_assert_no_error (error);
  g_assert_cmpvariant (taken, value);
  g_assert_false (g_variant_is_floating (taken));
  if (rest != NULL)
    g_assert_true (g_bytes_equal (rest, taken_rest));
  else
    g_assert_cmpuint (g_bytes_get_size (taken_rest), ==, 0);

  if (g_variant_get_size (taken) > 0)
    g_assert_cmpint (is_in_view (ends, g_variant_get_data (taken)), ==, is_in_place);
  g_assert_cmpuint (count_released (ends), ==, n_released + (is_in_place ? 0 : 1));

  g_clear_pointer (&taken, g_variant_unref);
  g_assert_cmpuint (count_released (ends), ==, n_released + 1);
  assert_all_free (ends);
}

static void
test_round_trip (gconstpointer data)
{
  MaltPeer sender = (MaltPeer) GPOINTER_TO_UINT (data);
  g_autoptr (GBytes) rest = g_bytes_new_static ("rest", 4);
  Ends ends;
  gsize i;

  ends_open (&ends);
  for (i = 0; i < G_N_ELEMENTS (values); i++)
    {
      there_and_back (&ends, sender, values[i].text, values[i].is_plain, NULL);
      there_and_back (&ends, sender, values[i].text, values[i].is_plain, rest);
    }
  ends_close (&ends);
}

/* Without anybody who asks for the rest. */
static void
test_no_rest (void)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string ("hello"));
  g_autoptr (GVariant) taken = NULL;
  g_autoptr (GBytes) body = NULL;
  g_autoptr (GError) error = NULL;
  MaltLargeValue large;
  Ends ends;

  ends_open (&ends);
  g_assert_true (malt_large_value_put (&large, ends.arena, MALT_PEER_WORKER, value, NULL, MAX_SIZE, &body, &error));
  malt_large_value_send (&large);
  g_assert_true (take (ends.view, MALT_PEER_MANAGER, body, MAX_SIZE, &taken, NULL, &error));
  g_assert_cmpvariant (taken, value);
  g_clear_pointer (&taken, g_variant_unref);
  ends_close (&ends);
}

/* A value that is made in the arena, as a runtime would. */
static GVariant *
new_in_arena (Ends    *ends,
              gsize    size,
              guint32 *slot,
              gsize   *offset)
{
  guint8 *data = malt_arena_allocate (ends->arena, size, slot);
  g_autoptr (GBytes) bytes = NULL;

  g_assert_nonnull (data);
  memset (data, 7, size);
  *offset = (gsize) malt_arena_offset (ends->arena, data);
  bytes = g_bytes_new_static (data, size);

  return g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("ay"), bytes, TRUE));
}

/* It goes from where it is, also as the only member of a tuple, also twice. */
static void
test_not_copied (void)
{
  static const char * const wrappers[] = { "ay", "(ay)", "((ay))" };
  Ends ends;
  gsize i;

  ends_open (&ends);
  for (i = 0; i < G_N_ELEMENTS (wrappers); i++)
    {
      g_autoptr (GVariant) value = NULL;
      g_autoptr (GVariant) taken = NULL;
      g_autoptr (GVariant) again = NULL;
      g_autoptr (GBytes) body G_GNUC_UNUSED = NULL;
      g_autoptr (GError) error = NULL;
      MaltLargeValue large;
      guint32 slot;
      gsize offset, j;

      value = new_in_arena (&ends, 1000 * 1000, &slot, &offset);
      for (j = 0; j < i; j++)
        {
          GVariant *inner = g_steal_pointer (&value);

          value = g_variant_ref_sink (g_variant_new_tuple (&inner, 1));
          g_variant_unref (inner);
        }
      g_assert_cmpstr (g_variant_get_type_string (value), ==, wrappers[i]);

      for (j = 0; j < 2; j++)
        {
          g_autoptr (GBytes) this_body = NULL;

          g_assert_true (malt_large_value_put (&large, ends.arena, MALT_PEER_WORKER, value, NULL, MAX_SIZE,
                                               &this_body, &error));
          g_assert_no_error (error);
          g_assert_cmpuint (large.slot, ==, slot);
          malt_large_value_send (&large);
          g_assert_true (take (ends.view, MALT_PEER_MANAGER, this_body, MAX_SIZE,
                                                j == 0 ? &taken : &again, NULL, &error));
          g_assert_no_error (error);
        }

      g_assert_true (g_variant_get_data (taken) == ends.memory + offset);
      g_assert_true (g_variant_get_data (again) == ends.memory + offset);
      g_assert_cmpuint (g_variant_get_size (taken), ==, 1000 * 1000);

      /* It is free when all of its readers have gone, and its maker. */
      malt_arena_unref_slot (ends.arena, slot);
      g_clear_pointer (&taken, g_variant_unref);
      g_assert_null (malt_arena_allocate (ends.arena, ARENA_SIZE, &slot));
      g_clear_pointer (&again, g_variant_unref);
      assert_all_free (&ends);
    }
  ends_close (&ends);
}

/* Those that are not all of it are copied. */
static void
test_copied (void)
{
  g_autoptr (GVariant) array = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) taken = NULL;
  g_autoptr (GBytes) body = NULL;
  g_autoptr (GError) error = NULL;
  MaltLargeValue large;
  guint32 slot;
  gsize offset;
  Ends ends;

  ends_open (&ends);
  array = new_in_arena (&ends, 100 * 1000, &slot, &offset);
  value = g_variant_ref_sink (g_variant_new ("(@ayx)", array, G_GINT64_CONSTANT (5)));
  g_assert_true (malt_large_value_put (&large, ends.arena, MALT_PEER_WORKER, value, NULL, MAX_SIZE, &body, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (large.slot, !=, slot);
  malt_large_value_send (&large);
  g_assert_true (take (ends.view, MALT_PEER_MANAGER, body, MAX_SIZE, &taken, NULL, &error));
  g_assert_cmpvariant (taken, value);

  malt_arena_unref_slot (ends.arena, slot);
  g_clear_pointer (&taken, g_variant_unref);
  assert_all_free (&ends);
  ends_close (&ends);
}

/* Put, and then not sent. */
static void
test_not_sent (void)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string ("hello"));
  g_autoptr (GVariant) array = NULL;
  g_autoptr (GError) error = NULL;
  MaltLargeValue large = { 0 };
  guint32 slot;
  gsize offset;
  Ends ends;
  guint i;

  ends_open (&ends);
  malt_large_value_clear (&large);
  malt_large_value_send (&large);
  array = new_in_arena (&ends, 1000, &slot, &offset);

  for (i = 0; i < 2; i++)
    {
      g_autoptr (GBytes) body = NULL;

      g_assert_true (malt_large_value_put (&large, ends.arena, MALT_PEER_WORKER, i == 0 ? value : array, NULL,
                                           MAX_SIZE, &body, &error));
      g_assert_no_error (error);
      malt_large_value_clear (&large);
    }

  g_assert_true (is_in_arena (&ends, g_variant_get_data (array)));
  malt_arena_unref_slot (ends.arena, slot);
  assert_all_free (&ends);
  ends_close (&ends);
}

/* No room is no error: it goes some other way. */
static void
test_full (gconstpointer data)
{
  MaltPeer peer = (MaltPeer) GPOINTER_TO_UINT (data);
  static const char * const texts[] = { "'hello'", "@ax [1, 2]", "(@ax [1, 2], 'x')" };
  guint32 slot;
  Ends ends;
  gsize i;

  ends_open (&ends);
  g_assert_nonnull (malt_arena_allocate (ends.arena, ARENA_SIZE, &slot));

  for (i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GVariant) value = NULL;
      g_autoptr (GBytes) body = NULL;
      g_autoptr (GError) error = NULL;
      MaltLargeValue large;

      value = g_variant_ref_sink (g_variant_parse (NULL, texts[i], NULL, NULL, &error));
      g_assert_no_error (error);
      g_assert_false (malt_large_value_put (&large, ends.arena, peer, value, NULL, MAX_SIZE, &body, &error));
      g_assert_no_error (error);
      g_assert_null (body);
      malt_large_value_clear (&large);
    }

  malt_arena_unref_slot (ends.arena, slot);
  assert_all_free (&ends);
  ends_close (&ends);
}

/* What may not cross at all. */
static void
test_cannot_cross (gconstpointer data)
{
  MaltPeer peer = (MaltPeer) GPOINTER_TO_UINT (data);
  g_autofree guint8 *large_data = g_malloc0 (MAX_SIZE + 1);
  GVariant *refused[4];
  static const char * const patterns[] = {
    "the value is of 2097153 bytes (limit 2097152)",
    "the value cannot cross: *",
    "the value cannot cross: *",
    "the value cannot cross: *",
  };
  Ends ends;
  guint i;

  refused[0] = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, large_data, MAX_SIZE + 1, 1);
  refused[1] = g_variant_new_from_data (G_VARIANT_TYPE_STRING, "no end", 6, FALSE, NULL, NULL);
  refused[2] = g_variant_new_int32 (5);
  refused[3] = g_variant_new_bytestring ("an array of numbers");
  for (i = 0; i < 40; i++)
    {
      refused[2] = g_variant_new_tuple (&refused[2], 1);
      refused[3] = g_variant_new_tuple (&refused[3], 1);
    }

  ends_open (&ends);
  for (i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (GVariant) value = g_variant_ref_sink (refused[i]);
      g_autoptr (GBytes) body = NULL;
      g_autoptr (GError) error = NULL;
      MaltLargeValue large;

      g_test_message ("%s", g_variant_get_type_string (value));
      g_assert_false (malt_large_value_put (&large, ends.arena, peer, value, NULL, MAX_SIZE, &body, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, patterns[i]);
      g_assert_null (body);
      malt_large_value_clear (&large);
    }
  assert_all_free (&ends);
  ends_close (&ends);
}

/* ---- Bad bodies ---- */

typedef struct
{
  guint64     offset;
  guint64     size;
  guint32     slot;
  guint32     type_size;
  const char *type;
  gsize       body_size; /* 0: as it should be */
  const char *pattern;
} BadBody;

static const BadBody bad_bodies[] = {
  { 0, 0, 0, 2, "ay", 1, "a body of 1 bytes says where a value is" },
  { 0, 0, 0, 2, "ay", 23, "a body of 23 bytes says where a value is" },
  { 0, 0, 0, 2, "ay", 24, "*has 2 characters" },
  { 0, 0, 0, 2, "ay", 31, "*has 2 characters" },
  { 0, 0, 0, 300, "ay", 0, "*has 300 characters" },
  { 0, 0, 0, 256, "ay", 400, "*has 256 characters" },
  { 0, 0, 0, G_MAXUINT32, "ay", 32, "*has 4294967295 characters" },
  { 0, 0, 0, G_MAXUINT32 - 24, "ay", 32, "*has 4294967271 characters" },
  { 0, 8, 0, 0, "", 0, "*is no type of a value" },
  { 0, 8, 0, 1, "Z", 0, "*is no type of a value" },
  { 0, 8, 0, 1, "a", 0, "*is no type of a value" },
  { 0, 8, 0, 1, "r", 0, "*is no type of a value" },
  { 0, 8, 0, 2, "a*", 0, "*is no type of a value" },
  { 0, 8, 0, 1, "?", 0, "*is no type of a value" },
  { 0, 8, 0, 4, "ayay", 0, "*is no type of a value" },
  { 0, 8, 0, 4, "ay\0x", 0, "*is no type of a value" },
  { 0, 8, 0, 4, "(ay)\n", 0, NULL },
  { 0, MAX_SIZE + 1, 0, 2, "ay", 0, "a value in the arena is of 2097153 bytes (limit 2097152)" },
  { 0, G_MAXUINT64, 0, 2, "ay", 0, "a value in the arena is of 18446744073709551615 bytes*" },
  { 0, MAX_SIZE + 1, 0, 2, "as", 0, "a value in the arena is of 2097153 bytes (limit 2097152)" },
  { 0, 8, MALT_ARENA_SLOTS, 2, "ay", 0, "*has the slot 4096*" },
  { 0, 8, G_MAXUINT32, 1, "s", 0, "*has the slot 4294967295*" },
  { 4, 8, 0, 2, "ay", 0, "*has the offset 4, not a multiple of 8" },
  { 4, 8, 0, 1, "s", 0, "*has the offset 4, not a multiple of 8" },
  { ARENA_SIZE, 0, 0, 2, "ay", 0, "*has the offset 4194304*" },
  { ARENA_SIZE, 0, 0, 2, "as", 0, "*has the offset 4194304*" },
  { ARENA_SIZE - 8, 9, 0, 2, "ay", 0, "*has 9 bytes at the offset*" },
  { ARENA_SIZE - 8, 9, 0, 2, "as", 0, "*has 9 bytes at the offset*" },
  { G_MAXUINT64 - 7, 8, 0, 2, "ay", 0, "*has the offset 18446744073709551608*" },
  { G_MAXUINT64 - 7, 16, 0, 2, "as", 0, "*has the offset 18446744073709551608*" },
  { 0, 9, 0, 2, "ax", 0, "*is not valid*" },
  { 0, 7, 0, 2, "an", 0, "*is not valid*" },
  { 0, 7, 0, 1, "x", 0, "*is not valid*" },
  { 0, 0, 0, 1, "s", 0, "*is not valid*" },
  { 0, 0, 0, 1, "b", 0, "*is not valid*" },
  { 64, 1, 0, 1, "b", 0, "*is not valid*" },
  { 64, 4, 0, 2, "ab", 0, "*is not valid*" },
  { 64, 4, 0, 1, "s", 0, "*is not valid*" },
  { 64, 4, 0, 2, "as", 0, "*is not valid*" },
  { 64, 4, 0, 1, "v", 0, "*is not valid*" },
  { 64, 4, 0, 4, "(ss)", 0, "*is not valid*" },
  { 64, 16, 0, 4, "(yx)", 0, "*is not valid*" },
  { 64, 4, 0, 5, "(xay)", 0, "*is not valid*" },
  { 64, 12, 0, 5, "(xax)", 0, "*is not valid*" },
  { 64, 0, 0, 5, "(yay)", 0, "*is not valid*" },
};

static GBytes *
make_body (const BadBody *what)
{
  struct { guint64 offset, size; guint32 slot, type_size; } place =
    { GUINT64_TO_LE (what->offset), GUINT64_TO_LE (what->size), GUINT32_TO_LE (what->slot), GUINT32_TO_LE (what->type_size) };
  gsize size = what->body_size != 0 ? what->body_size : (sizeof place + MIN (what->type_size, 8u) + 7) / 8 * 8;
  gsize type_size = MIN (what->type_size, 5);
  guint8 whole[512] = { 0 };

  memcpy (whole, &place, sizeof place);
  memcpy (whole + sizeof place, what->type, MIN (type_size, strlen (what->type) + 1));
  if (what->type_size == 4 && strlen (what->type) == 2)
    memcpy (whole + sizeof place, what->type, 4);

  return g_bytes_new (whole, size);
}

static void
test_bad_bodies (gconstpointer data)
{
  MaltPeer sender = (MaltPeer) GPOINTER_TO_UINT (data);
  g_autoptr (GError) error = NULL;
  guint32 slot;
  guint8 *memory;
  Ends ends;
  gsize i;

  ends_open (&ends);
  memory = malt_arena_allocate (ends.arena, 4096, &slot);
  memset (memory + 64, 7, 64);

  for (i = 0; i < G_N_ELEMENTS (bad_bodies); i++)
    {
      g_autoptr (GBytes) body = make_body (&bad_bodies[i]);
      g_autoptr (GVariant) value = NULL;

      g_test_message ("%" G_GSIZE_FORMAT ": %s", i, bad_bodies[i].type);
      if (bad_bodies[i].pattern == NULL)
        {
          g_assert_true (take (ends.view, sender, body, MAX_SIZE, &value, NULL, &error));
          g_assert_no_error (error);
          continue;
        }

      g_assert_false (take (ends.view, sender, body, MAX_SIZE, &value, NULL, &error));
      test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, bad_bodies[i].pattern);
      g_assert_null (value);
    }

  malt_arena_unref_slot (ends.arena, slot);
  assert_all_free (&ends);
  ends_close (&ends);
}

static void
test_no_body (void)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) body = make_body (&bad_bodies[0]);
  Ends ends;

  ends_open (&ends);
  g_assert_false (take (ends.view, MALT_PEER_WORKER, NULL, MAX_SIZE, &value, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a body of 0 bytes*");
  g_assert_false (take (NULL, MALT_PEER_WORKER, body, MAX_SIZE, &value, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a value is said to be in an arena, and there is none");
  ends_close (&ends);
}

/* What a worker sends is what it was when it was looked at, whatever it writes later. */
static void
test_changes_later (void)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string ("hello"));
  g_autoptr (GVariant) taken = NULL;
  g_autoptr (GBytes) body = NULL;
  g_autoptr (GError) error = NULL;
  MaltLargeValue large;
  gpointer memory;
  Ends ends;

  ends_open (&ends);
  memory = mmap (NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ends.fd, 0);
  g_assert_true (memory != MAP_FAILED);
  g_assert_true (malt_large_value_put (&large, ends.arena, MALT_PEER_MANAGER, value, NULL, MAX_SIZE, &body, &error));
  malt_large_value_send (&large);
  g_assert_true (take (ends.view, MALT_PEER_WORKER, body, MAX_SIZE, &taken, NULL, &error));
  memset (memory, 0xff, 4096);
  g_assert_cmpvariant (taken, value);
  munmap (memory, ARENA_SIZE);
  ends_close (&ends);
}

/* Bodies of random bytes and of good ones with a few changed. */
static void
test_random (void)
{
  g_autoptr (GVariant) good = NULL;
  g_autoptr (GBytes) good_body = NULL;
  g_autoptr (GError) error = NULL;
  MaltLargeValue large;
  guint n_taken = 0, i;
  Ends ends;

  ends_open (&ends);
  good = g_variant_ref_sink (g_variant_new_parsed ("@a{sv} {'a': <@ax [1, 2]>, 'b': <'x'>}"));
  g_assert_true (malt_large_value_put (&large, ends.arena, MALT_PEER_MANAGER, good, NULL, MAX_SIZE, &good_body, &error));
  malt_large_value_send (&large);

  for (i = 0; i < 20000; i++)
    {
      guint8 bytes[64];
      gsize size = MIN (g_bytes_get_size (good_body), sizeof bytes);
      g_autoptr (GBytes) body = NULL;
      g_autoptr (GVariant) value = NULL;
      g_autoptr (GError) failure = NULL;
      guint j, n = (guint) g_test_rand_int_range (1, 4);

      memcpy (bytes, g_bytes_get_data (good_body, NULL), size);
      for (j = 0; j < n; j++)
        bytes[g_test_rand_int_range (0, (gint32) size)] ^= (guint8) (1u << g_test_rand_int_range (0, 8));
      body = g_bytes_new (bytes, g_test_rand_bit () ? size : (gsize) g_test_rand_int_range (0, (gint32) size + 1));

      if (take (ends.view, MALT_PEER_WORKER, body, MAX_SIZE, &value, NULL, &failure))
        {
          n_taken++;
          g_assert_true (g_variant_is_normal_form (value));
        }
      else
        g_assert_error (failure, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
    }
  g_test_message ("%u were values", n_taken);
  ends_close (&ends);
}

static void
add_for_peers (const char    *name,
               GTestDataFunc  func)
{
  g_autofree char *worker = g_strdup_printf ("/large-value/%s/worker", name);
  g_autofree char *manager = g_strdup_printf ("/large-value/%s/manager", name);

  g_test_add_data_func (worker, GUINT_TO_POINTER (MALT_PEER_WORKER), func);
  g_test_add_data_func (manager, GUINT_TO_POINTER (MALT_PEER_MANAGER), func);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  add_for_peers ("round-trip", test_round_trip);
  g_test_add_func ("/large-value/no-rest", test_no_rest);
  g_test_add_func ("/large-value/not-copied", test_not_copied);
  g_test_add_func ("/large-value/copied", test_copied);
  g_test_add_func ("/large-value/not-sent", test_not_sent);
  add_for_peers ("full", test_full);
  add_for_peers ("cannot-cross", test_cannot_cross);
  add_for_peers ("bad-bodies", test_bad_bodies);
  g_test_add_func ("/large-value/no-body", test_no_body);
  g_test_add_func ("/large-value/changes-later", test_changes_later);
  g_test_add_func ("/large-value/random", test_random);

  return g_test_run ();
}
