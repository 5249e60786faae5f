/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The worker side of raw_limits.c: a minimal program answering 64-byte
 * messages on descriptor 3. With -DWITH_GIO it also links and initialises
 * GObject and GIO, to see what that adds to a start. */
#include "raw.h"

#ifdef WITH_GIO
#include <gio/gio.h>
#endif

static uint8_t *array; /* the worker's own bytes, in private memory */
static uint8_t *inbox;
static int array_memfd = -1;

static void
need_array (void)
{
  if (array != NULL)
    return;
  array = malloc (SIZE_50M);
  inbox = malloc (SIZE_50M);
  if (array == NULL || inbox == NULL)
    die ("malloc");
  memset (array, 7, SIZE_50M);
  memset (inbox, 7, SIZE_50M);
}

static int
new_memfd (size_t len, int use_write)
{
  int fd = memfd_create ("peers-raw", MFD_CLOEXEC);

  if (fd < 0)
    die ("memfd_create");
  if (use_write)
    {
      if (!write_all (fd, array, len))
        die ("write memfd");
    }
  else
    {
      uint8_t *p;
      if (ftruncate (fd, (off_t) len) != 0)
        die ("ftruncate");
      p = mmap (NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (p == MAP_FAILED)
        die ("mmap");
      memcpy (p, array, len);
      munmap (p, len);
    }
  return fd;
}

static void
serve_rings (int fd, long spin_ns)
{
  shm_t *s = mmap (NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  msg_t m, r = { 0 };

  if (s == MAP_FAILED)
    die ("mmap");
  need_array ();
  touch_pages (s->data, SIZE_50M);
  for (;;)
    {
      ring_pop (&s->to_worker, &m, spin_ns);
      r.op = m.op;
      r.arg = m.arg + 1;
      r.len = m.len;
      switch (m.op)
        {
        case OP_INC:
          break;
        case OP_INC_QUIET:
          continue;
        case OP_FETCH:
          memcpy (s->data, array, m.len);
          break;
        case OP_ECHO: /* returned bytes are a second copy, as a caller would get */
          memcpy (s->data + m.len, s->data, m.len);
          break;
        case OP_LEN:
          r.arg = m.len;
          break;
        case OP_UNTIL_CLOSED: /* bare ping-pong, arg times */
          for (uint32_t i = 0; i < m.arg; i++)
            {
              while (atomic_load_explicit (&s->ball, memory_order_acquire) != 2 * i + 1)
                ;
              atomic_store_explicit (&s->ball, 2 * i + 2, memory_order_release);
            }
          break;
        default:
          munmap (s, sizeof *s);
          return;
        }
      ring_push (&s->to_manager, &r);
    }
}

static void
serve_batched (int sock)
{
  static msg_t buf[1024];
  size_t have = 0;

  for (;;)
    {
      ssize_t n = read (sock, (char *) buf + have, sizeof buf - have);
      size_t count, out = 0;

      if (n <= 0)
        exit (0);
      have += (size_t) n;
      count = have / sizeof (msg_t);
      for (size_t i = 0; i < count; i++)
        {
          if (buf[i].op == OP_STOP)
            exit (0);
          if (buf[i].op == OP_INC_QUIET)
            continue;
          buf[out] = buf[i];
          buf[out++].arg = buf[i].arg + 1;
        }
      if (out > 0 && !write_all (sock, buf, out * sizeof (msg_t)))
        exit (0);
      memmove (buf, buf + count, have - count * sizeof (msg_t));
      have -= count * sizeof (msg_t);
    }
}

int
main (void)
{
  int sock = WORKER_FD;
  msg_t m;
  int fd;

#ifdef WITH_GIO
  g_type_ensure (G_TYPE_SOCKET_CONNECTION);
  g_type_ensure (G_TYPE_TASK);
  g_type_ensure (G_TYPE_CANCELLABLE);
#endif

  while (recv_fd (sock, &m, &fd))
    {
      switch (m.op)
        {
        case OP_INC:
          m.arg++;
          if (!write_all (sock, &m, sizeof m))
            return 0;
          break;
        case OP_INC_QUIET:
          break;
        case OP_FETCH:
          need_array ();
          if (!write_all (sock, &m, sizeof m) || !write_all (sock, array, m.len))
            return 0;
          break;
        case OP_ECHO:
        case OP_LEN:
          need_array ();
          if (!read_all (sock, inbox, m.len))
            return 0;
          m.arg = m.len;
          if (!write_all (sock, &m, sizeof m))
            return 0;
          if (m.op == OP_ECHO && !write_all (sock, inbox, m.len))
            return 0;
          break;
        case OP_FETCH_MEMFD:
          need_array ();
          if (m.flags == 2)
            {
              if (array_memfd < 0)
                array_memfd = new_memfd (SIZE_50M, 1);
              send_fd (sock, &m, array_memfd);
            }
          else
            {
              fd = new_memfd (m.len, (int) m.flags);
              send_fd (sock, &m, fd);
              close (fd);
            }
          break;
        case OP_ADDRESS:
          need_array ();
          m.arg = (uint64_t) (uintptr_t) array;
          if (!write_all (sock, &m, sizeof m))
            return 0;
          break;
        case OP_SHM:
          serve_rings (fd, (long) m.arg);
          return 0;
        case OP_BATCH:
          serve_batched (sock);
          return 0;
        case OP_FORK:
          {
            pid_t pid = fork ();
            if (pid == 0)
              {
                close (sock);
                sock = fd;
                continue;
              }
            close (fd);
            m.arg = (uint64_t) pid;
            if (!write_all (sock, &m, sizeof m))
              return 0;
            waitpid (pid, NULL, 0); /* one at a time is enough here */
            if (!write_all (sock, &m, sizeof m))
              return 0;
          }
          break;
        default:
          return 0;
        }
      if (m.op == OP_STOP)
        return 0;
    }
  return 0;
}
