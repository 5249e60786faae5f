/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the raw manager and the raw worker share: the 64-byte message, the
 * shared-memory rings with a configurable spin before blocking, and passing
 * a file descriptor over a socket. */
#ifndef PEERS_RAW_H
#define PEERS_RAW_H

#include "bench.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define WORKER_FD 3

enum
{
  OP_INC = 1,      /* reply arg + 1 */
  OP_INC_QUIET,    /* the same, no reply */
  OP_FETCH,        /* reply, then len bytes of the worker's own array */
  OP_ECHO,         /* len bytes follow; reply, then the same bytes */
  OP_LEN,          /* len bytes follow; reply their number */
  OP_STOP,         /* exit */
  OP_BATCH,        /* from now on read and answer many messages at a time */
  OP_FETCH_MEMFD,  /* reply with a descriptor: flags 0 new memfd filled through
                      a mapping, 1 new memfd filled with write(), 2 the array's
                      own memfd (no copy) */
  OP_ADDRESS,      /* reply the address of the worker's array */
  OP_SHM,          /* a descriptor follows: serve its rings; arg = spin in ns */
  OP_FORK,         /* zygote: a socket follows; fork a worker serving it */
  OP_UNTIL_CLOSED, /* nothing */
};

typedef struct
{
  uint32_t op;
  uint32_t flags;
  uint64_t arg;
  uint64_t len;
  uint8_t pad[40];
} msg_t;

_Static_assert (sizeof (msg_t) == 64, "one cache line");

#define RING_SLOTS 4096u

typedef struct
{
  _Alignas(64) _Atomic uint32_t head; /* written by the producer */
  _Alignas(64) _Atomic uint32_t tail; /* written by the consumer */
  _Alignas(64) _Atomic uint32_t asleep; /* 1: the consumer (nearly) waits on it */
  _Alignas(64) msg_t slot[RING_SLOTS];
} ring_t;

typedef struct
{
  _Alignas(64) _Atomic uint32_t ball; /* bare ping-pong */
  _Alignas(4096) ring_t to_worker;
  _Alignas(4096) ring_t to_manager;
  _Alignas(4096) uint8_t data[SIZE_50M];
} shm_t;

#define SPIN_FOREVER (-1L)

static inline void
relax (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#endif
}

static inline long
futex_op (_Atomic uint32_t *a, int op, uint32_t v)
{
  return syscall (SYS_futex, (uint32_t *) a, op, v, NULL, NULL, 0);
}

/* Waits until *a differs from OLD. */
static inline void
wait_change (_Atomic uint32_t *a, uint32_t old, _Atomic uint32_t *asleep, long spin_ns)
{
  double end = 0;

  for (unsigned i = 0; spin_ns != 0; i++)
    {
      if (atomic_load_explicit (a, memory_order_acquire) != old)
        return;
      relax ();
      if (spin_ns > 0 && (i & 63) == 63)
        {
          double t = now_us ();
          if (end == 0)
            end = t + (double) spin_ns / 1e3;
          else if (t >= end)
            break;
        }
    }
  while (atomic_load (a) == old)
    {
      atomic_store (asleep, 1);
      if (atomic_load (a) == old)
        futex_op (asleep, FUTEX_WAIT, 1);
    }
  atomic_store (asleep, 0);
}

/* Returns whether the other side was asleep and had to be woken. */
static inline int
ring_push (ring_t *r, const msg_t *m)
{
  uint32_t head = atomic_load_explicit (&r->head, memory_order_relaxed);

  while (head - atomic_load_explicit (&r->tail, memory_order_acquire) >= RING_SLOTS)
    sched_yield ();
  r->slot[head % RING_SLOTS] = *m;
  atomic_store (&r->head, head + 1);
  if (atomic_load (&r->asleep) && atomic_exchange (&r->asleep, 0))
    {
      futex_op (&r->asleep, FUTEX_WAKE, 1);
      return 1;
    }
  return 0;
}

static inline void
ring_pop (ring_t *r, msg_t *m, long spin_ns)
{
  uint32_t tail = atomic_load_explicit (&r->tail, memory_order_relaxed);

  if (atomic_load_explicit (&r->head, memory_order_acquire) == tail)
    wait_change (&r->head, tail, &r->asleep, spin_ns);
  *m = r->slot[tail % RING_SLOTS];
  atomic_store_explicit (&r->tail, tail + 1, memory_order_release);
}

static inline int
ring_is_empty (ring_t *r)
{
  return atomic_load_explicit (&r->head, memory_order_acquire)
         == atomic_load_explicit (&r->tail, memory_order_relaxed);
}

static inline void
send_fd (int sock, const msg_t *m, int fd)
{
  union
  {
    struct cmsghdr h;
    char space[CMSG_SPACE (sizeof (int))];
  } c;
  struct iovec iov = { (void *) m, sizeof *m };
  struct msghdr h = { 0 };

  memset (&c, 0, sizeof c);
  h.msg_iov = &iov;
  h.msg_iovlen = 1;
  h.msg_control = &c;
  h.msg_controllen = sizeof c;
  c.h.cmsg_level = SOL_SOCKET;
  c.h.cmsg_type = SCM_RIGHTS;
  c.h.cmsg_len = CMSG_LEN (sizeof (int));
  memcpy (CMSG_DATA (&c.h), &fd, sizeof fd);
  if (sendmsg (sock, &h, 0) != (ssize_t) sizeof *m)
    die ("sendmsg");
}

/* Receives one message and the descriptor it may carry (else -1); 0 at EOF. */
static inline int
recv_fd (int sock, msg_t *m, int *fd)
{
  union
  {
    struct cmsghdr h;
    char space[CMSG_SPACE (sizeof (int))];
  } c;
  struct iovec iov = { m, sizeof *m };
  struct msghdr h = { 0 };
  ssize_t n;

  h.msg_iov = &iov;
  h.msg_iovlen = 1;
  h.msg_control = &c;
  h.msg_controllen = sizeof c;
  *fd = -1;
  do
    n = recvmsg (sock, &h, MSG_CMSG_CLOEXEC | MSG_WAITALL);
  while (n < 0 && errno == EINTR);
  if (n != (ssize_t) sizeof *m)
    return 0;
  if (h.msg_controllen >= sizeof (struct cmsghdr) && c.h.cmsg_type == SCM_RIGHTS)
    memcpy (fd, CMSG_DATA (&c.h), sizeof *fd);
  return 1;
}

#endif
