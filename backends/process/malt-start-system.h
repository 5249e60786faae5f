/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* System calls of the start helper.
 *
 * Where it is known how, the helper is made without a C library: what that prepares in a
 * new process takes several times as long as all that the helper does.  Elsewhere it is
 * an ordinary program. */

#include <sys/syscall.h>

#ifdef MALT_START_FREESTANDING

#if defined(__x86_64__)

/* Calls run_main() with the stack as the kernel has left it. */
__asm__ (".globl _start\n"
         ".type _start, @function\n"
         "_start:\n"
         "  xor %ebp, %ebp\n"
         "  mov %rsp, %rdi\n"
         "  and $-16, %rsp\n"
         "  call run_main\n"
         "  hlt\n");

static inline long
system_call (long number,
             long a,
             long b,
             long c,
             long d,
             long e)
{
  register long r10 __asm__ ("r10") = d;
  register long r8 __asm__ ("r8") = e;
  long result;

  __asm__ volatile ("syscall"
                    : "=a" (result)
                    : "a" (number), "D" (a), "S" (b), "d" (c), "r" (r10), "r" (r8)
                    : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

__asm__ (".globl _start\n"
         ".type _start, %function\n"
         "_start:\n"
         "  mov x29, xzr\n"
         "  mov x30, xzr\n"
         "  mov x0, sp\n"
         "  bl run_main\n");

static inline long
system_call (long number,
             long a,
             long b,
             long c,
             long d,
             long e)
{
  register long x8 __asm__ ("x8") = number;
  register long x0 __asm__ ("x0") = a;
  register long x1 __asm__ ("x1") = b;
  register long x2 __asm__ ("x2") = c;
  register long x3 __asm__ ("x3") = d;
  register long x4 __asm__ ("x4") = e;

  __asm__ volatile ("svc 0"
                    : "+r" (x0)
                    : "r" (x8), "r" (x1), "r" (x2), "r" (x3), "r" (x4)
                    : "memory", "cc");
  return x0;
}

#else
#error "system calls of this processor are not known"
#endif

static int run (int argc, char **argv, char **environment);

/* The stack is the number of arguments, these and a NULL, and the environment. */
__attribute__ ((noreturn, used))
void run_main (long *stack);

void
run_main (long *stack)
{
  int argc = (int) stack[0];
  char **argv = (char **) (stack + 1);

  run (argc, argv, argv + argc + 1);
  for (;;)
    system_call (SYS_exit_group, 127, 0, 0, 0, 0);
}

#else

#include <errno.h>
#include <unistd.h>

/* The result, or a negative error number, as the kernel has it. */
static inline long
system_call (long number,
             long a,
             long b,
             long c,
             long d,
             long e)
{
  long result = syscall (number, a, b, c, d, e);

  return result < 0 ? -errno : result;
}

static int run (int argc, char **argv, char **environment);

int
main (int    argc,
      char **argv)
{
  return run (argc, argv, environ);
}

#endif
