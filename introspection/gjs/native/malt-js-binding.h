/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"
#include "malt-js-exchange.h"

/* The functions of JavaScript that the binding is made of.  All on the thread that runs
 * JavaScript.  What returns false or nullptr leaves an exception pending. */

/* A GObject, as it is known here.  It does not keep it: the wrapper of GJS does, through which
 * it is called.  (If it did, the wrapper would be kept by what it keeps itself.) */
struct MaltJsHandle
{
  GWeakRef object;
};

/* A promise, and what goes on for it.  It is settled once, which frees it. */
struct MaltJsPending
{
  explicit MaltJsPending (JSContext *cx)
    : promise (cx), handle (cx)
  {
  }

  JS::PersistentRootedObject  promise;
  JS::PersistentRootedValue   handle;  /* of whom it is awaited from */
  GVariant                 *(*finish) (GObject       *object,
                                       GAsyncResult  *result,
                                       GError       **error) = nullptr;
};

MaltJsPending *malt_js_pending_new    (JSContext               *cx,
                                       JS::HandleValue          handle,
                                       JS::MutableHandleValue   promise);
bool           malt_js_pending_abort  (JSContext               *cx,
                                       MaltJsPending           *self);
void           malt_js_pending_done   (GObject                 *object,
                                       GAsyncResult            *result,
                                       gpointer                 user_data);

/* The context is nullptr before there is one and when it is gone. */
JSContext     *malt_js_get_context    (void);
JSObject      *malt_js_get_hooks      (void);

GObject       *malt_js_handle_ref     (JSContext               *cx,
                                       JS::HandleValue          value);
bool           malt_js_throw          (JSContext               *cx,
                                       GError                  *error);
char          *malt_js_dup_text       (JSContext               *cx,
                                       JS::HandleValue          value,
                                       const char              *what);

bool           malt_js_call           (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_evaluate       (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_post           (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_put            (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_take           (JSContext *cx, unsigned argc, JS::Value *vp);
