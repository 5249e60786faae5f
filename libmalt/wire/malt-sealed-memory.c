/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-sealed-memory.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of Linux 6.3; the headers may be older than the kernel. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

static void
set_errno_error (GError     **error,
                 const char  *what)
{
  int code = errno;

  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code),
               "could not %s shared memory: %s", what, g_strerror (code));
}

/* Gives a descriptor of new memory that starts as zeroes and can no longer change its size,
 * so that nobody can take pages away from under the other.  @is_filled: its pages are there
 * from the start, so that what is missing is an error here and no fault later; else they
 * come when they are written. */
int
malt_sealed_memory_new (const char  *name,
                        gsize        size,
                        gboolean     is_filled,
                        GError     **error)
{
  int fd;

  g_return_val_if_fail (size > 0 && size <= G_MAXOFFSET, -1);

  fd = memfd_create (name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (fd < 0 && errno == EINVAL)
    fd = memfd_create (name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0)
    {
      set_errno_error (error, "make");
      return -1;
    }

  if ((is_filled ? fallocate (fd, 0, 0, (off_t) size) : ftruncate (fd, (off_t) size)) == 0 &&
      fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
    return fd;

  set_errno_error (error, "prepare");
  close (fd);
  return -1;
}
