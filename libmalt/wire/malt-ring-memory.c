/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-ring-memory.h"

#include <errno.h>
#include <gio/gio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "malt-limits.h"
#include "malt-sealed-memory.h"

#define PAGE     4096u
#define RELEASED (MALT_ARENA_SLOTS * sizeof (guint32))

static gsize
size_for (guint32 capacity)
{
  G_STATIC_ASSERT (sizeof (MaltRingHead) <= PAGE);

  return PAGE + 2 * RELEASED + 2 * (gsize) capacity;
}

static void
set_errno_error (GError     **error,
                 const char  *what,
                 int          code)
{
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code),
               "could not %s: %s", what, g_strerror (code));
}

/* Maps the memory, which stays when the descriptor is closed.  It has to be there: touching
 * what is behind the end of a file is deadly. */
MaltRingMemory *
malt_ring_memory_map (int      fd,
                      guint32  capacity,
                      GError **error)
{
  MaltRingMemory *self;
  struct stat status;
  gpointer base;

  if (fstat (fd, &status) < 0)
    {
      set_errno_error (error, "look at shared memory", errno);
      return NULL;
    }
  if (status.st_size < 0 || (guint64) status.st_size < size_for (capacity))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "shared memory has %" G_GINT64_FORMAT " bytes instead of %" G_GSIZE_FORMAT,
                   (gint64) status.st_size, size_for (capacity));
      return NULL;
    }

  base = mmap (NULL, size_for (capacity), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (base == MAP_FAILED)
    {
      set_errno_error (error, "map shared memory", errno);
      return NULL;
    }

  self = g_new0 (MaltRingMemory, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->base = base;
  self->size = size_for (capacity);
  self->capacity = capacity;
  self->head = base;
  self->released_down = (gpointer) ((guint8 *) base + PAGE);
  self->released_up = self->released_down + MALT_ARENA_SLOTS;
  self->down = (guint8 *) base + PAGE + 2 * RELEASED;
  self->up = self->down + capacity;

  return self;
}

/* @fd is for the worker, and to be closed then. */
MaltRingMemory *
malt_ring_memory_new (guint32   capacity,
                      int      *fd,
                      GError  **error)
{
  MaltRingMemory *self;

  *fd = malt_sealed_memory_new ("malt-ring", size_for (capacity), TRUE, error);
  if (*fd == -1)
    return NULL;

  self = malt_ring_memory_map (*fd, capacity, error);
  if (self == NULL)
    {
      close (*fd);
      *fd = -1;
    }

  return self;
}

MaltRingMemory *
malt_ring_memory_ref (MaltRingMemory *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
malt_ring_memory_unref (MaltRingMemory *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  munmap (self->base, self->size);
  g_free (self);
}
