/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "malt-arena.h"
#include "malt-arena-view.h"
#include "malt-limits.h"
#include "test-asserts.h"

/* Both ends of an arena, which share the memory and the words as two processes would. */

#define MIB (1024u * 1024)

typedef struct
{
  int            fd;
  gsize          size;
  guint32       *released;
  int            n_owners; /* atomic: ends that hold the words */
  MaltArena     *arena;
  MaltArenaView *view;
} Ends;

static gsize page_size;

static void
owner_gone_cb (gpointer data)
{
  g_atomic_int_add ((int *) data, -1);
}

static void
ends_open (Ends  *self,
           gsize  size)
{
  g_autoptr (GError) error = NULL;
  gpointer words = mmap (NULL, MALT_ARENA_SLOTS * sizeof (guint32), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  g_assert_true (words != MAP_FAILED);
  self->released = words;
  self->size = size;
  self->fd = malt_arena_create_memory (size, &error);
  g_assert_no_error (error);
  self->n_owners = 2;
  self->arena = malt_arena_new (self->fd, size, words, &self->n_owners, owner_gone_cb, &error);
  g_assert_no_error (error);
  self->view = malt_arena_view_new (self->fd, size, words, &self->n_owners, owner_gone_cb, &error);
  g_assert_no_error (error);
}

static void
ends_close (Ends *self)
{
  g_clear_pointer (&self->arena, malt_arena_unref);
  g_clear_pointer (&self->view, malt_arena_view_unref);
  g_assert_cmpint (g_atomic_int_get (&self->n_owners), ==, 0);
  munmap (self->released, MALT_ARENA_SLOTS * sizeof (guint32));
  close (self->fd);
}

/* Memory that the arena takes, in bytes. */
static gsize
ends_memory (Ends *self)
{
  struct stat status;

  g_assert_cmpint (fstat (self->fd, &status), ==, 0);
  return (gsize) status.st_blocks * 512;
}

static gpointer
allocate (Ends    *ends,
          gsize    size,
          guint32 *slot)
{
  gpointer data = malt_arena_allocate (ends->arena, size, slot);

  g_assert_nonnull (data);
  g_assert_cmpuint (*slot, <, MALT_ARENA_SLOTS);
  g_assert_cmpuint (malt_arena_offset (ends->arena, data) % page_size, ==, 0);
  g_assert_cmpuint (malt_arena_offset (ends->arena, data) + size, <=, ends->size);
  return data;
}

static void
assert_bytes (gconstpointer data,
              gsize         size,
              guint8        byte)
{
  const guint8 *bytes = data;

  if (size > 0)
    {
      g_assert_cmpuint (bytes[0], ==, byte);
      g_assert_cmpint (memcmp (bytes, bytes + 1, size - 1), ==, 0);
    }
}

static gsize
pages_of (gsize size)
{
  return (MAX (size, 1) + page_size - 1) / page_size;
}

/* ---- The memory ---- */

static void
test_memory (void)
{
  g_autoptr (GError) error = NULL;
  int fd, copy;
  gpointer base;

  fd = malt_arena_create_memory (MIB, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (fcntl (fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), ==,
                   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  g_assert_cmpint (ftruncate (fd, 0), ==, -1);

  copy = malt_arena_open_read_only (fd, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (copy, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (fcntl (copy, F_GETFL) & O_ACCMODE, ==, O_RDONLY);

  base = malt_arena_map_memory (copy, MIB, PROT_READ | PROT_WRITE, &error);
  g_assert_null (base);
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                     "memory of an arena cannot be mapped: *");

  base = malt_arena_map_memory (copy, MIB, PROT_READ, &error);
  g_assert_no_error (error);
  g_assert_cmpint (mprotect (base, MIB, PROT_READ | PROT_WRITE), ==, -1);
  g_assert_cmpint (madvise (base, MIB, MADV_REMOVE), ==, -1);
  munmap (base, MIB);

  close (copy);
  close (fd);

  g_assert_cmpint (malt_arena_open_read_only (fd, &error), ==, -1);
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                     "memory of an arena cannot be opened for reading: *");
}

static void
test_cannot_map (void)
{
  g_autoptr (GError) error = NULL;
  guint32 words[1] = { 0 };
  int n_owners = 2, fd;

  /* More than there are addresses. */
  fd = malt_arena_create_memory (G_MAXOFFSET / 2 + 1, &error);
  g_assert_no_error (error);
  g_assert_null (malt_arena_view_new (fd, G_MAXOFFSET / 2 + 1, words, &n_owners, owner_gone_cb, &error));
  g_assert_nonnull (error);
  g_assert_true (error->domain == G_IO_ERROR); /* which code, valgrind says otherwise */
  test_assert_match (error->message, "memory of an arena cannot be mapped: *");
  g_clear_error (&error);
  g_assert_cmpint (n_owners, ==, 1);
  close (fd);

  fd = malt_arena_create_memory (page_size, &error);
  g_assert_no_error (error);
  g_assert_null (malt_arena_new (fd, 2 * page_size, words, &n_owners, owner_gone_cb, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                     "memory of an arena has * bytes instead of *");
  g_assert_cmpint (n_owners, ==, 0);
  close (fd);
}

/* Why F_SEAL_FUTURE_WRITE is not among the seals. */
static void
test_future_write (void)
{
  g_autoptr (GError) error = NULL;
  int fd = memfd_create ("test-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  gpointer base;

  g_assert_cmpint (ftruncate (fd, MIB), ==, 0);
  base = malt_arena_map_memory (fd, MIB, PROT_READ | PROT_WRITE, &error);
  g_assert_no_error (error);
  g_assert_cmpint (madvise (base, MIB, MADV_REMOVE), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), ==, 0);
  if (madvise (base, MIB, MADV_REMOVE) == 0)
    g_test_skip ("this kernel gives back memory that is sealed against writing");

  munmap (base, MIB);
  close (fd);
}

/* A core of a process must not hold, nor fill, the whole of its arenas. */
static void
test_no_core (void)
{
  Ends ends;
  g_autofree char *text = NULL;
  const char *at;
  guint n = 0;

  ends_open (&ends, MALT_LIMIT_ARENA_SIZE);
  g_assert_true (g_file_get_contents ("/proc/self/smaps", &text, NULL, NULL));
  for (at = strstr (text, "memfd:malt-arena"); at != NULL; at = strstr (at + 1, "memfd:malt-arena"))
    {
      const char *flags = strstr (at, "VmFlags:");
      g_autofree char *line = flags != NULL ? g_strndup (flags, strcspn (flags, "\n")) : NULL;

      test_assert_match (line, "* dd *");
      n++;
    }
  g_assert_cmpuint (n, ==, 2);
  ends_close (&ends);
}

/* ---- One value ---- */

static void
test_round_trip (void)
{
  Ends ends;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  guint32 slot, again;
  guint64 offset;
  guint8 *data, buffer[5];

  ends_open (&ends, MALT_LIMIT_ARENA_SIZE);

  data = allocate (&ends, MIB, &slot);
  memset (data, 'x', MIB);
  offset = malt_arena_offset (ends.arena, data);
  malt_arena_send (ends.arena, slot);
  malt_arena_unref_slot (ends.arena, slot);

  g_assert_true (malt_arena_view_copy (ends.view, slot, offset + MIB - 8, 5, buffer, &error));
  g_assert_no_error (error);
  g_assert_cmpmem (buffer, 5, "xxxxx", 5);
  g_assert_cmpuint (ends.released[slot], ==, 0);

  bytes = malt_arena_view_take (ends.view, slot, offset, MIB, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, MIB);
  assert_bytes (g_bytes_get_data (bytes, NULL), MIB, 'x');

  /* It is still there, so other room is used; then the same is. */
  g_assert_true (allocate (&ends, MIB, &again) != data);
  malt_arena_unref_slot (ends.arena, again);
  g_clear_pointer (&bytes, g_bytes_unref);
  g_assert_cmpuint (ends.released[slot], ==, 1);
  g_assert_true (allocate (&ends, MIB, &again) == data);
  malt_arena_unref_slot (ends.arena, again);

  ends_close (&ends);
}

/* What was taken outlives both ends. */
static void
test_keeps (void)
{
  Ends ends;
  g_autoptr (GError) error = NULL;
  MaltArena *arena;
  GBytes *bytes;
  guint32 slot;
  guint8 *data;

  ends_open (&ends, MIB);
  arena = ends.arena;
  data = allocate (&ends, 100, &slot);
  memset (data, 'y', 100);
  malt_arena_send (ends.arena, slot);
  bytes = malt_arena_view_take (ends.view, slot, malt_arena_offset (ends.arena, data), 100, &error);
  g_assert_no_error (error);

  g_clear_pointer (&ends.view, malt_arena_view_unref);
  g_clear_pointer (&ends.arena, malt_arena_unref);
  g_assert_cmpint (ends.n_owners, ==, 2);

  assert_bytes (g_bytes_get_data (bytes, NULL), 100, 'y');
  g_bytes_unref (bytes);
  g_assert_cmpint (ends.n_owners, ==, 1);
  assert_bytes (data, 100, 'y');

  malt_arena_unref_slot (arena, slot);
  g_assert_cmpint (ends.n_owners, ==, 0);
  ends_close (&ends);
}

/* Whether the room of a slot, which is the first, is in use. */
static gboolean
is_in_use (Ends          *ends,
           gconstpointer  data)
{
  guint32 slot;
  gboolean used = allocate (ends, 1, &slot) != data;

  malt_arena_unref_slot (ends->arena, slot);
  return used;
}

static void
test_references (gconstpointer start)
{
  Ends ends;
  guint32 slot, other, i;
  gpointer data;

  ends_open (&ends, MIB);
  /* The next to be given, whatever that is: its word is about to wrap around. */
  for (i = 0; i < MALT_ARENA_SLOTS; i++)
    ends.released[i] = GPOINTER_TO_UINT (start);

  data = allocate (&ends, 1, &slot);
  malt_arena_ref_slot (ends.arena, slot);
  malt_arena_unref_slot (ends.arena, slot);
  g_assert_true (is_in_use (&ends, data));

  for (i = 0; i < 3; i++)
    malt_arena_send (ends.arena, slot);

  /* Everything that was sent was released, but it is still referenced. */
  for (i = 0; i < 3; i++)
    malt_arena_view_release (ends.view, slot);
  g_assert_true (is_in_use (&ends, data));
  malt_arena_send (ends.arena, slot);
  malt_arena_unref_slot (ends.arena, slot);
  g_assert_true (is_in_use (&ends, data));
  malt_arena_view_release (ends.view, slot);
  g_assert_false (is_in_use (&ends, data));

  /* What was not sent needs no release, whatever its word says. */
  g_assert_true (allocate (&ends, 1, &slot) == data);
  ends.released[slot] += 17;
  malt_arena_unref_slot (ends.arena, slot);
  g_assert_false (is_in_use (&ends, data));

  /* Neither do words free what is referenced. */
  g_assert_true (allocate (&ends, 1, &slot) == data);
  for (i = 0; i < 10; i++)
    {
      ends.released[slot] = i;
      g_assert_true (is_in_use (&ends, data));
    }
  malt_arena_unref_slot (ends.arena, slot);
  g_assert_true (allocate (&ends, 1, &other) == data);
  malt_arena_unref_slot (ends.arena, other);

  ends_close (&ends);
}

/* ---- Room ---- */

static void
test_slots (void)
{
  Ends ends;
  guint round;

  ends_open (&ends, MALT_LIMIT_ARENA_SIZE);

  for (round = 0; round < 3; round++)
    {
      g_autofree gboolean *seen = g_new0 (gboolean, MALT_ARENA_SLOTS);
      guint32 i, slot;
      gint64 begin = g_get_monotonic_time ();

      for (i = 0; i < MALT_ARENA_SLOTS; i++)
        {
          guint8 *data = allocate (&ends, 1, &slot);

          g_assert_cmpuint (malt_arena_offset (ends.arena, data), ==, i * page_size);
          g_assert_false (seen[slot]);
          seen[slot] = TRUE;
          malt_arena_send (ends.arena, slot);
          malt_arena_unref_slot (ends.arena, slot);
        }
      g_assert_null (malt_arena_allocate (ends.arena, 1, &slot));
      g_test_message ("%u allocations in %d microseconds", i, (int) (g_get_monotonic_time () - begin));

      for (i = 0; i < MALT_ARENA_SLOTS; i++)
        malt_arena_view_release (ends.view, i);
    }

  ends_close (&ends);
}

static void
test_room (void)
{
  Ends ends;
  guint32 slot, other;
  gpointer data;

  ends_open (&ends, 16 * page_size);

  g_assert_null (malt_arena_allocate (ends.arena, G_MAXSIZE, &slot));
  g_assert_null (malt_arena_allocate (ends.arena, ends.size + 1, &slot));

  data = allocate (&ends, ends.size, &slot);
  memset (data, 'x', ends.size);
  g_assert_null (malt_arena_allocate (ends.arena, 0, &other));
  malt_arena_unref_slot (ends.arena, slot);

  data = allocate (&ends, 0, &slot);
  memset (data, 'x', 64);
  malt_arena_unref_slot (ends.arena, slot);

  ends_close (&ends);
}

/* Holes are used, lowest first, and grow together. */
static void
test_holes (void)
{
  Ends ends;
  guint32 slots[16], slot, i;
  guint8 *base;

  ends_open (&ends, 16 * page_size);

  base = allocate (&ends, 1, &slots[0]);
  for (i = 1; i < 16; i++)
    g_assert_true (allocate (&ends, 1, &slots[i]) == base + i * page_size);
  g_assert_null (malt_arena_allocate (ends.arena, 1, &slot));

  for (i = 1; i < 16; i += 2)
    malt_arena_unref_slot (ends.arena, slots[i]);
  g_assert_null (malt_arena_allocate (ends.arena, page_size + 1, &slot));
  g_assert_true (allocate (&ends, 1, &slots[1]) == base + page_size);

  malt_arena_unref_slot (ends.arena, slots[4]);
  g_assert_true (allocate (&ends, 3 * page_size, &slots[4]) == base + 3 * page_size);
  g_assert_true (allocate (&ends, 1, &slots[7]) == base + 7 * page_size);

  for (i = 0; i < 16; i += 2)
    malt_arena_unref_slot (ends.arena, slots[i]);
  malt_arena_unref_slot (ends.arena, slots[1]);
  malt_arena_unref_slot (ends.arena, slots[7]);
  g_assert_true (allocate (&ends, 16 * page_size, &slot) == base);
  malt_arena_unref_slot (ends.arena, slot);

  ends_close (&ends);
}

static void
test_find (void)
{
  Ends ends;
  guint32 first, second, slot;
  guint64 offset;
  guint8 *data, local[8];
  gsize size = 3 * page_size;

  ends_open (&ends, MIB);

  allocate (&ends, 1, &first);
  data = allocate (&ends, size, &second);

  g_assert_true (malt_arena_find (ends.arena, data, size, &slot, &offset));
  g_assert_cmpuint (slot, ==, second);
  g_assert_cmpuint (offset, ==, page_size);
  g_assert_true (malt_arena_find (ends.arena, data + 8, size - 8, &slot, &offset));
  g_assert_cmpuint (slot, ==, second);
  g_assert_cmpuint (offset, ==, page_size + 8);
  g_assert_true (malt_arena_find (ends.arena, data + size, 0, &slot, &offset));
  g_assert_true (malt_arena_find (ends.arena, data - page_size, 1, &slot, &offset));
  g_assert_cmpuint (slot, ==, first);

  g_assert_false (malt_arena_find (ends.arena, data + 8, size - 7, &slot, &offset));
  g_assert_false (malt_arena_find (ends.arena, data, G_MAXSIZE, &slot, &offset));
  g_assert_false (malt_arena_find (ends.arena, data - 1, 1, &slot, &offset));
  g_assert_false (malt_arena_find (ends.arena, data - page_size, page_size + 1, &slot, &offset));
  g_assert_false (malt_arena_find (ends.arena, data + size + page_size, 1, &slot, &offset));
  g_assert_false (malt_arena_find (ends.arena, data - page_size - 1, 1, &slot, &offset));
  g_assert_false (malt_arena_find (ends.arena, data - page_size + ends.size, 0, &slot, &offset));
  g_assert_false (malt_arena_find (ends.arena, local, sizeof local, &slot, &offset));
  g_assert_false (malt_arena_find (ends.arena, NULL, 0, &slot, &offset));

  /* Not what only the peer holds. */
  malt_arena_send (ends.arena, second);
  malt_arena_unref_slot (ends.arena, second);
  g_assert_false (malt_arena_find (ends.arena, data, size, &slot, &offset));

  malt_arena_unref_slot (ends.arena, first);
  ends_close (&ends);
}

/* ---- A model ---- */

typedef struct
{
  guint8 *data;
  gsize   size;
  guint32 slot;
  guint8  byte;
  guint   n_references;
  guint   n_sent;
} Value;

#define MODEL_PAGES 256

/* The lowest room among @n values, found the slow way; MODEL_PAGES when there is none. */
static gsize
model_room (Ends        *ends,
            const Value *values,
            guint        n,
            gsize        n_pages)
{
  gboolean used[MODEL_PAGES] = { FALSE };
  gsize room = 0, i, k;

  for (i = 0; i < n; i++)
    for (k = 0; k < pages_of (values[i].size); k++)
      {
        gsize page = malt_arena_offset (ends->arena, values[i].data) / page_size + k;

        g_assert_false (used[page]);
        used[page] = TRUE;
      }

  for (i = 0; i < MODEL_PAGES; i++)
    {
      room = used[i] ? 0 : room + 1;
      if (room == n_pages)
        return i + 1 - n_pages;
    }

  return MODEL_PAGES;
}

static void
test_model (void)
{
  Ends ends;
  Value values[MODEL_PAGES];
  guint n = 0, step;
  guint8 *base;
  guint32 slot;

  ends_open (&ends, MODEL_PAGES * page_size);
  base = allocate (&ends, 1, &slot);
  malt_arena_unref_slot (ends.arena, slot);

  for (step = 0; step < 20000; step++)
    {
      Value *value = n > 0 ? &values[g_test_rand_int_range (0, (gint32) n)] : NULL;
      gint32 dice = g_test_rand_int_range (0, 100);

      if (value == NULL || dice < 35)
        {
          Value fresh = { .n_references = 1, .byte = (guint8) g_test_rand_int () };
          gsize room;

          fresh.size = (gsize) g_test_rand_int_range (0, g_test_rand_int_range (1, (gint32) (24 * page_size)));
          room = model_room (&ends, values, n, pages_of (fresh.size));
          fresh.data = malt_arena_allocate (ends.arena, fresh.size, &fresh.slot);
          if (room == MODEL_PAGES)
            {
              g_assert_null (fresh.data);
              continue;
            }
          g_assert_true (fresh.data == base + room * page_size);
          memset (fresh.data, fresh.byte, fresh.size);
          values[n++] = fresh;
          continue;
        }

      if (dice < 60 && value->n_references > 0)
        {
          guint64 offset;

          g_assert_true (malt_arena_find (ends.arena, value->data, value->size, &slot, &offset));
          g_assert_cmpuint (slot, ==, value->slot);
          malt_arena_send (ends.arena, slot);
          value->n_sent++;
        }
      else if (dice < 80 && value->n_references > 0)
        {
          malt_arena_unref_slot (ends.arena, value->slot);
          value->n_references--;
        }
      else if (value->n_sent > 0)
        {
          g_autoptr (GError) error = NULL;
          g_autoptr (GBytes) bytes =
            malt_arena_view_take (ends.view, value->slot, malt_arena_offset (ends.arena, value->data),
                                  value->size, &error);

          g_assert_no_error (error);
          assert_bytes (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), value->byte);
          value->n_sent--;
        }

      assert_bytes (value->data, value->size, value->byte);
      if (value->n_references == 0 && value->n_sent == 0)
        *value = values[--n];
    }

  while (n-- > 0)
    if (values[n].n_references > 0)
      malt_arena_unref_slot (ends.arena, values[n].slot);
  ends_close (&ends);
}

/* ---- What is kept warm ---- */

static glong
count_faults (void)
{
  struct rusage usage;

  g_assert_cmpint (getrusage (RUSAGE_THREAD, &usage), ==, 0);
  return usage.ru_minflt;
}

static void
test_warm (void)
{
  Ends ends;
  gpointer first = NULL;
  guint i;

  ends_open (&ends, MALT_LIMIT_ARENA_SIZE);

  for (i = 0; i < 6; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL;
      glong faults = count_faults ();
      guint32 slot;
      gpointer data = allocate (&ends, 50 * MIB, &slot);

      if (first == NULL)
        first = data;
      g_assert_true (data == first);
      memset (data, (int) i, 50 * MIB);
      malt_arena_send (ends.arena, slot);
      malt_arena_unref_slot (ends.arena, slot);

      bytes = malt_arena_view_take (ends.view, slot, malt_arena_offset (ends.arena, data), 50 * MIB, &error);
      g_assert_no_error (error);
      assert_bytes (g_bytes_get_data (bytes, NULL), 50 * MIB, (guint8) i);

      g_test_message ("%ld faults", count_faults () - faults);
      if (i > 1)
        g_assert_cmpint (count_faults () - faults, <, 50);
    }

  ends_close (&ends);
}

static void
test_goes_back (void)
{
  Ends ends;
  guint32 slots[6], slot, i;
  guint8 *data[6], *fresh;

  ends_open (&ends, MALT_LIMIT_ARENA_SIZE);

  for (i = 0; i < 6; i++)
    {
      data[i] = allocate (&ends, 16 * MIB, &slots[i]);
      memset (data[i], (int) i + 1, 16 * MIB);
      malt_arena_send (ends.arena, slots[i]);
      if (i != 3)
        malt_arena_unref_slot (ends.arena, slots[i]);
    }
  for (i = 0; i < 6; i++)
    malt_arena_view_release (ends.view, slots[i]);
  g_assert_cmpuint (ends_memory (&ends), ==, 6 * pages_of (16 * MIB) * page_size);

  /* The first allocation sees that five are free, and takes a page of the lowest. */
  fresh = allocate (&ends, 1, &slot);
  g_assert_true (fresh == data[0]);
  g_assert_cmpuint (fresh[0], ==, 1);
  g_assert_cmpuint (ends_memory (&ends), ==,
                    MALT_LIMIT_ARENA_WARM + (1 + pages_of (16 * MIB)) * page_size);
  assert_bytes (data[3], 16 * MIB, 4);
  malt_arena_unref_slot (ends.arena, slot);
  g_assert_cmpuint (ends_memory (&ends), ==, MALT_LIMIT_ARENA_WARM + pages_of (16 * MIB) * page_size);

  /* Highest first. */
  g_assert_cmpuint (data[4][0], ==, 5);
  g_assert_cmpuint (data[5][16 * MIB - 1], ==, 0);

  malt_arena_unref_slot (ends.arena, slots[3]);
  g_assert_cmpuint (ends_memory (&ends), <=, MALT_LIMIT_ARENA_WARM + page_size);

  ends_close (&ends);
}

/* The bound, whatever the order. */
static void
test_bound (void)
{
  Ends ends;
  struct { guint32 slot; gsize memory; } live[16];
  gsize memory = 0;
  guint n = 0, step;

  ends_open (&ends, MALT_LIMIT_ARENA_SIZE);

  for (step = 0; step < 150; step++)
    {
      if (n == 0 || (n < G_N_ELEMENTS (live) && g_test_rand_bit ()))
        {
          gsize size = (gsize) g_test_rand_int_range (0, 16 * MIB);

          allocate (&ends, size, &live[n].slot);
          live[n].memory = pages_of (size) * page_size;
          memory += live[n++].memory;
        }
      else
        {
          guint i = (guint) g_test_rand_int_range (0, (gint32) n);

          malt_arena_unref_slot (ends.arena, live[i].slot);
          memory -= live[i].memory;
          live[i] = live[--n];
        }
      g_assert_cmpuint (ends_memory (&ends), <=, memory + MALT_LIMIT_ARENA_WARM);
    }

  while (n-- > 0)
    malt_arena_unref_slot (ends.arena, live[n].slot);
  ends_close (&ends);
}

/* When the peer has gone, only what this end still has is kept. */
static void
test_retired (void)
{
  guint32 kept, sent, slot;
  guint8 *data;
  Ends ends;

  ends_open (&ends, MALT_LIMIT_ARENA_SIZE);

  allocate (&ends, MIB, &sent);
  data = allocate (&ends, 16 * MIB, &kept);
  memset (data, 1, 16 * MIB);
  allocate (&ends, MIB, &slot);
  malt_arena_unref_slot (ends.arena, slot);
  malt_arena_send (ends.arena, sent);
  malt_arena_unref_slot (ends.arena, sent);
  malt_arena_send (ends.arena, kept);
  g_assert_cmpuint (ends_memory (&ends), ==, (2 * pages_of (MIB) + pages_of (16 * MIB)) * page_size);

  malt_arena_retire (ends.arena);
  g_assert_cmpuint (ends_memory (&ends), ==, pages_of (16 * MIB) * page_size);
  assert_bytes (data, 16 * MIB, 1);
  g_assert_null (malt_arena_allocate (ends.arena, 1, &slot));

  malt_arena_unref_slot (ends.arena, kept);
  g_assert_cmpuint (ends_memory (&ends), ==, 0);

  ends_close (&ends);
}

/* ---- Bad peers ---- */

static gpointer
write_nonsense (gpointer data)
{
  Ends *ends = data;
  guint32 x = 1, i;

  while (g_atomic_int_get (&ends->n_owners) == 2)
    for (i = 0; i < MALT_ARENA_SLOTS; i++)
      {
        x = x * 1664525 + 1013904223;
        /* Often what frees a slot, often nonsense. */
        g_atomic_int_set ((int *) &ends->released[i], (int) (x & 0x80000000u ? x >> 30 : x));
      }

  return NULL;
}

static void
test_nonsense (void)
{
  Ends ends;
  GThread *thread;
  struct { guint8 *data; guint32 slot; } kept[8];
  guint i, step, n_given = 0;

  ends_open (&ends, 512 * page_size);
  for (i = 0; i < G_N_ELEMENTS (kept); i++)
    {
      kept[i].data = allocate (&ends, 5000, &kept[i].slot);
      memset (kept[i].data, (int) i, 5000);
      if (i % 2 == 0)
        malt_arena_send (ends.arena, kept[i].slot);
    }

  thread = g_thread_new ("nonsense", write_nonsense, &ends);
  for (step = 0; step < 50000; step++)
    {
      gsize size = (gsize) g_test_rand_int_range (0, 30000);
      guint32 slot;
      guint8 *data = malt_arena_allocate (ends.arena, size, &slot);

      if (data == NULL)
        continue;

      n_given++;
      g_assert_cmpuint (malt_arena_offset (ends.arena, data) + size, <=, ends.size);
      memset (data, 0xee, size);
      malt_arena_send (ends.arena, slot);
      malt_arena_unref_slot (ends.arena, slot);
    }
  g_assert_cmpuint (n_given, >, 0);

  for (i = 0; i < G_N_ELEMENTS (kept); i++)
    {
      assert_bytes (kept[i].data, 5000, (guint8) i);
      malt_arena_unref_slot (ends.arena, kept[i].slot);
    }

  g_clear_pointer (&ends.arena, malt_arena_unref);
  g_thread_join (thread);
  ends_close (&ends);
}

static void
test_bad_places (void)
{
  static const struct
  {
    guint32     slot;
    guint64     offset;
    guint64     size;
    const char *text;
  } places[] = {
    { MALT_ARENA_SLOTS, 0, 1, "a value in the arena has the slot 4096 (limit 4095)" },
    { G_MAXUINT32, 0, 1, "a value in the arena has the slot 4294967295 (limit 4095)" },
    { 0, 4, 1, "a value in the arena has the offset 4, not a multiple of 8" },
    { 0, MIB, 0, "a value in the arena has the offset 1048576 (limit 1048575)" },
    { 0, G_MAXUINT64 - 7, 16, "a value in the arena has the offset 18446744073709551608 (limit 1048575)" },
    { 0, 0, MIB + 1, "a value in the arena has 1048577 bytes at the offset 0 (limit 1048576)" },
    { 0, MIB - 8, 9, "a value in the arena has 9 bytes at the offset 1048568 (limit 8)" },
    { 0, 8, G_MAXUINT64, "a value in the arena has 18446744073709551615 bytes at the offset 8 (limit 1048568)" },
  };
  Ends ends;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  gsize i;

  ends_open (&ends, MIB);

  for (i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_assert_null (malt_arena_view_take (ends.view, places[i].slot, places[i].offset, places[i].size, &error));
      test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, places[i].text);
      g_assert_false (malt_arena_view_copy (ends.view, places[i].slot, places[i].offset, places[i].size,
                                            NULL, &error));
      test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, places[i].text);
    }

  /* The edges are good. */
  bytes = malt_arena_view_take (ends.view, MALT_ARENA_SLOTS - 1, MIB - 8, 8, &error);
  g_assert_no_error (error);
  g_clear_pointer (&bytes, g_bytes_unref);
  bytes = malt_arena_view_take (ends.view, 0, 0, MIB, &error);
  g_assert_no_error (error);
  g_clear_pointer (&bytes, g_bytes_unref);
  g_assert_true (malt_arena_view_copy (ends.view, 0, 8, 0, NULL, &error));
  g_assert_no_error (error);

  ends_close (&ends);
}

/* ---- Many threads, two processes ---- */

typedef struct
{
  guint32 slot;
  guint64 offset;
  gsize   size;
  guint8  byte;
} Message;

typedef struct
{
  Ends         ends;
  GAsyncQueue *queue;
} Crowd;

#define CROWD_VALUES 2000

static gpointer
write_values (gpointer data)
{
  Crowd *crowd = data;
  MaltArena *arena = crowd->ends.arena;
  guint i;

  for (i = 0; i < CROWD_VALUES; i++)
    {
      Message *message = g_new (Message, 1);
      guint8 *bytes;
      guint32 slot;

      message->size = (i * 7919) % 40000;
      message->byte = (guint8) i;
      while ((bytes = malt_arena_allocate (arena, message->size, &slot)) == NULL)
        g_thread_yield ();
      memset (bytes, message->byte, message->size);
      message->slot = slot;
      message->offset = malt_arena_offset (arena, bytes);
      malt_arena_send (arena, slot);

      /* Before and after it was read. */
      if (i % 2 == 0)
        malt_arena_unref_slot (arena, slot);
      g_async_queue_push (crowd->queue, message);
      if (i % 2 != 0)
        malt_arena_unref_slot (arena, slot);
    }

  return NULL;
}

static gpointer
read_values (gpointer data)
{
  Crowd *crowd = data;
  guint i;

  for (i = 0; i < CROWD_VALUES; i++)
    {
      g_autofree Message *message = g_async_queue_pop (crowd->queue);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes =
        malt_arena_view_take (crowd->ends.view, message->slot, message->offset, message->size, &error);

      g_assert_no_error (error);
      assert_bytes (g_bytes_get_data (bytes, NULL), message->size, message->byte);
    }

  return NULL;
}

static void
test_threads (void)
{
  Crowd crowd = { .queue = g_async_queue_new () };
  GThread *threads[6];
  guint32 slot;
  guint i;

  ends_open (&crowd.ends, 128 * page_size);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("crowd", i % 2 == 0 ? write_values : read_values, &crowd);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);

  /* All of it is free again. */
  g_assert_nonnull (malt_arena_allocate (crowd.ends.arena, 128 * page_size, &slot));
  malt_arena_unref_slot (crowd.ends.arena, slot);
  ends_close (&crowd.ends);
  g_async_queue_unref (crowd.queue);
}

/* Reads in another process, through a descriptor that cannot write.  GLib's functions are
 * used although this is a fork: there is one thread. */
static int
read_in_child (Ends *ends,
               int   fd,
               int   input,
               int   output)
{
  MaltArenaView *view = malt_arena_view_new (fd, ends->size, ends->released, NULL, NULL, NULL);
  Message message;

  if (view == NULL)
    return 1;

  while (read (input, &message, sizeof message) == sizeof message)
    {
      GBytes *bytes = malt_arena_view_take (view, message.slot, message.offset, message.size, NULL);
      const guint8 *data = bytes != NULL ? g_bytes_get_data (bytes, NULL) : NULL;

      if (data == NULL || data[0] != message.byte || memcmp (data, data + 1, message.size - 1) != 0)
        return 2;
      g_bytes_unref (bytes);
      if (write (output, "", 1) != 1)
        return 3;
    }

  malt_arena_view_unref (view);
  return 0;
}

static void
test_fork (void)
{
  Ends ends;
  g_autoptr (GError) error = NULL;
  gpointer first = NULL;
  int there[2], back[2], copy, status;
  pid_t pid;
  guint i;

  ends_open (&ends, MALT_LIMIT_ARENA_SIZE);
  copy = malt_arena_open_read_only (ends.fd, &error);
  g_assert_no_error (error);
  g_assert_cmpint (pipe (there), ==, 0);
  g_assert_cmpint (pipe (back), ==, 0);

  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      close (there[1]);
      close (back[0]);
      _exit (read_in_child (&ends, copy, there[0], back[1]));
    }
  close (there[0]);
  close (back[1]);

  for (i = 0; i < 100; i++)
    {
      Message message = { .size = MIB, .byte = (guint8) i };
      gpointer data = allocate (&ends, message.size, &message.slot);
      char answer;

      if (first == NULL)
        first = data;
      g_assert_true (data == first);
      memset (data, message.byte, message.size);
      message.offset = malt_arena_offset (ends.arena, data);
      malt_arena_send (ends.arena, message.slot);
      malt_arena_unref_slot (ends.arena, message.slot);
      g_assert_cmpint (write (there[1], &message, sizeof message), ==, sizeof message);
      g_assert_cmpint (read (back[0], &answer, 1), ==, 1);
    }

  close (there[1]);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  close (back[0]);
  close (copy);
  ends_close (&ends);
}

/* What a copy of the process drops goes for nobody else. */
static void
test_copy (void)
{
  Ends ends;
  g_autoptr (GBytes) taken = NULL;
  guint8 *data;
  guint32 slot, other, released;
  gsize memory;
  int status;
  pid_t pid;

  /* More than stays warm, so that its memory would go back at once. */
  ends_open (&ends, MALT_LIMIT_ARENA_SIZE);
  data = allocate (&ends, MALT_LIMIT_ARENA_WARM + MIB, &slot);
  memset (data, 7, MALT_LIMIT_ARENA_WARM + MIB);
  malt_arena_send (ends.arena, slot);
  taken = malt_arena_view_take (ends.view, slot, malt_arena_offset (ends.arena, data), MIB, NULL);
  g_assert_nonnull (taken);
  memory = ends_memory (&ends);
  released = ends.released[slot];

  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      gboolean has_room = malt_arena_allocate (ends.arena, 1, &other) != NULL;

      g_clear_pointer (&taken, g_bytes_unref);
      malt_arena_unref_slot (ends.arena, slot);
      _exit (has_room);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);

  g_assert_cmpuint (ends.released[slot], ==, released);
  g_assert_cmpuint (ends_memory (&ends), ==, memory);
  assert_bytes (data, MALT_LIMIT_ARENA_WARM + MIB, 7);
  g_clear_pointer (&taken, g_bytes_unref);
  g_assert_cmpuint (ends.released[slot], ==, released + 1);
  malt_arena_unref_slot (ends.arena, slot);
  g_assert_cmpuint (ends_memory (&ends), <=, MALT_LIMIT_ARENA_WARM);
  ends_close (&ends);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  page_size = (gsize) sysconf (_SC_PAGESIZE);

  g_test_add_func ("/arena/memory", test_memory);
  g_test_add_func ("/arena/cannot-map", test_cannot_map);
  g_test_add_func ("/arena/future-write", test_future_write);
  g_test_add_func ("/arena/no-core", test_no_core);
  g_test_add_func ("/arena/round-trip", test_round_trip);
  g_test_add_func ("/arena/keeps", test_keeps);
  g_test_add_data_func ("/arena/references", GUINT_TO_POINTER (0), test_references);
  g_test_add_data_func ("/arena/wrap-around", GUINT_TO_POINTER (G_MAXUINT32 - 1), test_references);
  g_test_add_func ("/arena/slots", test_slots);
  g_test_add_func ("/arena/room", test_room);
  g_test_add_func ("/arena/holes", test_holes);
  g_test_add_func ("/arena/find", test_find);
  g_test_add_func ("/arena/model", test_model);
  g_test_add_func ("/arena/warm", test_warm);
  g_test_add_func ("/arena/goes-back", test_goes_back);
  g_test_add_func ("/arena/bound", test_bound);
  g_test_add_func ("/arena/retired", test_retired);
  g_test_add_func ("/arena/nonsense", test_nonsense);
  g_test_add_func ("/arena/bad-places", test_bad_places);
  g_test_add_func ("/arena/threads", test_threads);
  g_test_add_func ("/arena/fork", test_fork);
  g_test_add_func ("/arena/copy", test_copy);

  return g_test_run ();
}
