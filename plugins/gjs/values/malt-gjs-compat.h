/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"

#include <js/ArrayBuffer.h>
#include <js/CompilationAndEvaluation.h>
#include <js/WeakMap.h>

/* What is not the same in all versions of SpiderMonkey, from 102 on. */

/* Takes @contents, which JS_malloc() has made, also where it fails. */
static inline JSObject *
malt_gjs_new_array_buffer (JSContext *cx,
                           gsize      size,
                           void      *contents)
{
#if MOZJS_MAJOR_VERSION >= 115
  return JS::NewArrayBufferWithContents (cx, size, mozilla::UniquePtr<void, JS::FreePolicy> (contents));
#else
  JSObject *buffer = JS::NewArrayBufferWithContents (cx, size, contents);

  if (buffer == nullptr)
    JS_free (cx, contents);
  return buffer;
#endif
}

/* Runs a script with an object in front of the global one. */
static inline bool
malt_gjs_execute_in (JSContext              *cx,
                     JS::HandleObject        scope,
                     JS::HandleScript        script,
                     JS::MutableHandleValue  value)
{
#if MOZJS_MAJOR_VERSION >= 140
  JS::EnvironmentChain chain (cx, JS::SupportUnscopables::No);
#else
  JS::RootedObjectVector chain (cx);
#endif

  if (!chain.append (scope))
    {
      JS_ReportOutOfMemory (cx);
      return false;
    }

  return JS_ExecuteScript (cx, chain, script, value);
}

/* What a WeakMap has for an object. */
static inline bool
malt_gjs_get_weak_map_entry (JSContext              *cx,
                             JS::HandleObject        map,
                             JS::HandleValue         object,
                             JS::MutableHandleValue  value)
{
#if MOZJS_MAJOR_VERSION >= 128
  return JS::GetWeakMapEntry (cx, map, object, value);
#else
  JS::RootedObject key (cx, &object.toObject ());

  return JS::GetWeakMapEntry (cx, map, key, value);
#endif
}

/* The two orders of its arguments. */

template <typename Context>
static inline auto
malt_gjs_describe_caller (Context          *cx,
                          JS::AutoFilename *file,
                          uint32_t         *line,
                          int               first) -> decltype (JS::DescribeScriptedCaller (file, cx, line))
{
  return JS::DescribeScriptedCaller (file, cx, line);
}

template <typename Context>
static inline auto
malt_gjs_describe_caller (Context          *cx,
                          JS::AutoFilename *file,
                          uint32_t         *line,
                          long              second) -> decltype (JS::DescribeScriptedCaller (cx, file, line))
{
  return JS::DescribeScriptedCaller (cx, file, line);
}

/* The file and line from which JavaScript has called; nullptr if it has not. */
static inline char *
malt_gjs_dup_caller (JSContext *cx,
                     uint32_t  *line)
{
  JS::AutoFilename file;

  return malt_gjs_describe_caller (cx, &file, line, 0) ? g_strdup (file.get ()) : nullptr;
}
