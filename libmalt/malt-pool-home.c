/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-member.h"

/* Blocking on a thread that runs the pool's home, with workers that live there: see
 * malt_pool_core_is_at_home().  It can wait for nobody else, who would need that thread. */

/* Finds one for a thread that cannot wait, as whatever it waited for would need that thread:
 * one that is idle; one that is to be started here; or the least busy, however busy it is. */
MaltPoolMember *
malt_pool_member_find_locked (MaltPoolCore  *core,
                              gboolean      *must_start,
                              GError       **error)
{
  MaltPoolMember *least = NULL, *waits = NULL;
  GList *link;

  *must_start = FALSE;
  for (link = core->members.head; link != NULL; link = link->next)
    {
      MaltPoolMember *member = link->data;

      if (member->state == MALT_POOL_MEMBER_STARTING && !member->start_is_begun)
        waits = member;
      if (member->state == MALT_POOL_MEMBER_READY && malt_worker_takes_calls (member->worker) &&
          (least == NULL || member->n_running < least->n_running))
        least = member;
    }

  if (least != NULL && (least->n_running == 0 || (waits == NULL && core->n_usable >= core->options.max_workers)))
    {
      malt_pool_member_take_locked (least);
      return malt_pool_member_ref (least);
    }

  if (waits == NULL && malt_pool_brake_is_on (&core->brake, g_get_monotonic_time ()))
    {
      if (least == NULL)
        {
          g_propagate_error (error, malt_pool_core_new_brake_error_locked (core));
          return NULL;
        }
      malt_pool_member_take_locked (least);
      return malt_pool_member_ref (least);
    }

  if (waits != NULL || core->n_usable < core->options.max_workers)
    {
      waits = waits != NULL ? malt_pool_member_ref (waits) : malt_pool_member_new_locked (core);
      waits->start_is_begun = TRUE;
      *must_start = TRUE;
      return waits;
    }

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                       "a worker is being started in the main context that this call would block");
  return NULL;
}

/* Stops all of a pool that is closed: what would do that otherwise needs the thread that
 * waits for it. */
gboolean
malt_pool_core_stop_here (MaltPoolCore  *self,
                          GCancellable  *cancellable,
                          GError       **error)
{
  g_autoptr (GPtrArray) workers = g_ptr_array_new_with_free_func (g_object_unref);
  gboolean needs_home;
  GList *link;
  guint i;

  g_mutex_lock (&self->lock);
  needs_home = self->state == MALT_POOL_CLOSING && (self->queue.length > 0 || self->n_running > 0);
  for (link = self->members.head; link != NULL; link = link->next)
    {
      MaltPoolMember *member = link->data;

      if (member->worker != NULL)
        g_ptr_array_add (workers, g_object_ref (member->worker));
      else
        needs_home = TRUE;
    }
  g_mutex_unlock (&self->lock);

  if (needs_home)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                           "the pool's calls and starts need the main context that this wait would block");
      return FALSE;
    }

  for (i = 0; i < workers->len; i++)
    if (malt_worker_stop (g_ptr_array_index (workers, i), -1, -1, cancellable, error) == MALT_STOP_RESULT_FAILED)
      return FALSE;

  return TRUE;
}
