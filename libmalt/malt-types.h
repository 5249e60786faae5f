/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include <gio/gio.h>

#include "malt-version-macros.h"

G_BEGIN_DECLS

/**
 * MaltExitKind:
 * @MALT_EXIT_KIND_UNKNOWN: the worker is gone, and nobody can tell how (another
 *   part of the program took its exit status)
 * @MALT_EXIT_KIND_STOPPED: it ended because it was asked to
 * @MALT_EXIT_KIND_EXITED: it ended on its own, with an exit code
 * @MALT_EXIT_KIND_SIGNALLED: a signal ended it
 * @MALT_EXIT_KIND_OUT_OF_MEMORY: memory ran out, and the kernel or its runtime ended it
 * @MALT_EXIT_KIND_LIMIT: it ran into one of its resource limits
 * @MALT_EXIT_KIND_FORBIDDEN_SYSTEM_CALL: it made a system call that its sandbox
 *   forbids
 * @MALT_EXIT_KIND_CONNECTION_LOST: it broke the protocol or its connection, and
 *   was ended for that
 *
 * How a worker ended.
 *
 * Since: 1.0
 */
typedef enum
{
  MALT_EXIT_KIND_UNKNOWN,
  MALT_EXIT_KIND_STOPPED,
  MALT_EXIT_KIND_EXITED,
  MALT_EXIT_KIND_SIGNALLED,
  MALT_EXIT_KIND_OUT_OF_MEMORY,
  MALT_EXIT_KIND_LIMIT,
  MALT_EXIT_KIND_FORBIDDEN_SYSTEM_CALL,
  MALT_EXIT_KIND_CONNECTION_LOST,
} MaltExitKind;

/**
 * MALT_EXIT_CODE_OUT_OF_MEMORY:
 *
 * The code with which a runtime ends the process of a worker that has no memory to go on:
 * then [property@Malt.ExitInfo:kind] is `MALT_EXIT_KIND_OUT_OF_MEMORY`.
 *
 * Since: 1.0
 */
#define MALT_EXIT_CODE_OUT_OF_MEMORY 250

/**
 * MaltOutput:
 * @MALT_OUTPUT_FORWARD: line by line to the same stream of the manager, each line
 *   after `[Worker PID]: ` (in colour on a terminal)
 * @MALT_OUTPUT_PIPE: as a [class@Gio.InputStream] of the worker
 * @MALT_OUTPUT_DISCARD: nowhere; the end of it is still kept for
 *   [class@Malt.ExitInfo]
 * @MALT_OUTPUT_INHERIT: the worker writes to the manager's own stream
 * @MALT_OUTPUT_SIGNAL: to those who listen to [signal@Malt.Worker::output], with the call
 *   whose code has printed it where that is known
 *
 * Where a worker's standard output or standard error goes.
 *
 * Since: 1.0
 */
typedef enum
{
  MALT_OUTPUT_FORWARD,
  MALT_OUTPUT_PIPE,
  MALT_OUTPUT_DISCARD,
  MALT_OUTPUT_INHERIT,
  MALT_OUTPUT_SIGNAL,
} MaltOutput;

/**
 * MaltStopResult:
 * @MALT_STOP_RESULT_FAILED: the worker could not be ended in time (the error says
 *   how far it went), or the wait was cancelled
 * @MALT_STOP_RESULT_WAS_RUNNING: the worker was alive, and is no more
 * @MALT_STOP_RESULT_WAS_DEAD: the worker had already ended
 *
 * What came of [method@Malt.Worker.stop].
 *
 * Since: 1.0
 */
typedef enum
{
  MALT_STOP_RESULT_FAILED,
  MALT_STOP_RESULT_WAS_RUNNING,
  MALT_STOP_RESULT_WAS_DEAD,
} MaltStopResult;

/**
 * MaltRung:
 * @MALT_RUNG_NONE: nothing was tried yet
 * @MALT_RUNG_WITHDRAWN: the request was withdrawn before the worker started it
 * @MALT_RUNG_CANCELLED: the code in the worker gave up when it was asked to
 * @MALT_RUNG_INTERRUPTED: the code in the worker was interrupted
 * @MALT_RUNG_KILLED: the worker was ended (only if the launcher allows it)
 * @MALT_RUNG_ABANDONED: nothing helped; the caller was let go, and the code may
 *   still run in the worker
 *
 * How far up the ladder a deadline or a cancellation had to climb to end a
 * request.
 *
 * Since: 1.0
 */
typedef enum
{
  MALT_RUNG_NONE,
  MALT_RUNG_WITHDRAWN,
  MALT_RUNG_CANCELLED,
  MALT_RUNG_INTERRUPTED,
  MALT_RUNG_KILLED,
  MALT_RUNG_ABANDONED,
} MaltRung;

/**
 * MaltRequestKind:
 * @MALT_REQUEST_KIND_START: the worker is to start
 * @MALT_REQUEST_KIND_CALL: a function is to be called
 * @MALT_REQUEST_KIND_EVAL: source is to be evaluated
 * @MALT_REQUEST_KIND_CHANNEL: source, whose value is a channel, is to be evaluated, and the
 *   channel returned with [method@Malt.Request.return_channel]
 *
 * What a request asks for.
 *
 * Since: 1.0
 */
typedef enum
{
  MALT_REQUEST_KIND_START,
  MALT_REQUEST_KIND_CALL,
  MALT_REQUEST_KIND_EVAL,
  MALT_REQUEST_KIND_CHANNEL,
} MaltRequestKind;

/**
 * MaltRequestFlags:
 * @MALT_REQUEST_FLAGS_NONE: the caller wants the value
 * @MALT_REQUEST_FLAGS_NO_VALUE: the caller wants to know when it is done and
 *   whether it failed, but not the value, which need not be convertible
 * @MALT_REQUEST_FLAGS_NO_REPLY: nobody waits; a failure is logged in the worker
 *
 * What the caller of a request wants back.
 *
 * Since: 1.0
 */
typedef enum /*< flags >*/
{
  MALT_REQUEST_FLAGS_NONE     = 0,
  MALT_REQUEST_FLAGS_NO_VALUE = 1 << 0,
  MALT_REQUEST_FLAGS_NO_REPLY = 1 << 1,
} MaltRequestFlags;

/**
 * MaltModuleKind:
 * @MALT_MODULE_KIND_BACKEND: a kind of worker: it decides where code runs
 * @MALT_MODULE_KIND_RUNTIME: a language: it decides what a request means
 *
 * The two kinds of loadable module.
 *
 * Since: 1.0
 */
typedef enum
{
  MALT_MODULE_KIND_BACKEND,
  MALT_MODULE_KIND_RUNTIME,
} MaltModuleKind;

/**
 * MaltPoolCallFlags:
 * @MALT_POOL_CALL_FLAGS_NONE: nothing special
 * @MALT_POOL_CALL_FLAGS_RETRY: if the worker ends during the call, the call may be made
 *   again in another one, up to [property@Malt.Pool:retries] times: what it does can be done
 *   twice
 * @MALT_POOL_CALL_FLAGS_NO_VALUE: the value stays in the worker and need not be convertible
 * @MALT_POOL_CALL_FLAGS_UNORDERED: of [method@Malt.Pool.map]: outcomes are told as they
 *   come, not in the order of the items
 * @MALT_POOL_CALL_FLAGS_TIME_RUN: the deadline counts from when the call is given to a worker,
 *   and not while it waits for one
 *
 * What is special about a call to a pool.
 *
 * Since: 1.0
 */
typedef enum /*< flags >*/
{
  MALT_POOL_CALL_FLAGS_NONE      = 0,
  MALT_POOL_CALL_FLAGS_RETRY     = 1 << 0,
  MALT_POOL_CALL_FLAGS_NO_VALUE  = 1 << 1,
  MALT_POOL_CALL_FLAGS_UNORDERED = 1 << 2,
  MALT_POOL_CALL_FLAGS_TIME_RUN  = 1 << 3,
} MaltPoolCallFlags;

/**
 * MaltPoolShutdownFlags:
 * @MALT_POOL_SHUTDOWN_FLAGS_NONE: calls that wait or are under way go on to their end
 * @MALT_POOL_SHUTDOWN_FLAGS_DROP_QUEUED: calls that wait for a worker fail with
 *   `G_IO_ERROR_CLOSED`
 * @MALT_POOL_SHUTDOWN_FLAGS_STOP_RUNNING: workers are stopped at once; calls that are under
 *   way fail with `MALT_ERROR_TERMINATED`, and those that wait as with
 *   @MALT_POOL_SHUTDOWN_FLAGS_DROP_QUEUED
 *
 * How a pool is shut down.
 *
 * Since: 1.0
 */
typedef enum /*< flags >*/
{
  MALT_POOL_SHUTDOWN_FLAGS_NONE         = 0,
  MALT_POOL_SHUTDOWN_FLAGS_DROP_QUEUED  = 1 << 0,
  MALT_POOL_SHUTDOWN_FLAGS_STOP_RUNNING = 1 << 1,
} MaltPoolShutdownFlags;

typedef struct _MaltChannel  MaltChannel;
typedef struct _MaltExitInfo MaltExitInfo;
typedef struct _MaltLauncher MaltLauncher;
typedef struct _MaltModule   MaltModule;
typedef struct _MaltPool     MaltPool;
typedef struct _MaltRequest  MaltRequest;
typedef struct _MaltRuntime  MaltRuntime;
typedef struct _MaltWorker   MaltWorker;

G_END_DECLS
