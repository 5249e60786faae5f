// SPDX-License-Identifier: LGPL-2.1-or-later

// Cap'n Proto RPC (C++), two parties over a socket pair, one worker process.
#include "bench.h"

#include "capnp_peer.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <spawn.h>
#include <sys/socket.h>

static const char *const PEER = "capnp-rpc";
static const int WORKER_FD = 3;
static const int N_CALLS = 10000;
static const int WAVE = 1000; // more at once is slower, not faster

class PeerImpl final : public Peer::Server
{
  kj::Array<kj::byte> array;

public:
  kj::Promise<void>
  inc (IncContext c) override
  {
    c.getResults ().setX (c.getParams ().getX () + 1);
    return kj::READY_NOW;
  }
  kj::Promise<void>
  fetch (FetchContext c) override
  {
    uint32_t size = c.getParams ().getSize ();
    if (array.size () == 0)
      {
        array = kj::heapArray<kj::byte> (SIZE_50M);
        memset (array.begin (), 7, SIZE_50M);
      }
    auto r = c.getResults (capnp::MessageSize{ size / 8 + 16, 0 });
    r.setData (array.slice (0, size));
    return kj::READY_NOW;
  }
  kj::Promise<void>
  echo (EchoContext c) override
  {
    auto data = c.getParams ().getData ();
    c.getResults (capnp::MessageSize{ data.size () / 8 + 16, 0 }).setData (data);
    return kj::READY_NOW;
  }
  kj::Promise<void>
  len (LenContext c) override
  {
    c.getResults ().setSize ((uint32_t) c.getParams ().getData ().size ());
    return kj::READY_NOW;
  }
};

static int
worker_main ()
{
  auto io = kj::setupAsyncIo ();
  auto stream = io.lowLevelProvider->wrapSocketFd (WORKER_FD);
  capnp::TwoPartyVatNetwork network (*stream, capnp::rpc::twoparty::Side::SERVER);
  auto rpc = capnp::makeRpcServer (network, kj::heap<PeerImpl> ());
  network.onDisconnect ().wait (io.waitScope);
  return 0;
}

struct Worker
{
  pid_t pid;
  kj::Own<kj::AsyncIoStream> stream;
  kj::Own<capnp::TwoPartyClient> client;
  Peer::Client peer;
  kj::WaitScope &scope;

  void
  inc ()
  {
    auto req = peer.incRequest ();
    req.setX (41);
    if (req.send ().wait (scope).getX () != 42)
      exit (1);
  }
};

static kj::Own<Worker>
start (kj::AsyncIoContext &io, const char *self)
{
  posix_spawn_file_actions_t fa;
  char *argv[] = { (char *) self, (char *) "worker", nullptr };
  pid_t pid;
  int sv[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0)
    die ("socketpair");
  posix_spawn_file_actions_init (&fa);
  posix_spawn_file_actions_adddup2 (&fa, sv[1], WORKER_FD);
  if (posix_spawn (&pid, self, &fa, nullptr, argv, environ) != 0)
    die ("posix_spawn");
  posix_spawn_file_actions_destroy (&fa);
  close (sv[1]);
  auto stream = io.lowLevelProvider->wrapSocketFd (sv[0], kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP);
  auto client = kj::heap<capnp::TwoPartyClient> (*stream);
  auto peer = client->bootstrap ().castAs<Peer> ();
  auto w = kj::heap<Worker> (
    Worker{ pid, kj::mv (stream), kj::mv (client), kj::mv (peer), io.waitScope });
  w->inc ();
  return w;
}

static void
stop (kj::Own<Worker> w)
{
  pid_t pid = w->pid;
  {
    auto gone = kj::mv (w);
  }
  waitpid (pid, nullptr, 0);
}

static void
pipelined (Worker &w)
{
  for (int done = 0; done < N_CALLS; done += WAVE)
    {
      kj::Vector<capnp::RemotePromise<Peer::IncResults>> all (WAVE);
      for (int i = 0; i < WAVE; i++)
        {
          auto req = w.peer.incRequest ();
          req.setX (1);
          all.add (req.send ());
        }
      for (auto &p : all)
        if (p.wait (w.scope).getX () != 2)
          exit (1);
    }
}

static void
fetch (Worker &w, uint32_t len)
{
  auto req = w.peer.fetchRequest ();
  req.setSize (len);
  auto r = req.send ().wait (w.scope);
  touch_pages (r.getData ().begin (), len);
}

static void
echo (Worker &w, const kj::byte *mine, size_t len)
{
  auto req = w.peer.echoRequest (capnp::MessageSize{ len / 8 + 16, 0 });
  req.setData (kj::arrayPtr (mine, len));
  auto r = req.send ().wait (w.scope);
  touch_pages (r.getData ().begin (), len);
}

static void
send_array (Worker &w, const kj::byte *mine, size_t len)
{
  auto req = w.peer.lenRequest (capnp::MessageSize{ len / 8 + 16, 0 });
  req.setData (kj::arrayPtr (mine, len));
  if (req.send ().wait (w.scope).getSize () != len)
    exit (1);
}

int
main (int argc, char **argv)
{
  if (argc > 1 && strcmp (argv[1], "worker") == 0)
    return worker_main ();

  auto io = kj::setupAsyncIo ();
  samples_t *spawn = samples_new (), *halt = samples_new (), *pss = samples_new ();
  for (int i = 0; i < 1 + bench_at_least (20); i++)
    {
      double t0 = now_us ();
      auto w = start (io, argv[0]);
      double t1 = now_us ();
      usleep (10000);
      if (i > 0 && i < 5)
        samples_add (pss, (double) pss_kb (w->pid));
      double t2 = now_us ();
      stop (kj::mv (w));
      if (i > 0)
        {
          samples_add (spawn, (t1 - t0) / 1e3);
          samples_add (halt, (now_us () - t2) / 1e3);
        }
    }
  report (PEER, "spawn_ms", spawn);
  report (PEER, "stop_ms", halt);
  report (PEER, "idle_worker_pss_kb", pss);

  kj::byte *mine = (kj::byte *) malloc (SIZE_50M);
  memset (mine, 3, SIZE_50M);
  auto w = start (io, argv[0]);
  BENCH (PEER, "noop_sync_us", 20, 1, 10, 400, 0.7, w->inc ());
  BENCH_RATE (PEER, "pipelined_calls_per_s", N_CALLS, 5, 30, 0.8, pipelined (*w));
  BENCH (PEER, "echo_64KB_us", 5, 1, 7, 200, 0.4, echo (*w, mine, SIZE_64K));
  BENCH (PEER, "fetch_1MB_us", 2, 1, 7, 200, 0.4, fetch (*w, SIZE_1M));
  BENCH (PEER, "fetch_50MB_ms", 1, 1e3, 7, 10, 0.6, fetch (*w, SIZE_50M));
  BENCH (PEER, "send_50MB_ms", 1, 1e3, 7, 10, 0.6, send_array (*w, mine, SIZE_50M));
  stop (kj::mv (w));
  return 0;
}
