/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"
#include "malt-js-exchange.h"

/* The functions of JavaScript that the binding is made of.  All on the thread that runs
 * JavaScript.  What returns false or nullptr leaves an exception pending. */

/* Of sources that come before all others; GJS's own for what waits for promises is -1000. */
#define MALT_JS_PRIORITY (-2000)

/* A GObject, as it is known here.  It does not keep it: the wrapper of GJS does, through which
 * it is called.  (If it did, the wrapper would be kept by what it keeps itself.) */
struct MaltJsHandle
{
  GWeakRef object;
};

/* A promise, and what goes on for it.  It is settled once, which frees it.  Where there was no memory
 * for a promise, nobody waits for what goes on. */
struct MaltJsPending
{
  explicit MaltJsPending (JSContext *cx)
    : promise (cx), handle (cx), place (cx)
  {
  }

  ~MaltJsPending ()
  {
    g_clear_object (&object);
    g_free (file);
  }

  JS::PersistentRootedObject  promise;
  JS::PersistentRootedValue   handle;   /* of whom it is awaited from */

  /* Where it was begun, unless the promise knows: a stack, or a line. */
  JS::PersistentRootedString  place;
  char                       *file = nullptr; /* (owned) */
  uint32_t                    line = 0;

  /* What comes of it: a value that is returned, or one of these that is set, or nothing. */
  GVariant                 *(*finish) (MaltJsPending  *self,
                                       GObject        *source,
                                       GAsyncResult   *result,
                                       GError        **error) = nullptr;
  GObject                    *object = nullptr; /* (owned) */
  int                         number = -1;

  bool                        keeps_variant = false; /* the value stays one */
};

/* Begins something with the object whose handle is the first argument.  False with an exception
 * pending, which becomes the promise's. */
typedef bool (* MaltJsBegin) (JSContext           *cx,
                              GObject             *object,
                              const JS::CallArgs  &args,
                              MaltJsPending       *pending);

bool           malt_js_begin          (JSContext               *cx,
                                       unsigned                 argc,
                                       JS::Value               *vp,
                                       MaltJsBegin              function);
bool           malt_js_begin_method   (JSContext               *cx,
                                       const JS::CallArgs      &args,
                                       MaltJsBegin              function);
void           malt_js_pending_done   (GObject                 *source,
                                       GAsyncResult            *result,
                                       gpointer                 user_data);

void           malt_js_run_jobs       (JSContext               *cx);

/* While there is one, one of our promises is settled.  Its end has what waits for that go on at
 * once. */
class MaltJsJobs
{
public:
  explicit MaltJsJobs (JSContext *context);
  ~MaltJsJobs ();

private:
  JSContext *cx;
  bool       has_begun; /* our own queue is used, and was not before */
};

void           malt_js_open_jobs      (JSContext               *cx);
void           malt_js_close_jobs     (void);

/* The context is nullptr before there is one and when it is gone. */
JSContext     *malt_js_get_context    (void);
JSObject      *malt_js_get_hooks      (void);
bool           malt_js_call_hook      (JSContext               *cx,
                                       const JS::CallArgs      &args,
                                       const char              *name);
bool           malt_js_has_whole_stacks (void);
bool           malt_js_get_handle     (JSContext               *cx,
                                       JS::HandleValue          object,
                                       JS::MutableHandleValue   handle);
bool           malt_js_is_thread      (void);
void           malt_js_finish_sweeping (void);

GObject       *malt_js_handle_ref     (JSContext               *cx,
                                       JS::HandleValue          value);
bool           malt_js_check_type     (JSContext               *cx,
                                       GObject                 *object,
                                       GType                    type);
bool           malt_js_throw          (JSContext               *cx,
                                       GError                  *error);
bool           malt_js_throw_type_error (JSContext             *cx,
                                         const char            *format,
                                         ...) G_GNUC_PRINTF (2, 3);
void           malt_js_log_exception  (JSContext               *cx);
GCancellable  *malt_js_take_cancellable (JS::HandleValue        given);
int            malt_js_get_int        (JS::HandleValue          value,
                                       int                      otherwise);
char          *malt_js_dup_text       (JSContext               *cx,
                                       JS::HandleValue          value,
                                       const char              *what);

bool           malt_js_call           (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_call_exported  (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_worker_call    (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_evaluate       (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_post           (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_to_tuple       (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_export         (JSContext *cx, unsigned argc, JS::Value *vp);
bool           malt_js_watch_collector (JSContext *cx, unsigned argc, JS::Value *vp);

extern const JSFunctionSpec malt_js_lifecycle_functions[];
