/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the sanitizers behave in every program of a sanitized build, the workers included,
 * whose environment is their own.  Linked into each by tools/check. */

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
const char *
__lsan_default_suppressions (void)
{
  return "leak:libpython3.\n"
         "leak:_ctypes.cpython\n"
         "leak:libcrypto.so.\n"; /* of Python's hashes */
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
