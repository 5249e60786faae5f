/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-standard-stream.h"

#include <fcntl.h>

/* Tells whether STDIN_FILENO, STDOUT_FILENO or STDERR_FILENO is what its name says.  In
 * a program that was started without one, anything that it opens can get the number,
 * the connection to a worker for instance; but unlike a standard stream, that is
 * close-on-exec. */
gboolean
malt_standard_stream_exists (int fd)
{
  int flags = fcntl (fd, F_GETFD);

  return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}
