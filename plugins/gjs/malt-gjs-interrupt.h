/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

#include <js/Interrupt.h>

void     malt_gjs_interrupt_begin      (MaltGjsEngine *engine);
void     malt_gjs_interrupt_end        (MaltGjsEngine *engine);
void     malt_gjs_interrupt_settle     (MaltGjsEngine *engine);
void     malt_gjs_interrupt_lost       (MaltGjsEngine *engine);
gboolean malt_gjs_interrupt_is_nested  (MaltGjsEngine *engine);
void     malt_gjs_interrupt_leave_loop (MaltGjsEngine *engine);

gboolean malt_gjs_run_enter            (MaltGjsRun    *run);
void     malt_gjs_run_answered         (MaltGjsRun    *run);
void     malt_gjs_run_interrupt_rest   (MaltGjsRun    *run);
gboolean malt_gjs_run_leave            (MaltGjsRun    *run);

void     malt_gjs_set_waiting          (MaltGjsEngine *engine,
                                        GCancellable  *waiting);

void     malt_gjs_interrupt_close      (MaltGjs       *gjs);
void     malt_gjs_interrupt            (MaltGjs       *gjs,
                                        MaltRequest   *request);
void     malt_gjs_cancel               (MaltGjs       *gjs,
                                        MaltRequest   *request);

/* Calls @function, which blocks until its cancellable is cancelled, as an interrupt does.
 * FALSE with an exception, if there was one.  On the engine's thread. */
template <typename F>
static bool
malt_gjs_wait (MaltGjsEngine *engine,
               F              function)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  bool is_let;

  malt_gjs_set_waiting (engine, cancellable);
  is_let = JS_CheckForInterrupt (engine->cx);
  if (is_let)
    function (cancellable);
  malt_gjs_set_waiting (engine, NULL);

  return is_let && JS_CheckForInterrupt (engine->cx);
}
