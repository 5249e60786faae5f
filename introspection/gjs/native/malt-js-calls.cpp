/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include <string.h>

#include <js/Array.h>
#include <js/Conversions.h>

#include "malt-gjs-buffer.h"
#include "malt-gjs-text.h"
#include "malt-gjs-to-variant.h"

/* Calls and evaluations, to workers and to pools. */

/* Buffers that are smaller are copied with the message. */
#define MIN_BUFFER 65536

/* What a call or evaluation was told beside what to do. */
struct Limits
{
  int                timeout_msec;
  MaltPoolCallFlags  flags;
  GCancellable      *cancellable; /* (owned) */
};

/* A text that C can have; nullptr with an exception pending. */
char *
malt_js_dup_text (JSContext       *cx,
                  JS::HandleValue  value,
                  const char      *what)
{
  JS::RootedString string (cx);
  MaltGjsFlaw flaw;
  gsize size, where;
  char *text;

  if (!value.isString ())
    {
      malt_js_throw_type_error (cx, "%s has to be a string", what);
      return nullptr;
    }

  string = value.toString ();
  text = malt_gjs_text_to_utf8 (cx, string, &size, &flaw, &where);
  if (text == nullptr && flaw != MALT_GJS_TEXT_SOUND)
    malt_js_throw (cx, g_error_new (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s has %s at %" G_GSIZE_FORMAT, what,
                                    flaw == MALT_GJS_TEXT_NUL ? "a NUL character" : "a lone surrogate", where));
  return text;
}

/* The one that was given, if one was. */
GCancellable *
malt_js_take_cancellable (JS::HandleValue given)
{
  return given.isTrue () ? static_cast<GCancellable *> (static_cast<gpointer> (g_steal_pointer (&malt_js_exchange.object)))
                         : nullptr;
}

int
malt_js_get_int (JS::HandleValue value,
                 int             otherwise)
{
  /* What was computed may be a double that is whole. */
  return value.isNumber () ? static_cast<int> (value.toNumber ()) : otherwise;
}

/* (timeout in milliseconds, flags, whether a cancellable was given) from an argument on. */
static void
get_limits (const JS::CallArgs &args,
            unsigned            first,
            Limits             *limits)
{
  limits->timeout_msec = malt_js_get_int (args.get (first), MALT_TIMEOUT_DEFAULT);
  limits->flags = static_cast<MaltPoolCallFlags> (malt_js_get_int (args.get (first + 1), 0));
  limits->cancellable = malt_js_take_cancellable (args.get (first + 2));
}

/* An array of bytes or numbers that is the only argument is copied to where it is sent from.
 * nullptr if it is none that is worth it. */
static GVariant *
convert_only_buffer (GObject         *object,
                     JS::HandleValue  argument,
                     JSContext       *cx)
{
  JS::RootedObject buffer (cx, &argument.toObject ());
  g_autoptr (GVariant) lent = malt_gjs_buffer_to_variant (buffer, TRUE);
  g_autoptr (GBytes) bytes = nullptr;
  gpointer data;
  GVariant *array;
  gsize size;

  if (lent == nullptr)
    return nullptr;

  g_variant_ref_sink (lent);
  size = g_variant_get_size (lent);
  if (size < MIN_BUFFER)
    return nullptr;

  bytes = malt_worker_new_buffer (MALT_WORKER (object), size, &data);
  memcpy (data, g_variant_get_data (lent), size);
  array = g_variant_new_from_bytes (g_variant_get_type (lent), bytes, TRUE);
  return g_variant_new_tuple (&array, 1);
}

/* The positional arguments, which with the source of a function will be in one tuple more; nullptr
 * with an exception pending. */
static GVariant *
convert_arguments (JSContext                   *cx,
                   GObject                     *object,
                   const JS::HandleValueArray  &arguments,
                   bool                         has_source)
{
  GVariant *value = nullptr;
  GError *error = nullptr;

  if (arguments.length () == 1 && arguments[0].isObject () && malt_gjs_is_buffer (&arguments[0].toObject ()) &&
      MALT_IS_WORKER (object))
    value = convert_only_buffer (object, arguments[0], cx);
  if (value == nullptr)
    value = malt_gjs_arguments_to_variant (cx, arguments, has_source, &error);
  if (value == nullptr && error != nullptr)
    malt_js_throw (cx, error);
  return value;
}

/* The positional arguments, an array of JavaScript's, with the source of a function before them if
 * one is given. */
static GVariant *
convert_list (JSContext       *cx,
              GObject         *object,
              JS::HandleValue  array,
              JS::HandleValue  given_source)
{
  JS::RootedVector<JS::Value> arguments (cx);
  JS::RootedObject list (cx);
  g_autofree char *source = nullptr;
  GVariant *members[2];
  uint32_t n, i;

  if (!given_source.isUndefined ())
    {
      source = malt_js_dup_text (cx, given_source, "the source of the function");
      if (source == nullptr)
        return nullptr;
    }
  if (!array.isObject ())
    return g_variant_new_tuple (nullptr, 0);

  list = &array.toObject ();
  if (!JS::GetArrayLength (cx, list, &n))
    return nullptr;
  if (!arguments.resize (n))
    {
      JS_ReportOutOfMemory (cx);
      return nullptr;
    }
  for (i = 0; i < n; i++)
    if (!JS_GetElement (cx, list, i, arguments[i]))
      return nullptr;

  members[1] = convert_arguments (cx, object, arguments, source != nullptr);
  if (source == nullptr || members[1] == nullptr)
    return members[1];

  members[0] = g_variant_new_string (source);
  return g_variant_new_tuple (members, 2);
}

/* The keyword arguments, an object; nullptr for none, or with an exception pending. */
static GVariant *
convert_keywords (JSContext       *cx,
                  JS::HandleValue  keywords)
{
  GError *error = nullptr;
  GVariant *value;

  if (keywords.isNullOrUndefined ())
    return nullptr;

  value = malt_gjs_keywords_to_variant (cx, keywords, &error);
  if (value == nullptr && error != nullptr)
    malt_js_throw (cx, error);
  if (value == nullptr || g_variant_is_of_type (value, G_VARIANT_TYPE_VARDICT))
    return value;

  malt_js_throw_type_error (cx, "the keywords have to be an object with names, not of the type %s",
                            JS::InformalValueTypeName (keywords));
  g_variant_unref (g_variant_ref_sink (value));
  return nullptr;
}

static GVariant *
finish_worker_call (MaltJsPending  *self,
                    GObject        *object,
                    GAsyncResult   *result,
                    GError        **error)
{
  return malt_worker_remote_call_finish (MALT_WORKER (object), result, error);
}

static GVariant *
finish_pool_call (MaltJsPending  *self,
                  GObject        *object,
                  GAsyncResult   *result,
                  GError        **error)
{
  return malt_pool_remote_call_finish (MALT_POOL (object), result, error);
}

static GVariant *
finish_worker_eval (MaltJsPending  *self,
                    GObject        *object,
                    GAsyncResult   *result,
                    GError        **error)
{
  return malt_worker_remote_eval_finish (MALT_WORKER (object), result, error);
}

static GVariant *
finish_call_exported (MaltJsPending  *self,
                      GObject        *object,
                      GAsyncResult   *result,
                      GError        **error)
{
  return malt_worker_call_exported_finish (MALT_WORKER (object), result, error);
}

static GVariant *
finish_pool_eval (MaltJsPending  *self,
                  GObject        *object,
                  GAsyncResult   *result,
                  GError        **error)
{
  return malt_pool_remote_eval_finish (MALT_POOL (object), result, error);
}

/* Both have the calling functions; false with an exception pending if it is neither. */
static bool
is_worker_or_pool (JSContext *cx,
                   GObject   *object)
{
  return MALT_IS_WORKER (object) || malt_js_check_type (cx, object, MALT_TYPE_POOL);
}

/* False with an exception pending. */
static bool
begin_call (JSContext           *cx,
            GObject             *object,
            const JS::CallArgs  &args,
            MaltJsPending       *pending)
{
  Limits limits;

  /* Before the arguments, whose getters may run anything. */
  get_limits (args, 4, &limits);
  g_autoptr (GCancellable) cancellable = limits.cancellable;
  g_autofree char *function = malt_js_dup_text (cx, args.get (1), "the name of the function");
  g_autoptr (GVariant) arguments = function != nullptr ? convert_list (cx, object, args.get (2), args.get (8))
                                                       : nullptr;
  g_autoptr (GVariant) keywords = arguments != nullptr ? convert_keywords (cx, args.get (3)) : nullptr;

  if (arguments != nullptr)
    g_variant_ref_sink (arguments);
  if (keywords != nullptr)
    g_variant_ref_sink (keywords);

  if (arguments == nullptr || JS_IsExceptionPending (cx) || !is_worker_or_pool (cx, object))
    return false;

  pending->keeps_variant = args.get (7).isTrue ();
  if (args.get (9).isString ())
    pending->place = args[9].toString ();
  if (MALT_IS_WORKER (object))
    {
      pending->finish = finish_worker_call;
      malt_worker_remote_call_async (MALT_WORKER (object), function, arguments, keywords, limits.timeout_msec,
                                     cancellable, malt_js_pending_done, pending);
    }
  else
    {
      pending->finish = finish_pool_call;
      malt_pool_remote_call_async (MALT_POOL (object), function, arguments, keywords, limits.flags, limits.timeout_msec,
                                   cancellable, malt_js_pending_done, pending);
    }
  return true;
}

static bool
begin_eval (JSContext           *cx,
            GObject             *object,
            const JS::CallArgs  &args,
            MaltJsPending       *pending)
{
  g_autofree char *source = malt_js_dup_text (cx, args.get (1), "the source");
  g_autofree char *module = nullptr;
  Limits limits;

  get_limits (args, 3, &limits);
  g_autoptr (GCancellable) cancellable = limits.cancellable;

  if (source != nullptr && !args.get (2).isNullOrUndefined ())
    module = malt_js_dup_text (cx, args[2], "the name of the module");
  if (source == nullptr || JS_IsExceptionPending (cx) || !is_worker_or_pool (cx, object))
    return false;

  pending->keeps_variant = args.get (6).isTrue ();
  if (MALT_IS_WORKER (object))
    {
      pending->finish = finish_worker_eval;
      malt_worker_remote_eval_async (MALT_WORKER (object), module, source, limits.timeout_msec, cancellable,
                                     malt_js_pending_done, pending);
    }
  else
    {
      pending->finish = finish_pool_eval;
      malt_pool_remote_eval_async (MALT_POOL (object), module, source, limits.flags, limits.timeout_msec, cancellable,
                                   malt_js_pending_done, pending);
    }
  return true;
}

/* call(handle, function, arguments, keywords, timeout, flags, has cancellable, keeps variant, source
 * that comes before the arguments or undefined, the stack of where it was begun if that is not
 * here): a promise */
bool
malt_js_call (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_call);
}

/* False with an exception pending. */
static bool
begin_call_exported (JSContext           *cx,
                     GObject             *object,
                     const JS::CallArgs  &args,
                     MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (5));
  g_autofree char *function = malt_js_dup_text (cx, args.get (1), "the name of the function");
  g_autoptr (GVariant) arguments = function != nullptr ? convert_list (cx, nullptr, args.get (2), JS::UndefinedHandleValue)
                                                       : nullptr;
  g_autoptr (GVariant) keywords = arguments != nullptr ? convert_keywords (cx, args.get (3)) : nullptr;

  if (arguments != nullptr)
    g_variant_ref_sink (arguments);
  if (keywords != nullptr)
    g_variant_ref_sink (keywords);
  if (arguments == nullptr || JS_IsExceptionPending (cx) || !malt_js_check_type (cx, object, MALT_TYPE_WORKER))
    return false;

  pending->keeps_variant = args.get (6).isTrue ();
  pending->finish = finish_call_exported;
  malt_worker_call_exported_async (MALT_WORKER (object), function, arguments, keywords, args.get (4).isTrue (),
                                   cancellable, malt_js_pending_done, pending);
  return true;
}

/* callExported(handle, function, arguments, keywords, stalls, has cancellable, keeps variant): a
 * promise */
bool
malt_js_call_exported (JSContext *cx,
                       unsigned   argc,
                       JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_call_exported);
}

/* The same of what a worker's own method is given, (function, …arguments). */
static bool
begin_worker_call (JSContext           *cx,
                   GObject             *object,
                   const JS::CallArgs  &args,
                   MaltJsPending       *pending)
{
  g_autofree char *function = malt_js_dup_text (cx, args.get (0), "the name of the function");
  g_autoptr (GVariant) arguments = nullptr;

  if (function == nullptr || !malt_js_check_type (cx, object, MALT_TYPE_WORKER))
    return false;

  if (args.length () > 1)
    {
      arguments = convert_arguments (cx, object, JS::HandleValueArray::subarray (args, 1, args.length () - 1),
                                     false);
      if (arguments == nullptr)
        return false;
      g_variant_ref_sink (arguments);
    }

  pending->finish = finish_worker_call;
  malt_worker_remote_call_async (MALT_WORKER (object), function, arguments, nullptr, MALT_TIMEOUT_DEFAULT, nullptr,
                                 malt_js_pending_done, pending);
  return true;
}

/* call(function, …arguments), a method of workers: a promise.  What is no name of a function the
 * other half looks after. */
bool
malt_js_worker_call (JSContext *cx,
                     unsigned   argc,
                     JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);

  if (!args.get (0).isString ())
    return malt_js_call_hook (cx, args, "callWorker");

  return malt_js_begin_method (cx, args, begin_worker_call);
}

/* evaluate(handle, source, module, timeout, flags, has cancellable, keeps variant): a promise */
bool
malt_js_evaluate (JSContext *cx,
                  unsigned   argc,
                  JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_eval);
}

/* post(handle, function, arguments, keywords, source that comes before the arguments or undefined):
 * nobody hears what comes of it */
bool
malt_js_post (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  g_autoptr (GObject) object = malt_js_handle_ref (cx, args.get (0));
  g_autofree char *function = object != nullptr ? malt_js_dup_text (cx, args.get (1), "the name of the function") : nullptr;
  g_autoptr (GVariant) arguments = function != nullptr ? convert_list (cx, object, args.get (2), args.get (4))
                                                       : nullptr;
  g_autoptr (GVariant) keywords = arguments != nullptr ? convert_keywords (cx, args.get (3)) : nullptr;
  GError *error = nullptr;

  if (arguments != nullptr)
    g_variant_ref_sink (arguments);
  if (keywords != nullptr)
    g_variant_ref_sink (keywords);
  if (arguments == nullptr || JS_IsExceptionPending (cx) || !is_worker_or_pool (cx, object))
    return false;

  if (MALT_IS_WORKER (object))
    malt_worker_remote_do (MALT_WORKER (object), function, arguments, keywords, &error);
  else
    malt_pool_remote_do (MALT_POOL (object), function, arguments, keywords, &error);

  args.rval ().setUndefined ();
  return error == nullptr || malt_js_throw (cx, error);
}

/* toTuple(array): the arguments of a call, as a variant that is there to be taken */
bool
malt_js_to_tuple (JSContext *cx,
                  unsigned   argc,
                  JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  GVariant *tuple = convert_list (cx, nullptr, args.get (0), JS::UndefinedHandleValue);

  if (tuple == nullptr)
    return false;

  malt_js_give_variant (tuple);
  args.rval ().setUndefined ();
  return true;
}
