/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-service-private.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "malt-error.h"
#include "wire/malt-deadline.h"
#include "wire/malt-limits.h"

/* How code that runs in a worker waits for what comes on the data road: any thread of the
 * process may, the serving thread within a request or a callback of its loop too.
 *
 * Whoever waits sees to it that the road is read.  If nobody reads he does so himself, in
 * the reader's role; else the reader, whoever that is, tells him.  What is waited for is a
 * word that becomes TRUE; whoever sets it then calls malt_service_wake().
 *
 * A wait of the serving thread within a callback of its loop comes while the runtime waits
 * for data on the service's behalf.  That wait is over then: it gives up the role, and when
 * the callback returns it finds its turn set. */

/* Process-wide, as there is one manager; set once, before there is any other thread. */
static MaltService *service;

/* The service of this process, or %NULL if it is no worker, or not yet. */
MaltService *
malt_service_get (void)
{
  return service;
}

void
malt_service_set (MaltService *self)
{
  service = self;
}

static void
wake_locked (MaltService       *self,
             MaltServiceWaiter *waiter)
{
  guint64 one = 1;

  if (!waiter->is_asleep)
    g_cond_signal (&waiter->cond);
  else if (write (self->wake_fd, &one, sizeof one) < 0)
    g_assert (errno == EAGAIN || errno == EINTR);
}

/* What @done points to is TRUE now.  On any thread. */
void
malt_service_wake (MaltService *self,
                   const gint  *done)
{
  GList *link;

  if (g_atomic_int_get (&self->n_waiters) == 0)
    return;

  g_mutex_lock (&self->lock);
  for (link = self->waiters.head; link != NULL; link = link->next)
    {
      MaltServiceWaiter *waiter = link->data;

      if (waiter->done == done)
        wake_locked (self, waiter);
    }
  g_mutex_unlock (&self->lock);
}

/* Nothing more comes on the data road, for nobody. */
void
malt_service_end_waits (MaltService *self)
{
  GList *link;

  g_mutex_lock (&self->lock);
  g_atomic_int_set (&self->ended, TRUE);
  for (link = self->waiters.head; link != NULL; link = link->next)
    wake_locked (self, link->data);
  if (self->awaits_turn)
    malt_service_set_turn (self);
  g_mutex_unlock (&self->lock);
}

/* Ends the wait of the runtime that the serving thread is in. */
static void
leave_runtime (MaltService *self)
{
  if (self->is_idle)
    {
      self->is_idle = FALSE;
      malt_transport_disarm (self->data, TRUE);
      malt_service_give_role (self);
    }

  g_mutex_lock (&self->lock);
  if (self->awaits_turn)
    {
      self->awaits_turn = FALSE;
      g_atomic_int_add (&self->n_waiters, -1);
    }
  if (self->is_in_wait)
    malt_service_set_turn (self);
  g_mutex_unlock (&self->lock);
}

static gboolean
is_over (MaltService       *self,
         MaltServiceWaiter *waiter)
{
  return g_atomic_int_get (waiter->done) || g_atomic_int_get (&self->ended) ||
         g_atomic_int_get (&waiter->cancelled);
}

/* Sleeps until there is something to read, the waiter is woken, or its time has passed.
 * With the role. */
static void
sleep_for_data (MaltService       *self,
                MaltServiceWaiter *waiter,
                gint64             deadline)
{
  struct pollfd fds[2] = {
    { .fd = self->data->fd, .events = POLLIN },
    { .fd = self->wake_fd, .events = POLLIN },
  };
  gboolean has_to_wait;
  guint64 count;

  if (malt_transport_arm (self->data))
    return;

  g_mutex_lock (&self->lock);
  has_to_wait = waiter->is_asleep = !is_over (self, waiter);
  g_mutex_unlock (&self->lock);

  if (has_to_wait)
    {
      poll (fds, G_N_ELEMENTS (fds), malt_deadline_time_left (deadline));

      g_mutex_lock (&self->lock);
      waiter->is_asleep = FALSE;
      g_mutex_unlock (&self->lock);
      if (fds[1].revents != 0 && read (self->wake_fd, &count, sizeof count) < 0)
        g_assert (errno == EAGAIN || errno == EINTR);
    }
  malt_transport_disarm (self->data, fds[0].revents != 0);
}

/* Reads, in the role, which is given back, until the wait is over, or @may_sleep is FALSE
 * and it is time to.  What has come with the end of the wait is taken along, so that one
 * who waits for many things finds them there. */
static void
read_for_waiter (MaltService       *self,
                 MaltServiceWaiter *waiter,
                 gint64             deadline,
                 gboolean           may_sleep)
{
  guint n;

  for (n = 0; !is_over (self, waiter) || (n < MALT_LIMIT_DISPATCH_FRAMES && malt_frame_reader_has_more (self->reader)); n++)
    {
      g_autoptr (GBytes) body = NULL;
      MaltRequest *request;
      gconstpointer data;
      MaltFrame frame;

      switch (malt_service_read_frame (self, &frame, &data, &body))
        {
        case MALT_IO_DONE:
          request = malt_service_take_frame (self, &frame, data, body);
          if (request != NULL)
            malt_service_queue_request (self, request);
          break;
        case MALT_IO_CLOSED:
          malt_service_end_waits (self);
          break;
        case MALT_IO_AGAIN:
        case MALT_IO_FAILED:
        default:
          if (!is_over (self, waiter) && malt_transport_spin (self->data))
            break;
          if (is_over (self, waiter) || !may_sleep || malt_deadline_time_left (deadline) == 0)
            goto out;
          sleep_for_data (self, waiter, deadline);
        }
    }

out:
  malt_service_give_role (self);
}

typedef struct
{
  MaltService       *service;
  MaltServiceWaiter *waiter;
} Cancelling;

/* On any thread. */
static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  Cancelling *cancelling = user_data;

  g_mutex_lock (&cancelling->service->lock);
  g_atomic_int_set (&cancelling->waiter->cancelled, TRUE);
  wake_locked (cancelling->service, cancelling->waiter);
  g_mutex_unlock (&cancelling->service->lock);
}

/* Waits once, or only looks awake for what comes soon.  FALSE if the time has passed. */
static gboolean
wait_some (MaltService       *self,
           MaltServiceWaiter *waiter,
           gint64             deadline,
           gboolean           may_sleep)
{
  gboolean in_time = TRUE;

  if (malt_service_take_role (self))
    {
      read_for_waiter (self, waiter, deadline, may_sleep);
      return deadline < 0 || malt_deadline_time_left (deadline) > 0;
    }

  g_mutex_lock (&self->lock);
  if (may_sleep && g_atomic_int_get (&self->reading) && !is_over (self, waiter))
    {
      if (deadline < 0)
        g_cond_wait (&waiter->cond, &self->lock);
      else
        in_time = g_cond_wait_until (&waiter->cond, &self->lock, deadline);
    }
  g_mutex_unlock (&self->lock);

  return in_time;
}

/* Blocks until what @done points to is TRUE, reading the data road meanwhile; requests that
 * come start later.  @deadline is a monotonic time, or -1.
 *
 * Fails with G_IO_ERROR_CANCELLED, with MALT_ERROR_TIMEOUT once the deadline has passed, or
 * with MALT_ERROR_TERMINATED when the worker is to stop.  A wait that was interrupted is
 * one that was cancelled: it is for the runtime to cancel what its code waits with.
 *
 * On any thread, without locks; in Python without the GIL. */
gboolean
malt_service_wait (MaltService   *self,
                   const gint    *done,
                   gint64         deadline,
                   GCancellable  *cancellable,
                   GError       **error)
{
  MaltServiceWaiter waiter = { .done = done };
  Cancelling cancelling = { self, &waiter };
  GList link = { .data = &waiter };
  gboolean in_time = TRUE;
  gulong handler = 0;

  if (g_thread_self () == self->serving_thread)
    leave_runtime (self);

  g_cond_init (&waiter.cond);
  g_mutex_lock (&self->lock);
  g_queue_push_tail_link (&self->waiters, &link);
  g_atomic_int_inc (&self->n_waiters);
  g_mutex_unlock (&self->lock);

  /* Mostly it is there soon, and nobody cancels so soon. */
  if (!is_over (self, &waiter))
    wait_some (self, &waiter, deadline, FALSE);
  if (cancellable != NULL && !is_over (self, &waiter))
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), &cancelling, NULL);
  while (in_time && !is_over (self, &waiter))
    in_time = wait_some (self, &waiter, deadline, TRUE);

  g_mutex_lock (&self->lock);
  g_queue_unlink (&self->waiters, &link);
  g_atomic_int_add (&self->n_waiters, -1);
  /* The role may have been offered to this waiter just as it left. */
  malt_service_offer_role_locked (self);
  g_mutex_unlock (&self->lock);
  if (handler != 0)
    g_cancellable_disconnect (cancellable, handler);
  g_cond_clear (&waiter.cond);

  if (g_atomic_int_get (done))
    return TRUE;

  if (waiter.cancelled)
    g_cancellable_set_error_if_cancelled (cancellable, error);
  else if (g_atomic_int_get (&self->ended))
    g_set_error_literal (error, MALT_ERROR, MALT_ERROR_TERMINATED, "the worker is to stop");
  else
    g_set_error_literal (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "the time has passed");

  return FALSE;
}
