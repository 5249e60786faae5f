/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Physical limits of this machine, without any library: what a worker in
 * another process could cost at best.
 * Usage: raw_limits WORKER WORKER_GIO [floor], where floor is the part of it
 * that others are compared with, to be repeated in turns with them. */
#include "raw.h"

#include <signal.h>
#include <spawn.h>

extern char **environ;

static const char *worker_path;
static const char *worker_gio_path;
static uint8_t *mine; /* the manager's own 50 MB */
static uint8_t *dest; /* a warm destination */

typedef struct
{
  pid_t pid;
  int sock;
} worker_t;

static void
expect (int ok, const char *what)
{
  if (!ok)
    {
      fprintf (stderr, "raw: %s failed\n", what);
      exit (1);
    }
}

/* ---- starting workers ---- */

typedef worker_t (*spawn_fn) (const char *path);

static void
pair (int sv[2])
{
  expect (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0, "socketpair");
}

static worker_t
spawn_posix (const char *path)
{
  posix_spawn_file_actions_t fa;
  char *argv[] = { (char *) path, NULL };
  worker_t w;
  int sv[2];

  pair (sv);
  posix_spawn_file_actions_init (&fa);
  posix_spawn_file_actions_adddup2 (&fa, sv[1], WORKER_FD);
  expect (posix_spawn (&w.pid, path, &fa, NULL, argv, environ) == 0, "posix_spawn");
  posix_spawn_file_actions_destroy (&fa);
  close (sv[1]);
  w.sock = sv[0];
  return w;
}

static void
child_exec (int fd, const char *path)
{
  if (fd != WORKER_FD)
    dup2 (fd, WORKER_FD);
  else
    fcntl (fd, F_SETFD, 0);
  execl (path, path, (char *) NULL);
  _exit (127);
}

static worker_t
spawn_fork_exec (const char *path)
{
  worker_t w;
  int sv[2];

  pair (sv);
  w.pid = fork ();
  if (w.pid == 0)
    child_exec (sv[1], path);
  expect (w.pid > 0, "fork");
  close (sv[1]);
  w.sock = sv[0];
  return w;
}

static worker_t
spawn_fork_only (const char *path)
{
  worker_t w;
  int sv[2];

  (void) path;
  pair (sv);
  w.pid = fork ();
  if (w.pid == 0)
    {
      msg_t m;
      close (sv[0]);
      while (read_all (sv[1], &m, sizeof m) && m.op == OP_INC)
        {
          m.arg++;
          write_all (sv[1], &m, sizeof m);
        }
      _exit (0);
    }
  expect (w.pid > 0, "fork");
  close (sv[1]);
  w.sock = sv[0];
  return w;
}

#ifndef CLONE_NEWUSER
#error "sched.h without namespaces"
#endif

static unsigned long namespaces;

static worker_t
spawn_namespaces (const char *path)
{
  worker_t w;
  int sv[2];

  pair (sv);
  w.pid = (pid_t) syscall (SYS_clone, namespaces | SIGCHLD, 0, 0, 0, 0);
  if (w.pid == 0)
    child_exec (sv[1], path);
  close (sv[1]);
  w.sock = sv[0];
  return w;
}

static int zygote_sock = -1;
static pid_t zygote_pid;

static worker_t
spawn_zygote (const char *path)
{
  worker_t w;
  msg_t m = { .op = OP_FORK };
  int sv[2];

  (void) path;
  pair (sv);
  send_fd (zygote_sock, &m, sv[1]);
  close (sv[1]);
  expect (read_all (zygote_sock, &m, sizeof m), "zygote");
  w.pid = (pid_t) m.arg;
  w.sock = sv[0];
  return w;
}

static worker_t
spawn_bwrap (const char *path)
{
  posix_spawn_file_actions_t fa;
  char *argv[] = { "bwrap",         "--ro-bind", "/",         "/",       "--dev", "/dev",
                   "--unshare-all", "--proc",    "/proc",     "--die-with-parent",
                   (char *) path,   NULL };
  worker_t w;
  int sv[2];

  pair (sv);
  posix_spawn_file_actions_init (&fa);
  posix_spawn_file_actions_adddup2 (&fa, sv[1], WORKER_FD);
  if (posix_spawnp (&w.pid, argv[0], &fa, NULL, argv, environ) != 0)
    w.pid = -1;
  posix_spawn_file_actions_destroy (&fa);
  close (sv[1]);
  w.sock = sv[0];
  return w;
}

static int
call_inc (worker_t *w)
{
  msg_t m = { .op = OP_INC, .arg = 41 };
  return write_all (w->sock, &m, sizeof m) && read_all (w->sock, &m, sizeof m) && m.arg == 42;
}

static void
stop_worker (worker_t *w)
{
  msg_t m = { .op = OP_STOP };

  write_all (w->sock, &m, sizeof m);
  if (w->pid != zygote_pid && zygote_sock >= 0)
    expect (read_all (zygote_sock, &m, sizeof m), "zygote wait");
  else
    waitpid (w->pid, NULL, 0);
  close (w->sock);
}

static void
bench_spawn (const char *peer, spawn_fn fn, const char *path, int n)
{
  samples_t *start = samples_new (), *stop = samples_new (), *pss = samples_new ();

  n = bench_at_least (n);
  for (int i = 0; i < n + 1; i++)
    {
      double t0 = now_us (), t1, t2;
      worker_t w = fn (path);

      if (w.pid < 0 || !call_inc (&w))
        {
          fprintf (stderr, "%s: skipped (%s)\n", peer, strerror (errno));
          return;
        }
      t1 = now_us ();
      if (i <= 3)
        {
          usleep (20000);
          if (fn != spawn_bwrap)
            samples_add (pss, (double) pss_kb (w.pid));
        }
      else
        usleep (1000);
      t2 = now_us ();
      stop_worker (&w);
      if (i > 0)
        {
          samples_add (start, (t1 - t0) / 1e3);
          samples_add (stop, (now_us () - t2) / 1e3);
        }
    }
  report (peer, "spawn_ms", start);
  report (peer, "stop_ms", stop);
  report (peer, "idle_worker_pss_kb", pss);
}

/* ---- a stream socket ---- */

static unsigned
sock_fetch (worker_t *w, uint8_t *to, size_t len)
{
  msg_t m = { .op = OP_FETCH, .len = len };
  expect (write_all (w->sock, &m, sizeof m) && read_all (w->sock, &m, sizeof m)
            && read_all (w->sock, to, len),
          "fetch");
  return touch_pages (to, len);
}

static void
sock_send (worker_t *w, uint32_t op, size_t len)
{
  msg_t m = { .op = op, .len = len };
  expect (write_all (w->sock, &m, sizeof m) && write_all (w->sock, mine, len)
            && read_all (w->sock, &m, sizeof m) && m.arg == len,
          "send");
  if (op == OP_ECHO)
    {
      expect (read_all (w->sock, dest, len), "echo");
      touch_pages (dest, len);
    }
}

/* One system call per message; replies read by a second thread of control
 * would deadlock-proof it, here a window does. */
static void
sock_pipelined (worker_t *w, int n, int window)
{
  msg_t m = { .op = OP_INC, .arg = 1 };
  int sent = 0, got = 0;

  while (got < n)
    {
      while (sent < n && sent - got < window)
        {
          expect (write_all (w->sock, &m, sizeof m), "write");
          sent++;
        }
      for (int i = 0; i < window / 2 && got < sent; i++)
        {
          msg_t r;
          expect (read_all (w->sock, &r, sizeof r) && r.arg == 2, "read");
          got++;
        }
    }
}

static void
sock_quiet (worker_t *w, int n)
{
  msg_t m = { .op = OP_INC_QUIET };

  for (int i = 0; i < n; i++)
    expect (write_all (w->sock, &m, sizeof m), "write");
  expect (call_inc (w), "sync");
}

static void
sock_batched (worker_t *w, uint32_t op, int n)
{
  static msg_t out[512], in[512];
  int sent = 0, got = 0, flags;
  size_t part = 0, in_part = 0;
  int expected = op == OP_INC ? n : 1;

  for (int i = 0; i < 512; i++)
    out[i].op = op, out[i].arg = 1;
  flags = fcntl (w->sock, F_GETFL);
  fcntl (w->sock, F_SETFL, flags | O_NONBLOCK);
  while (got < expected)
    {
      struct pollfd p = { w->sock, POLLIN, 0 };
      ssize_t r;

      if (sent == n && op != OP_INC)
        {
          msg_t m = { .op = OP_INC };
          fcntl (w->sock, F_SETFL, flags);
          expect (write_all (w->sock, &m, sizeof m) && read_all (w->sock, &m, sizeof m), "sync");
          return;
        }
      if (sent < n)
        p.events |= POLLOUT;
      poll (&p, 1, -1);
      if (p.revents & POLLOUT)
        {
          size_t want = (size_t) (n - sent > 512 ? 512 : n - sent) * sizeof (msg_t) - part;
          r = write (w->sock, (char *) out + part, want);
          if (r > 0)
            {
              part += (size_t) r;
              sent += (int) (part / sizeof (msg_t));
              part %= sizeof (msg_t);
            }
        }
      if (p.revents & POLLIN)
        {
          r = read (w->sock, (char *) in + in_part, sizeof in - in_part);
          expect (r > 0, "read");
          in_part += (size_t) r;
          got += (int) (in_part / sizeof (msg_t));
          in_part %= sizeof (msg_t);
        }
    }
  fcntl (w->sock, F_SETFL, flags);
}

static void
bench_socketpair_idle (void)
{
  worker_t w = spawn_posix (worker_path);
  samples_t *cold = samples_new ();
  int n = (int) (150 * bench_scale ());

  expect (call_inc (&w), "first call");
  for (int i = 0; i < n; i++)
    {
      double t;
      usleep (2000);
      t = now_us ();
      call_inc (&w);
      samples_add (cold, now_us () - t);
    }
  report ("raw-socketpair", "noop_after_idle_us", cold);
  stop_worker (&w);
}

static void
bench_socketpair (void)
{
  worker_t w = spawn_posix (worker_path);
  msg_t m = { .op = OP_BATCH };

  expect (call_inc (&w), "first call");
  BENCH ("raw-socketpair", "noop_sync_us", 100, 1, 20, 400, 0.8, call_inc (&w));
  BENCH_RATE ("raw-socketpair", "pipelined_calls_per_s", 10000, 5, 30, 0.8,
              sock_pipelined (&w, 10000, 256));
  BENCH_RATE ("raw-socketpair", "fire_and_forget_per_s", 10000, 5, 30, 0.5,
              sock_quiet (&w, 10000));
  BENCH ("raw-socketpair", "echo_64KB_us", 20, 1, 10, 100, 0.5, sock_send (&w, OP_ECHO, SIZE_64K));
  BENCH ("raw-socketpair", "fetch_1MB_us", 5, 1, 10, 100, 0.5, sock_fetch (&w, dest, SIZE_1M));
  BENCH ("raw-socketpair", "fetch_50MB_ms", 1, 1e3, 7, 15, 0.7, sock_fetch (&w, dest, SIZE_50M));
  BENCH ("raw-socketpair", "send_50MB_ms", 1, 1e3, 7, 15, 0.7, sock_send (&w, OP_LEN, SIZE_50M));
  BENCH ("raw-socketpair-fresh", "fetch_50MB_ms", 1, 1e3, 7, 15, 0.7, {
    uint8_t *p = mmap (NULL, SIZE_50M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sock_fetch (&w, p, SIZE_50M);
    munmap (p, SIZE_50M);
  });
  write_all (w.sock, &m, sizeof m);
  BENCH ("raw-socketpair-batch", "noop_sync_us", 100, 1, 20, 400, 0.3, call_inc (&w));
  BENCH_RATE ("raw-socketpair-batch", "pipelined_calls_per_s", 100000, 5, 30, 0.5,
              sock_batched (&w, OP_INC, 100000));
  BENCH_RATE ("raw-socketpair-batch", "fire_and_forget_per_s", 100000, 5, 30, 0.5,
              sock_batched (&w, OP_INC_QUIET, 100000));
  stop_worker (&w);
}

/* ---- descriptors and direct reads ---- */

static void
fetch_memfd (worker_t *w, uint32_t kind, size_t len, int populate)
{
  msg_t m = { .op = OP_FETCH_MEMFD, .flags = kind, .len = len };
  uint8_t *p;
  int fd;

  expect (write_all (w->sock, &m, sizeof m) && recv_fd (w->sock, &m, &fd) && fd >= 0, "memfd");
  p = mmap (NULL, len, PROT_READ, MAP_SHARED | (populate ? MAP_POPULATE : 0), fd, 0);
  expect (p != MAP_FAILED, "mmap");
  touch_pages (p, len);
  munmap (p, len);
  close (fd);
}

static void
fetch_vm_readv (worker_t *w, const void *from, uint8_t *to, size_t len)
{
  struct iovec l = { to, len }, r = { (void *) from, len };

  expect (call_inc (w), "ask");
  expect (process_vm_readv (w->pid, &l, 1, &r, 1, 0) == (ssize_t) len, "process_vm_readv");
  touch_pages (to, len);
}

static uint8_t *
fresh_mapping (size_t len, int huge)
{
  uint8_t *p = mmap (NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  expect (p != MAP_FAILED, "mmap");
  if (huge)
    madvise (p, len, MADV_HUGEPAGE);
  return p;
}

static void
bench_memcpy (void)
{
  BENCH ("raw-memcpy-warm", "fetch_50MB_ms", 1, 1e3, 7, 30, 0.3, {
    memcpy (dest, mine, SIZE_50M);
    touch_pages (dest, SIZE_50M);
  });
  BENCH ("raw-memcpy-warm", "fetch_1MB_us", 10, 1, 7, 100, 0.2, {
    memcpy (dest, mine, SIZE_1M);
    touch_pages (dest, SIZE_1M);
  });
}

static void
bench_copies (void)
{
  worker_t w = spawn_posix (worker_path);
  msg_t m = { .op = OP_ADDRESS };
  const void *from;

  BENCH ("raw-memcpy-fresh", "fetch_50MB_ms", 1, 1e3, 7, 15, 0.5, {
    uint8_t *p = fresh_mapping (SIZE_50M, 0);
    memcpy (p, mine, SIZE_50M);
    touch_pages (p, SIZE_50M);
    munmap (p, SIZE_50M);
  });
  BENCH ("raw-memcpy-fresh-thp", "fetch_50MB_ms", 1, 1e3, 7, 15, 0.5, {
    uint8_t *p = fresh_mapping (SIZE_50M, 1);
    memcpy (p, mine, SIZE_50M);
    touch_pages (p, SIZE_50M);
    munmap (p, SIZE_50M);
  });

  BENCH ("raw-memfd-fresh", "fetch_50MB_ms", 1, 1e3, 7, 15, 0.5, fetch_memfd (&w, 0, SIZE_50M, 0));
  BENCH ("raw-memfd-fresh", "fetch_1MB_us", 1, 1, 7, 200, 0.2, fetch_memfd (&w, 0, SIZE_1M, 0));
  BENCH ("raw-memfd-write-populate", "fetch_50MB_ms", 1, 1e3, 7, 15, 0.5,
         fetch_memfd (&w, 1, SIZE_50M, 1));
  BENCH ("raw-memfd-write-populate", "fetch_1MB_us", 1, 1, 7, 200, 0.2,
         fetch_memfd (&w, 1, SIZE_1M, 1));
  BENCH ("raw-memfd-own", "fetch_50MB_ms", 1, 1e3, 7, 15, 0.5, fetch_memfd (&w, 2, SIZE_50M, 0));
  BENCH ("raw-memfd-own", "fetch_1MB_us", 1, 1, 7, 200, 0.2, fetch_memfd (&w, 2, SIZE_1M, 0));
  BENCH ("raw-memfd-own-populate", "fetch_50MB_ms", 1, 1e3, 7, 15, 0.5,
         fetch_memfd (&w, 2, SIZE_50M, 1));
  BENCH ("raw-memfd-own-populate", "fetch_1MB_us", 1, 1, 7, 200, 0.2,
         fetch_memfd (&w, 2, SIZE_1M, 1));

  expect (write_all (w.sock, &m, sizeof m) && read_all (w.sock, &m, sizeof m), "address");
  from = (const void *) (uintptr_t) m.arg;
  BENCH ("raw-vm-readv", "fetch_50MB_ms", 1, 1e3, 7, 15, 0.5,
         fetch_vm_readv (&w, from, dest, SIZE_50M));
  BENCH ("raw-vm-readv", "fetch_1MB_us", 1, 1, 7, 200, 0.2,
         fetch_vm_readv (&w, from, dest, SIZE_1M));
  BENCH ("raw-vm-readv-fresh-thp", "fetch_50MB_ms", 1, 1e3, 7, 15, 0.5, {
    uint8_t *p = fresh_mapping (SIZE_50M, 1);
    fetch_vm_readv (&w, from, p, SIZE_50M);
    munmap (p, SIZE_50M);
  });
  stop_worker (&w);
}

/* ---- shared memory rings ---- */

static int block_if_asleep; /* do not spin for a worker that had to be woken */

static void
shm_call (shm_t *s, uint32_t op, uint64_t arg, uint64_t len, long spin_ns)
{
  msg_t m = { .op = op, .arg = arg, .len = len };
  int woken = ring_push (&s->to_worker, &m);

  ring_pop (&s->to_manager, &m, woken && block_if_asleep ? 0 : spin_ns);
}

static void
shm_pipelined (shm_t *s, int n, long spin_ns)
{
  msg_t m = { .op = OP_INC, .arg = 1 }, r;
  int got = 0;

  for (int i = 0; i < n; i++)
    {
      while (i - got >= (int) RING_SLOTS / 2 || !ring_is_empty (&s->to_manager))
        {
          ring_pop (&s->to_manager, &r, spin_ns);
          got++;
        }
      ring_push (&s->to_worker, &m);
    }
  while (got < n)
    {
      ring_pop (&s->to_manager, &r, spin_ns);
      got++;
    }
}

static void
shm_quiet (shm_t *s, int n, long spin_ns)
{
  msg_t m = { .op = OP_INC_QUIET };

  for (int i = 0; i < n; i++)
    ring_push (&s->to_worker, &m);
  shm_call (s, OP_INC, 0, 0, spin_ns);
}

static void
ping_pong (shm_t *s, uint32_t n)
{
  msg_t m = { .op = OP_UNTIL_CLOSED, .arg = n };

  atomic_store (&s->ball, 0);
  ring_push (&s->to_worker, &m);
  for (uint32_t i = 0; i < n; i++)
    {
      atomic_store_explicit (&s->ball, 2 * i + 1, memory_order_release);
      while (atomic_load_explicit (&s->ball, memory_order_acquire) != 2 * i + 2)
        ;
    }
  ring_pop (&s->to_manager, &m, SPIN_FOREVER);
}

static void
bench_shm (const char *peer, long spin_ns)
{
  worker_t w = spawn_posix (worker_path);
  msg_t m = { .op = OP_SHM, .arg = (uint64_t) spin_ns };
  int fd = memfd_create ("peers-raw", MFD_CLOEXEC);
  samples_t *cold = samples_new ();
  shm_t *s;

  expect (fd >= 0 && ftruncate (fd, sizeof *s) == 0, "memfd");
  s = mmap (NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  expect (s != MAP_FAILED, "mmap");
  memset (s->data, 1, SIZE_50M);
  send_fd (w.sock, &m, fd);
  close (fd);
  shm_call (s, OP_INC, 1, 0, spin_ns);

  if (spin_ns == SPIN_FOREVER)
    BENCH (peer, "noop_spin_us", 1, 10000, 10, 100, 0.3, ping_pong (s, 10000));
  BENCH (peer, "noop_sync_us", 100, 1, 20, 4000, 0.8, shm_call (s, OP_INC, 1, 0, spin_ns));
  for (int i = 0; i < (int) (150 * bench_scale ()); i++)
    {
      double t;
      usleep (2000);
      t = now_us ();
      shm_call (s, OP_INC, 1, 0, spin_ns);
      samples_add (cold, now_us () - t);
    }
  report (peer, "noop_after_idle_us", cold);
  BENCH_RATE (peer, "pipelined_calls_per_s", 100000, 5, 30, 0.5,
              shm_pipelined (s, 100000, spin_ns));
  BENCH_RATE (peer, "fire_and_forget_per_s", 100000, 5, 30, 0.5, shm_quiet (s, 100000, spin_ns));
  BENCH (peer, "echo_64KB_us", 20, 1, 10, 200, 0.3, {
    memcpy (s->data, mine, SIZE_64K);
    shm_call (s, OP_ECHO, 0, SIZE_64K, spin_ns);
    touch_pages (s->data + SIZE_64K, SIZE_64K);
  });
  BENCH (peer, "fetch_1MB_us", 5, 1, 10, 200, 0.3, {
    shm_call (s, OP_FETCH, 0, SIZE_1M, spin_ns);
    touch_pages (s->data, SIZE_1M);
  });
  BENCH (peer, "fetch_50MB_ms", 1, 1e3, 7, 30, 0.4, {
    shm_call (s, OP_FETCH, 0, SIZE_50M, spin_ns);
    touch_pages (s->data, SIZE_50M);
  });
  BENCH (peer, "send_50MB_ms", 1, 1e3, 7, 30, 0.4, {
    memcpy (s->data, mine, SIZE_50M);
    shm_call (s, OP_LEN, 0, SIZE_50M, spin_ns);
  });
  if (block_if_asleep) /* the worker's array already lives in the shared pages */
    {
      BENCH ("raw-shm-in-place", "fetch_1MB_us", 5, 1, 10, 200, 0.2, {
        shm_call (s, OP_INC, 0, 0, spin_ns);
        touch_pages (s->data, SIZE_1M);
      });
      BENCH ("raw-shm-in-place", "fetch_50MB_ms", 1, 1e3, 7, 100, 0.2, {
        shm_call (s, OP_INC, 0, 0, spin_ns);
        touch_pages (s->data, SIZE_50M);
      });
    }
  m.op = OP_STOP;
  ring_push (&s->to_worker, &m);
  waitpid (w.pid, NULL, 0);
  close (w.sock);
  munmap (s, sizeof *s);
}

/* ---- what the rows above are made of ---- */

static void
bench_machine (void)
{
  worker_t w;

  BENCH ("raw-machine", "syscall_ns", 10000, 1e-3, 10, 50, 0.1, syscall (SYS_getppid));
  BENCH ("raw-machine", "page_fault_ns", 1, SIZE_50M / 4096 * 1e-3, 7, 15, 0.3, {
    uint8_t *p = fresh_mapping (SIZE_50M, 0);
    for (size_t i = 0; i < SIZE_50M; i += 4096)
      ((volatile uint8_t *) p)[i] = 1;
    munmap (p, SIZE_50M);
  });

  /* A variant: both processes on one core, so no cross-core wake-up. */
  {
    cpu_set_t all, one;
    sched_getaffinity (0, sizeof all, &all);
    CPU_ZERO (&one);
    for (int c = 0; c < CPU_SETSIZE; c++)
      if (CPU_ISSET (c, &all))
        {
          CPU_SET (c, &one);
          break;
        }
    sched_setaffinity (0, sizeof one, &one);
    w = spawn_posix (worker_path);
    call_inc (&w);
    BENCH ("raw-socketpair-1core", "noop_sync_us", 100, 1, 20, 400, 0.5, call_inc (&w));
    BENCH_RATE ("raw-socketpair-1core", "pipelined_calls_per_s", 10000, 5, 30, 0.4,
                sock_pipelined (&w, 10000, 256));
    stop_worker (&w);
    sched_setaffinity (0, sizeof all, &all);
  }
}

/* What an interpreter takes to start and end, which is part of any start of a worker
 * that runs its language. */
static void
bench_interpreter_start (const char *peer, char **argv, int n)
{
  samples_t *start;

  if (access (argv[0], X_OK) != 0)
    return;
  start = samples_new ();
  n = bench_at_least (n);
  for (int i = 0; i < n + 1; i++)
    {
      double t = now_us ();
      pid_t pid;

      expect (posix_spawn (&pid, argv[0], NULL, NULL, argv, environ) == 0, "posix_spawn");
      waitpid (pid, NULL, 0);
      if (i > 0)
        samples_add (start, (now_us () - t) / 1e3);
    }
  report (peer, "spawn_ms", start);
}

static void
bench_interpreter_starts (void)
{
  char *python[] = { (char *) "/usr/bin/python3", (char *) "-S", (char *) "-E",
                     (char *) "-c", (char *) "pass", NULL };
  char *gjs[] = { (char *) "/usr/bin/gjs", (char *) "-c", (char *) "1", NULL };

  bench_interpreter_start ("raw-python-start", python, 20);
  bench_interpreter_start ("raw-gjs-start", gjs, 20);
}

static void
allocate_bytes (void)
{
  mine = malloc (SIZE_50M);
  dest = malloc (SIZE_50M);
  expect (mine != NULL && dest != NULL, "malloc");
  memset (mine, 3, SIZE_50M);
  memset (dest, 4, SIZE_50M);
}

static void
bench_shm_adaptive (void)
{
  block_if_asleep = 1;
  bench_shm ("raw-shm-adaptive", 50000);
  block_if_asleep = 0;
}

static int
bench_floor (void)
{
  bench_spawn ("raw-exec-gio", spawn_posix, worker_gio_path, 30);
  bench_interpreter_starts ();
  allocate_bytes ();
  bench_socketpair ();
  bench_socketpair_idle ();
  bench_memcpy ();
  bench_shm ("raw-shm-spin", SPIN_FOREVER);
  bench_shm_adaptive ();
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc < 3)
    return 2;
  worker_path = argv[1];
  worker_gio_path = argv[2];
  signal (SIGPIPE, SIG_IGN);
  if (argc > 3 && strcmp (argv[3], "floor") == 0)
    return bench_floor ();

  /* starts first, while this process is still small */
  bench_spawn ("raw-exec", spawn_posix, worker_path, 60);
  bench_spawn ("raw-fork+exec", spawn_fork_exec, worker_path, 60);
  bench_spawn ("raw-exec-gio", spawn_posix, worker_gio_path, 40);
  bench_spawn ("raw-fork", spawn_fork_only, NULL, 60);
  {
    worker_t z = spawn_posix (worker_gio_path);
    expect (call_inc (&z), "zygote");
    zygote_sock = z.sock;
    zygote_pid = z.pid;
    bench_spawn ("raw-zygote-gio", spawn_zygote, NULL, 60);
    stop_worker (&z);
    zygote_sock = -1;
  }
  namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  bench_spawn ("raw-exec-ns", spawn_namespaces, worker_path, 40);
  namespaces |= CLONE_NEWNET;
  bench_spawn ("raw-exec-ns-net", spawn_namespaces, worker_path, 20);
  bench_spawn ("raw-bwrap", spawn_bwrap, worker_path, 15);

  bench_interpreter_starts ();
  allocate_bytes ();
  bench_machine ();
  bench_socketpair ();
  bench_socketpair_idle ();
  bench_memcpy ();
  bench_copies ();
  bench_shm ("raw-shm-spin", SPIN_FOREVER);
  bench_shm ("raw-shm-spin50us", 50000);
  bench_shm_adaptive ();
  bench_shm ("raw-shm-futex", 0);
  return 0;
}
