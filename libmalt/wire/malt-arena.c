/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-arena.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "malt-fork.h"
#include "malt-sealed-memory.h"

/* Of Linux 5.14; the headers may be older than the kernel. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Where a live allocation lies. */
typedef struct
{
  guint32 begin; /* pages */
  guint32 end;
  guint32 slot;
} Run;

/* A live allocation, by the number that the peer knows it by. */
typedef struct
{
  gsize   size;         /* as asked for */
  guint32 n_pages;      /* 0: the slot is free */
  guint32 n_references; /* of this end */
  guint32 n_sent;       /* since it was allocated */
  guint32 released;     /* what the peer had counted to when it was allocated */
} Slot;

/* The writing end: a first-fit allocator of pages, all of whose state is private.
 *
 * The peer says that it is done with a value by adding 1 to @released[slot], which is in
 * shared memory.  A slot lives as long as this end has a reference to it, or as it was
 * sent more often than its word has grown; the counts may wrap around.  The words are
 * looked at for slots in @waiting only, which were sent and are not referenced here, and
 * say nothing but whether such a slot is free.  So a peer that writes nonsense there
 * loses values that were sent to it, or keeps room that only it has a use for.
 *
 * Memory.  A page has a bit in @touched from its first allocation until it was given
 * back; a page whose bit is not set was never written by this end and has no memory.
 * @n_free_touched is the number of bits set outside of the runs.  Hence:
 *   allocating  sets the bits of its run, and takes those off that were set before;
 *   freeing     adds the pages of the run, whose bits are all set;
 *   giving back clears bits outside of the runs, and takes as many off.
 * Each of malt_arena_allocate() and malt_arena_unref_slot() ends by giving back what
 * @n_free_touched has above MALT_LIMIT_ARENA_WARM, so that memory never exceeds this
 * and what lives.  As allocating gives back last, it can take all of what was released
 * just before, however large.  Allocations take the lowest room, giving back the
 * highest, so what stays is what is used next.
 *
 * A copy of the process that fork() has made has the memory, but not the arena: it gets no
 * room, and what it drops stays as it is. */
struct _MaltArena
{
  /* Immutable after construction. */
  guint8          *base;
  gsize            size;
  gsize            page_size;
  guint32          n_pages;
  const guint32   *released; /* MALT_ARENA_SLOTS words, written by the peer */
  gpointer         owner;    /* of the words */
  GDestroyNotify   destroy;
  guint            generation; /* see malt-fork.c */

  /* Atomic. */
  gatomicrefcount  ref_count;

  /* Guarded by lock. */
  GMutex           lock;
  guint64         *touched;  /* a bit for each page */
  guint32          n_free_touched;
  guint32          n_runs;
  guint32          n_free_slots;
  guint32          n_waiting;
  gboolean         is_retired; /* there is no peer any more */
  Run              runs[MALT_ARENA_SLOTS];       /* by address */
  guint16          free_slots[MALT_ARENA_SLOTS]; /* the next one last */
  guint16          waiting[MALT_ARENA_SLOTS];    /* slots, in no order */
  Slot             slots[MALT_ARENA_SLOTS];
};

/* ---- The memory ---- */

static void
set_error_from_errno (GError     **error,
                      const char  *what,
                      int          code)
{
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), "%s: %s", what, g_strerror (code));
}

/* Gives a descriptor of new memory for an arena, which has no pages until they are
 * written and can no longer change its size.
 *
 * It is not sealed with F_SEAL_FUTURE_WRITE, not even for a peer that only reads: with it
 * the kernel refuses MADV_REMOVE, so that memory could not go back. */
int
malt_arena_create_memory (gsize    size,
                          GError **error)
{
  return malt_sealed_memory_new ("malt-arena", size, FALSE, error);
}

/* Gives a descriptor of the same memory that cannot be mapped for writing, nor a mapping
 * of it made writable.  This is against mistakes: a peer of the same user that has /proc
 * can open the file once more. */
int
malt_arena_open_read_only (int      fd,
                           GError **error)
{
  char path[sizeof "/proc/self/fd/" + 11];
  int copy;

  g_snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  copy = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (copy < 0)
    set_error_from_errno (error, "memory of an arena cannot be opened for reading", errno);

  return copy;
}

/* Maps all of the memory, after which the descriptor is needed no more.  @protection is
 * that of mmap(). */
gpointer
malt_arena_map_memory (int      fd,
                       gsize    size,
                       int      protection,
                       GError **error)
{
  gpointer base;
  struct stat status;

  if (fstat (fd, &status) < 0)
    {
      set_error_from_errno (error, "memory of an arena cannot be looked at", errno);
      return NULL;
    }
  /* Touching what is behind the end of a file is deadly. */
  if (status.st_size < 0 || (guint64) status.st_size < size)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "memory of an arena has %" G_GINT64_FORMAT " bytes instead of %" G_GSIZE_FORMAT,
                   (gint64) status.st_size, size);
      return NULL;
    }

  base = mmap (NULL, size, protection, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (base == MAP_FAILED)
    {
      set_error_from_errno (error, "memory of an arena cannot be mapped", errno);
      return NULL;
    }

  /* Writing a core reads every page of a mapping, and reading a hole fills it: a crash
   * would cost the whole size in memory and on disk. */
  madvise (base, size, MADV_DONTDUMP);

  return base;
}

/* ---- Bits of pages ---- */

#define WORD_BITS 64u

/* The bits of the word at @page that are in [@page, @end). */
static guint64
bits_of_word (guint32 page,
              guint32 end)
{
  guint32 first = page % WORD_BITS, n = MIN (end - page, WORD_BITS - first);

  return (G_MAXUINT64 >> (WORD_BITS - n)) << first;
}

static guint32
next_word (guint32 page)
{
  return (page / WORD_BITS + 1) * WORD_BITS;
}

/* Sets bits.  Gives how many were not set, and the first of these. */
static guint32
touch_pages (MaltArena *self,
             guint32    begin,
             guint32    end,
             guint32   *first)
{
  guint32 n = 0, page;

  for (page = begin; page < end; page = next_word (page))
    {
      guint64 *word = &self->touched[page / WORD_BITS];
      guint64 fresh = bits_of_word (page, end) & ~*word;

      if (fresh == 0)
        continue;

      if (n == 0)
        *first = page - page % WORD_BITS + (guint32) __builtin_ctzll (fresh);
      n += (guint32) __builtin_popcountll (fresh);
      *word |= fresh;
    }

  return n;
}

/* Clears bits, and gives how many were set. */
static guint32
forget_pages (MaltArena *self,
              guint32    begin,
              guint32    end)
{
  guint32 n = 0, page;

  for (page = begin; page < end; page = next_word (page))
    {
      guint64 *word = &self->touched[page / WORD_BITS];
      guint64 bits = bits_of_word (page, end) & *word;

      n += (guint32) __builtin_popcountll (bits);
      *word &= ~bits;
    }

  return n;
}

/* Gives the end of the last page in [@begin, @end) that is or is not touched, or @begin. */
static guint32
find_last_page (MaltArena *self,
                guint32    begin,
                guint32    end,
                gboolean   is_touched)
{
  while (end > begin)
    {
      guint64 word = self->touched[(end - 1) / WORD_BITS];
      guint32 n = (end - 1) % WORD_BITS + 1;

      word = (is_touched ? word : ~word) << (WORD_BITS - n);
      if (word != 0)
        return MAX (end - (guint32) __builtin_clzll (word), begin);
      end -= n;
    }

  return begin;
}

/* ---- Giving memory back ---- */

/* Only pages outside of the runs. */
static gboolean
remove_pages_locked (MaltArena *self,
                     guint32    begin,
                     guint32    end)
{
  /* Fails where memory is locked. */
  if (madvise (self->base + begin * self->page_size, (end - begin) * self->page_size, MADV_REMOVE) < 0)
    return FALSE;

  self->n_free_touched -= forget_pages (self, begin, end);
  return TRUE;
}

static void
give_back_locked (MaltArena *self)
{
  guint32 warm = self->is_retired ? 0 : (guint32) (MALT_LIMIT_ARENA_WARM / self->page_size);
  guint32 i = self->n_runs, end = self->n_pages;

  while (self->n_free_touched > warm)
    {
      guint32 begin = i > 0 ? self->runs[i - 1].end : 0;
      guint32 last = find_last_page (self, begin, end, TRUE);

      if (last > begin)
        {
          guint32 first = find_last_page (self, begin, last, FALSE);

          end = last - MIN (last - first, self->n_free_touched - warm);
          if (!remove_pages_locked (self, end, last))
            return;
        }
      else if (i > 0)
        end = self->runs[--i].begin;
      else
        g_return_if_reached ();
    }
}

/* ---- Freeing ---- */

static void
free_slot_locked (MaltArena *self,
                  guint32    slot)
{
  self->n_free_touched += self->slots[slot].n_pages;
  self->slots[slot].n_pages = 0;
  self->free_slots[self->n_free_slots++] = (guint16) slot;
}

/* Takes out the runs whose slots were freed. */
static void
drop_runs_locked (MaltArena *self)
{
  guint32 i, n = 0;

  for (i = 0; i < self->n_runs; i++)
    if (self->slots[self->runs[i].slot].n_pages > 0)
      self->runs[n++] = self->runs[i];

  self->n_runs = n;
}

static guint32
load_released (MaltArena *self,
               guint32    slot)
{
  return (guint32) g_atomic_int_get ((const int *) &self->released[slot]);
}

static gboolean
is_released_locked (MaltArena *self,
                    guint32    slot)
{
  const Slot *s = &self->slots[slot];

  return self->is_retired || s->n_sent == 0 || load_released (self, slot) - s->released == s->n_sent;
}

static void
reclaim_locked (MaltArena *self)
{
  guint32 i = 0, n_waiting = self->n_waiting;

  while (i < self->n_waiting)
    {
      if (is_released_locked (self, self->waiting[i]))
        {
          free_slot_locked (self, self->waiting[i]);
          self->waiting[i] = self->waiting[--self->n_waiting];
        }
      else
        i++;
    }

  if (self->n_waiting < n_waiting)
    drop_runs_locked (self);
}

/* ---- The arena ---- */

static gboolean
is_foreign (MaltArena *self)
{
  return self->generation != malt_fork_get_generation ();
}

/* Maps the memory.  @released are MALT_ARENA_SLOTS words in memory that the reader writes;
 * @owner keeps them, and is dropped by @destroy at the end or when this fails.  The
 * descriptor stays the caller's. */
MaltArena *
malt_arena_new (int              fd,
                gsize            size,
                const guint32   *released,
                gpointer         owner,
                GDestroyNotify   destroy,
                GError         **error)
{
  gsize page_size = (gsize) sysconf (_SC_PAGESIZE);
  gpointer base;
  MaltArena *self;
  guint32 i;

  g_return_val_if_fail (size > 0 && size % page_size == 0 && size / page_size < G_MAXINT32, NULL);
  g_return_val_if_fail (released != NULL, NULL);

  base = malt_arena_map_memory (fd, size, PROT_READ | PROT_WRITE, error);
  if (base == NULL)
    {
      if (destroy != NULL)
        destroy (owner);
      return NULL;
    }

  self = g_new0 (MaltArena, 1);
  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->base = base;
  self->size = size;
  self->page_size = page_size;
  self->n_pages = (guint32) (size / page_size);
  self->released = released;
  self->owner = owner;
  self->destroy = destroy;
  self->generation = malt_fork_get_generation ();
  self->touched = g_new0 (guint64, self->n_pages / WORD_BITS + 1);
  for (i = 0; i < MALT_ARENA_SLOTS; i++)
    self->free_slots[i] = (guint16) (MALT_ARENA_SLOTS - 1 - i);
  self->n_free_slots = MALT_ARENA_SLOTS;

  return self;
}

MaltArena *
malt_arena_ref (MaltArena *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

void
malt_arena_unref (MaltArena *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  munmap (self->base, self->size);
  if (self->destroy != NULL)
    self->destroy (self->owner);
  g_free (self->touched);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* The peer has gone: what was sent to it is free, there is no more room, and no memory stays
 * but that of which this end has references. */
void
malt_arena_retire (MaltArena *self)
{
  if (is_foreign (self))
    return;

  g_mutex_lock (&self->lock);
  self->is_retired = TRUE;
  reclaim_locked (self);
  give_back_locked (self);
  g_mutex_unlock (&self->lock);
}

/* Finds the lowest room, and where its run belongs among the others. */
static gboolean
find_room_locked (MaltArena *self,
                  guint32    n_pages,
                  guint32   *begin,
                  guint32   *index)
{
  guint32 i, end = 0;

  for (i = 0; i < self->n_runs; i++)
    {
      if (self->runs[i].begin - end >= n_pages)
        break;
      end = self->runs[i].end;
    }

  *begin = end;
  *index = i;
  return i < self->n_runs || self->n_pages - end >= n_pages;
}

/* Gives @size bytes, or %NULL when there is no room, no slot or no memory; they hold anything
 * that this end wrote before.  @slot has one reference, and
 * each reference keeps the arena. */
gpointer
malt_arena_allocate (MaltArena *self,
                     gsize      size,
                     guint32   *slot)
{
  guint32 n_pages, begin, index, n_fresh, first_fresh = 0;
  guint8 *data;

  if (size > self->size || is_foreign (self))
    return NULL;
  n_pages = (guint32) ((MAX (size, 1) + self->page_size - 1) / self->page_size);

  g_mutex_lock (&self->lock);

  reclaim_locked (self);
  if (self->is_retired || self->n_free_slots == 0 || !find_room_locked (self, n_pages, &begin, &index))
    {
      give_back_locked (self);
      g_mutex_unlock (&self->lock);
      return NULL;
    }

  *slot = self->free_slots[--self->n_free_slots];
  self->slots[*slot] = (Slot) {
    .size = size,
    .n_pages = n_pages,
    .n_references = 1,
    .released = load_released (self, *slot),
  };
  memmove (&self->runs[index + 1], &self->runs[index], (self->n_runs - index) * sizeof (Run));
  self->runs[index] = (Run) { begin, begin + n_pages, *slot };
  self->n_runs++;

  n_fresh = touch_pages (self, begin, begin + n_pages, &first_fresh);
  self->n_free_touched -= n_pages - n_fresh;
  give_back_locked (self);

  g_mutex_unlock (&self->lock);

  malt_arena_ref (self);
  data = self->base + begin * self->page_size;

  /* All at once costs half as much as one by one, and where there is no memory this
   * fails, while writing would be deadly.  Kernels that do not know it say EINVAL. */
  if (n_fresh > 0 &&
      madvise (self->base + first_fresh * self->page_size,
               (begin + n_pages - first_fresh) * self->page_size, MADV_POPULATE_WRITE) < 0 &&
      (errno == ENOMEM || errno == EFAULT || errno == EHWPOISON))
    {
      malt_arena_unref_slot (self, *slot);
      return NULL;
    }

  return data;
}

/* For whoever has a reference already. */
void
malt_arena_ref_slot (MaltArena *self,
                     guint32    slot)
{
  g_return_if_fail (slot < MALT_ARENA_SLOTS);

  g_mutex_lock (&self->lock);
  g_assert (self->slots[slot].n_references > 0);
  self->slots[slot].n_references++;
  g_mutex_unlock (&self->lock);

  malt_arena_ref (self);
}

/* The last reference leaves the bytes to the peer, if they were sent. */
void
malt_arena_unref_slot (MaltArena *self,
                       guint32    slot)
{
  g_return_if_fail (slot < MALT_ARENA_SLOTS);

  if (is_foreign (self))
    {
      malt_arena_unref (self);
      return;
    }

  g_mutex_lock (&self->lock);
  g_assert (self->slots[slot].n_references > 0);
  if (--self->slots[slot].n_references == 0)
    {
      if (is_released_locked (self, slot))
        {
          free_slot_locked (self, slot);
          drop_runs_locked (self);
          give_back_locked (self);
        }
      else
        self->waiting[self->n_waiting++] = (guint16) slot;
    }
  g_mutex_unlock (&self->lock);

  malt_arena_unref (self);
}

/* Counts a message that will name this slot, before it goes; the peer releases the slot once
 * for each.  For whoever has a reference. */
void
malt_arena_send (MaltArena *self,
                 guint32    slot)
{
  g_return_if_fail (slot < MALT_ARENA_SLOTS);

  g_mutex_lock (&self->lock);
  g_assert (self->slots[slot].n_references > 0);
  self->slots[slot].n_sent++;
  g_mutex_unlock (&self->lock);
}

/* Where something that was allocated lies, for the peer. */
guint64
malt_arena_offset (MaltArena     *self,
                   gconstpointer  data)
{
  return (guint64) ((const guint8 *) data - self->base);
}

/* Whether all of these bytes were asked for by one allocation to which this end still has a
 * reference; the caller needs one too, or the answer may be old. */
gboolean
malt_arena_find (MaltArena     *self,
                 gconstpointer  data,
                 gsize          size,
                 guint32       *slot,
                 guint64       *offset)
{
  guintptr distance = (guintptr) data - (guintptr) self->base;
  guint32 low = 0, high;
  gboolean found = FALSE;

  /* Most bytes are not even near. */
  if (distance >= self->size || size > self->size - distance)
    return FALSE;

  g_mutex_lock (&self->lock);

  /* The first run that begins behind. */
  high = self->n_runs;
  while (low < high)
    {
      guint32 middle = low + (high - low) / 2;

      if (self->runs[middle].begin <= distance / self->page_size)
        low = middle + 1;
      else
        high = middle;
    }

  if (low > 0)
    {
      const Run *run = &self->runs[low - 1];
      const Slot *s = &self->slots[run->slot];
      gsize inside = distance - run->begin * self->page_size;

      found = s->n_references > 0 && inside <= s->size && size <= s->size - inside;
      if (found)
        {
          *slot = run->slot;
          *offset = distance;
        }
    }

  g_mutex_unlock (&self->lock);

  return found;
}
