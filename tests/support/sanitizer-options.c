/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the sanitizers behave in every program of a sanitized build, the workers included,
 * whose environment is their own.  Linked into each by tools/check. */

#include <stddef.h>
#include <sys/types.h>

const char *__asan_default_options (void);
const char *__lsan_default_options (void);
const char *__lsan_default_suppressions (void);
const char *__tsan_default_options (void);
const char *__tsan_default_suppressions (void);
const char *__ubsan_default_options (void);

/* Tests crash workers on purpose, and look at the signal. */
const char *
__asan_default_options (void)
{
  return "detect_leaks=1:handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigill=0:"
         "handle_sigfpe=0:detect_stack_use_after_return=0:allocator_may_return_null=1";
}

const char *
__lsan_default_options (void)
{
  return "print_suppressions=0:report_objects=1";
}

/* CPython frees only a part of what it has at its end, and some modules of its library
 * nothing; nothing of ours is listed. */
#define SUPPRESSIONS \
  "leak:libpython3.\n" \
  "leak:_ctypes.cpython\n" \
  "leak:libcrypto.so.\n" /* of Python's hashes */

/* In a program that is no worker SpiderMonkey stays to the end, and what only its heap refers
 * to looks lost.  In a worker it has gone by then, and nothing is left that has to be listed:
 * there what is ours is found, too, when JavaScript has called it. */
#define GJS_SUPPRESSIONS \
  "leak:libmozjs-\n" \
  "leak:libgjs.so.\n"

/* The helper that starts workers has no C library. */
extern ssize_t readlink (const char *path, char *target, size_t size) __attribute__ ((weak));

static int
is_worker (void)
{
  static const char name[] = "/malt-worker";
  static char path[4096];
  ssize_t n = readlink != NULL ? readlink ("/proc/self/exe", path, sizeof path) : -1;
  ssize_t i;

  for (i = 1; i < (ssize_t) sizeof name; i++)
    if (i > n || path[n - i] != name[(ssize_t) sizeof name - 1 - i])
      return 0;

  return 1;
}

const char *
__lsan_default_suppressions (void)
{
  return is_worker () ? SUPPRESSIONS : SUPPRESSIONS GJS_SUPPRESSIONS;
}

/* A program waits a second at its end, in case that another thread of it has yet to do
 * something wrong.  Tests end hundreds of workers, and let their threads do what they are
 * looked at for before. */
const char *
__tsan_default_options (void)
{
  return "halt_on_error=0:exitcode=66:second_deadlock_stack=1:handle_segv=0:handle_abort=0:"
         "handle_sigbus=0:handle_sigill=0:handle_sigfpe=0:allocator_may_return_null=1:"
         "die_after_fork=0:atexit_sleep_ms=20";
}

/* The memory of an ended thread's variables is freed by the C library when another thread
 * ends, under a lock of its own; nothing of ours is listed. */
const char *
__tsan_default_suppressions (void)
{
  return "race:_dl_deallocate_tls\n";
}

const char *
__ubsan_default_options (void)
{
  return "print_stacktrace=1:halt_on_error=1:handle_segv=0";
}
