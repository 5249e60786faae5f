/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-spin.h"

#include <sched.h>
#include <time.h>

/* As many waits go by, at the most, before it is tried again. */
#define MAX_SKIPPED 255
/* Looks at the clock once in so many rounds. */
#define ROUNDS 32

static gint64
now_nsec (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void
relax (void)
{
#if defined (__x86_64__) || defined (__i386__)
  __builtin_ia32_pause ();
#elif defined (__aarch64__)
  __asm__ volatile ("yield");
#endif
}

/* How many processors this thread may run on. */
guint
malt_spin_count_cpus (void)
{
  cpu_set_t set;

  if (sched_getaffinity (0, sizeof set, &set) == 0)
    return (guint) CPU_COUNT (&set);

  return g_get_num_processors (); /* more of them than fit in the set */
}

/* With one processor the other end could not do anything meanwhile. */
void
malt_spin_init (MaltSpin *self,
                guint     limit_usec)
{
  self->limit = malt_spin_count_cpus () > 1 ? (gint64) limit_usec * 1000 : 0;
  self->n_to_skip = self->n_skipped = 0;
}

/* Waits actively.  Whether the wait is over. */
gboolean
malt_spin_until (MaltSpin     *self,
                 MaltSpinFunc  is_over,
                 gpointer      user_data)
{
  gint64 begin = 0;
  guint i;

  if (self->limit == 0)
    return FALSE;
  if (self->n_to_skip > 0)
    {
      self->n_to_skip--;
      return FALSE;
    }

  for (i = 1; !is_over (user_data); i++)
    {
      relax ();
      if (i % ROUNDS != 0)
        continue;
      if (begin == 0)
        begin = now_nsec ();
      else if (now_nsec () - begin >= self->limit)
        {
          self->n_skipped = MIN (2 * self->n_skipped + 1, MAX_SKIPPED);
          self->n_to_skip = self->n_skipped;
          return FALSE;
        }
    }

  self->n_skipped = 0;
  return TRUE;
}
