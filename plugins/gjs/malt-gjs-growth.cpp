/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-growth.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <js/Interrupt.h>

/* Memory of which SpiderMonkey keeps no count yet.
 *
 * It counts what a value has beside the heap once the value has grown out of the nursery.  Code
 * that only makes one array longer creates nothing else, so that neither happens, nor a
 * collection, before the array is as long as arrays can be.
 *
 * Therefore the size of the process is looked at while code computes: each time that the
 * thread has used so much of the processor it is asked to look, as for an interrupt.  While it
 * sleeps nothing wakes it. */

#define PERIOD_NSEC (20 * 1000 * 1000)

struct _MaltGjsGrowth
{
  MaltGjsEngine *engine;   /* not owned; %NULL when it ends; guarded by lock */
  gboolean       has_timer;
  timer_t        timer;
  gint           is_due;   /* atomic: it is to be looked at */
  guint64        seen;     /* bytes of the process at the last collection, or less */
};

/* A timer that has expired may still be on its way when it is deleted: so this stays, and so
 * does the struct, of which a process has one. */
static GMutex lock;

/* On a thread of the C library's. */
static void
expired_cb (union sigval value)
{
  MaltGjsGrowth *self = (MaltGjsGrowth *) value.sival_ptr;

  g_atomic_int_set (&self->is_due, TRUE);
  g_mutex_lock (&lock);
  if (self->engine != NULL)
    JS_RequestInterruptCallbackCanWait (self->engine->cx);
  g_mutex_unlock (&lock);
}

/* What is the process's own of memory; 0 if the system does not say. */
static guint64
get_size (void)
{
  int fd = open ("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  char text[256];
  gssize n = fd >= 0 ? read (fd, text, sizeof text - 1) : -1;
  unsigned long resident = 0;

  if (fd >= 0)
    close (fd);
  if (n <= 0)
    return 0;

  text[n] = '\0';
  return sscanf (text, "%*u %lu", &resident) == 1 ? (guint64) resident * (guint64) sysconf (_SC_PAGESIZE) : 0;
}

/* On the engine's thread. */
MaltGjsGrowth *
malt_gjs_growth_new (MaltGjsEngine *engine)
{
  static MaltGjsGrowth growth;
  MaltGjsGrowth *self = &growth;
  struct sigevent event = {};
  struct itimerspec period = {};
  clockid_t clock;

  self->engine = engine;
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = expired_cb;
  event.sigev_value.sival_ptr = self;
  period.it_interval.tv_nsec = period.it_value.tv_nsec = PERIOD_NSEC;

  malt_gjs_growth_settle (self);
  self->has_timer = pthread_getcpuclockid (pthread_self (), &clock) == 0 &&
                    timer_create (clock, &event, &self->timer) == 0;
  if (self->has_timer)
    timer_settime (self->timer, 0, &period, NULL);

  return self;
}

void
malt_gjs_growth_free (MaltGjsGrowth *self)
{
  if (self->has_timer)
    timer_delete (self->timer);

  g_mutex_lock (&lock);
  self->engine = NULL;
  g_mutex_unlock (&lock);
}

/* Whether the process has grown by so @much since the last collection.  On the engine's
 * thread. */
gboolean
malt_gjs_growth_look (MaltGjsGrowth *self,
                      guint64        much)
{
  guint64 size;

  if (!g_atomic_int_compare_and_exchange (&self->is_due, TRUE, FALSE))
    return FALSE;

  size = get_size ();
  self->seen = MIN (self->seen, size);
  return size - self->seen > much;
}

/* There was a collection. */
void
malt_gjs_growth_settle (MaltGjsGrowth *self)
{
  self->seen = get_size ();
}
