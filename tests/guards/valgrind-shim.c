/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Loaded before the libraries of a program that runs under a valgrind that does not know
 * pidfd_open(): a descriptor that never becomes readable stands in for that of a process,
 * whose end is then not noticed. */

#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

int  pidfd_open (pid_t pid, unsigned int flags);
int  waitid     (idtype_t type, id_t id, siginfo_t *info, int options);
long syscall    (long number, ...);

int
pidfd_open (pid_t        pid,
            unsigned int flags)
{
  return eventfd (0, EFD_CLOEXEC);
}

/* Nothing has ended. */
int
waitid (idtype_t   type,
        id_t       id,
        siginfo_t *info,
        int        options)
{
  static int (* next) (idtype_t, id_t, siginfo_t *, int);

  if (type == P_PIDFD)
    {
      memset (info, 0, sizeof *info);
      return 0;
    }

  if (next == NULL)
    *(void **) &next = dlsym (RTLD_NEXT, "waitid");
  return next (type, id, info, options);
}

long
syscall (long number,
         ...)
{
  static long (* next) (long, ...);
  long arguments[6];
  va_list list;
  int i;

  if (number == SYS_pidfd_open)
    return eventfd (0, EFD_CLOEXEC);

  va_start (list, number);
  for (i = 0; i < 6; i++)
    arguments[i] = va_arg (list, long);
  va_end (list);

  if (next == NULL)
    *(void **) &next = dlsym (RTLD_NEXT, "syscall");
  return next (number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
