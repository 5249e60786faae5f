/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* ZeroMQ over ipc://: DEALER in the manager, DEALER in one worker process.
 * A message is one frame of 64 bytes, bytes travel in a second frame. */
#include "bench.h"

#include <spawn.h>
#include <zmq.h>

#define PEER "zmq-ipc"
#define N_CALLS 10000

extern char **environ;

enum
{
  OP_INC = 1,
  OP_INC_QUIET,
  OP_FETCH,
  OP_ECHO,
  OP_LEN,
  OP_STOP,
};

typedef struct
{
  uint64_t op, arg, len, pad[5];
} msg_t;

static void
check (int r, const char *what)
{
  if (r < 0)
    {
      fprintf (stderr, "%s: %s\n", what, zmq_strerror (zmq_errno ()));
      exit (1);
    }
}

static void *
new_socket (void *ctx)
{
  int zero = 0;
  void *s = zmq_socket (ctx, ZMQ_DEALER);

  zmq_setsockopt (s, ZMQ_SNDHWM, &zero, sizeof zero);
  zmq_setsockopt (s, ZMQ_RCVHWM, &zero, sizeof zero);
  zmq_setsockopt (s, ZMQ_LINGER, &zero, sizeof zero);
  return s;
}

static void
no_free (void *data, void *hint)
{
  (void) data, (void) hint;
}

/* ZeroMQ's own way to send without a copy into the message */
static void
send_bytes (void *s, const uint8_t *p, size_t len)
{
  zmq_msg_t m;
  check (zmq_msg_init_data (&m, (void *) p, len, no_free, NULL), "init");
  check (zmq_msg_send (&m, s, 0), "send bytes");
}

static int
worker_main (const char *address)
{
  void *ctx = zmq_ctx_new (), *s = new_socket (ctx);
  uint8_t *array = NULL;
  msg_t m;

  check (zmq_connect (s, address), "connect");
  while (zmq_recv (s, &m, sizeof m, 0) == (int) sizeof m && m.op != OP_STOP)
    {
      zmq_msg_t body;
      int has_body = m.op == OP_ECHO || m.op == OP_LEN;

      m.arg++;
      if (m.op == OP_INC_QUIET)
        continue;
      if (m.op == OP_FETCH && array == NULL)
        {
          array = malloc (SIZE_50M);
          memset (array, 7, SIZE_50M);
        }
      if (has_body)
        {
          zmq_msg_init (&body);
          check (zmq_msg_recv (&body, s, 0), "recv");
          m.arg = zmq_msg_size (&body);
        }
      check (zmq_send (s, &m, sizeof m, m.op == OP_FETCH || m.op == OP_ECHO ? ZMQ_SNDMORE : 0),
             "reply");
      if (m.op == OP_FETCH)
        send_bytes (s, array, m.len);
      else if (m.op == OP_ECHO)
        check (zmq_msg_send (&body, s, 0), "echo");
      else if (has_body)
        zmq_msg_close (&body);
    }
  zmq_close (s);
  zmq_ctx_term (ctx);
  return 0;
}

typedef struct
{
  pid_t pid;
  void *s;
  char address[64];
} worker_t;

static void *context;

static void
call_inc (worker_t *w)
{
  msg_t m = { .op = OP_INC, .arg = 41 };
  check (zmq_send (w->s, &m, sizeof m, 0), "send");
  check (zmq_recv (w->s, &m, sizeof m, 0), "recv");
  if (m.arg != 42)
    exit (1);
}

static worker_t
start (const char *self)
{
  static int count;
  worker_t w;
  char *argv[] = { (char *) self, "worker", w.address, NULL };

  snprintf (w.address, sizeof w.address, "ipc://@peers-zmq-%d-%d", (int) getpid (), count++);
  w.s = new_socket (context);
  check (zmq_bind (w.s, w.address), "bind");
  if (posix_spawn (&w.pid, self, NULL, NULL, argv, environ) != 0)
    die ("posix_spawn");
  call_inc (&w);
  return w;
}

static void
stop (worker_t *w)
{
  msg_t m = { .op = OP_STOP };
  check (zmq_send (w->s, &m, sizeof m, 0), "send");
  waitpid (w->pid, NULL, 0);
  zmq_close (w->s);
}

static void
pipelined (worker_t *w)
{
  msg_t m = { .op = OP_INC, .arg = 1 };
  for (int i = 0; i < N_CALLS; i++)
    check (zmq_send (w->s, &m, sizeof m, 0), "send");
  for (int i = 0; i < N_CALLS; i++)
    check (zmq_recv (w->s, &m, sizeof m, 0), "recv");
}

static void
forget (worker_t *w)
{
  msg_t m = { .op = OP_INC_QUIET, .arg = 1 };
  for (int i = 0; i < N_CALLS; i++)
    check (zmq_send (w->s, &m, sizeof m, 0), "send");
  call_inc (w);
}

static void
receive_bytes (worker_t *w, size_t len)
{
  zmq_msg_t body;
  msg_t m;

  check (zmq_recv (w->s, &m, sizeof m, 0), "recv");
  zmq_msg_init (&body);
  check (zmq_msg_recv (&body, w->s, 0), "recv bytes");
  if (zmq_msg_size (&body) != len)
    exit (1);
  touch_pages (zmq_msg_data (&body), len);
  zmq_msg_close (&body);
}

static void
fetch (worker_t *w, size_t len)
{
  msg_t m = { .op = OP_FETCH, .len = len };
  check (zmq_send (w->s, &m, sizeof m, 0), "send");
  receive_bytes (w, len);
}

static void
send_array (worker_t *w, uint64_t op, const uint8_t *mine, size_t len)
{
  msg_t m = { .op = op };
  check (zmq_send (w->s, &m, sizeof m, ZMQ_SNDMORE), "send");
  send_bytes (w->s, mine, len);
  if (op == OP_ECHO)
    receive_bytes (w, len);
  else
    {
      check (zmq_recv (w->s, &m, sizeof m, 0), "recv");
      if (m.arg != len)
        exit (1);
    }
}

int
main (int argc, char **argv)
{
  samples_t *spawn = samples_new (), *halt = samples_new (), *pss = samples_new ();
  uint8_t *mine;
  worker_t w;

  if (argc > 2 && strcmp (argv[1], "worker") == 0)
    return worker_main (argv[2]);

  context = zmq_ctx_new ();
  for (int i = 0; i < 1 + bench_at_least (20); i++)
    {
      double t0 = now_us (), t1, t2;
      w = start (argv[0]);
      t1 = now_us ();
      usleep (10000);
      if (i > 0 && i < 5)
        samples_add (pss, (double) pss_kb (w.pid));
      t2 = now_us ();
      stop (&w);
      if (i > 0)
        {
          samples_add (spawn, (t1 - t0) / 1e3);
          samples_add (halt, (now_us () - t2) / 1e3);
        }
    }
  report (PEER, "spawn_ms", spawn);
  report (PEER, "stop_ms", halt);
  report (PEER, "idle_worker_pss_kb", pss);

  mine = malloc (SIZE_50M);
  memset (mine, 3, SIZE_50M);
  w = start (argv[0]);
  BENCH (PEER, "noop_sync_us", 20, 1, 10, 400, 0.7, call_inc (&w));
  BENCH_RATE (PEER, "pipelined_calls_per_s", N_CALLS, 5, 30, 0.8, pipelined (&w));
  BENCH_RATE (PEER, "fire_and_forget_per_s", N_CALLS, 5, 30, 0.8, forget (&w));
  BENCH (PEER, "echo_64KB_us", 5, 1, 7, 200, 0.4, send_array (&w, OP_ECHO, mine, SIZE_64K));
  BENCH (PEER, "fetch_1MB_us", 2, 1, 7, 200, 0.4, fetch (&w, SIZE_1M));
  BENCH (PEER, "fetch_50MB_ms", 1, 1e3, 7, 10, 0.6, fetch (&w, SIZE_50M));
  BENCH (PEER, "send_50MB_ms", 1, 1e3, 7, 10, 0.6, send_array (&w, OP_LEN, mine, SIZE_50M));
  stop (&w);
  zmq_ctx_term (context);
  return 0;
}
