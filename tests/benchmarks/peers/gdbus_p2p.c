/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GDBus, peer to peer over a socket pair: no bus daemon, one worker process. */
#include "bench.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <spawn.h>
#include <sys/socket.h>

#define PEER "gdbus-p2p"
#define PATH "/w"
#define IFACE "org.example.Peer"
#define WORKER_FD 3
#define N_CALLS 10000

extern char **environ;

static const char xml[] = "<node><interface name='" IFACE "'>"
                          "<method name='Inc'><arg type='i' direction='in'/>"
                          "<arg type='i' direction='out'/></method>"
                          "<method name='Fetch'><arg type='u' direction='in'/>"
                          "<arg type='ay' direction='out'/></method>"
                          "<method name='Echo'><arg type='ay' direction='in'/>"
                          "<arg type='ay' direction='out'/></method>"
                          "<method name='Len'><arg type='ay' direction='in'/>"
                          "<arg type='u' direction='out'/></method>"
                          "</interface></node>";

static void
check (GError *error, const char *what)
{
  if (error != NULL)
    {
      fprintf (stderr, "%s: %s\n", what, error->message);
      exit (1);
    }
}

static GDBusConnection *
connection_new (int fd, gboolean server)
{
  GError *error = NULL;
  GSocket *socket = g_socket_new_from_fd (fd, &error);
  GSocketConnection *stream;
  GDBusConnection *conn;
  char *guid = server ? g_dbus_generate_guid () : NULL;

  check (error, "socket");
  stream = g_socket_connection_factory_create_connection (socket);
  conn = g_dbus_connection_new_sync (
    G_IO_STREAM (stream), guid,
    server ? G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER
               | G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING
           : G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT,
    NULL, NULL, &error);
  check (error, "connection");
  g_object_unref (stream);
  g_object_unref (socket);
  g_free (guid);
  return conn;
}

/* ---- worker ---- */

static guint8 *array;

static void
on_call (GDBusConnection *conn, const char *sender, const char *path, const char *iface,
         const char *method, GVariant *args, GDBusMethodInvocation *inv, gpointer data)
{
  (void) conn, (void) sender, (void) path, (void) iface, (void) data;
  if (strcmp (method, "Inc") == 0)
    {
      gint32 x;
      g_variant_get (args, "(i)", &x);
      g_dbus_method_invocation_return_value (inv, g_variant_new ("(i)", x + 1));
    }
  else if (strcmp (method, "Fetch") == 0)
    {
      guint32 len;
      GVariant *v;
      g_variant_get (args, "(u)", &len);
      if (array == NULL)
        {
          array = g_malloc (SIZE_50M);
          memset (array, 7, SIZE_50M);
        }
      v = g_variant_new_from_data (G_VARIANT_TYPE ("ay"), array, len, TRUE, NULL, NULL);
      g_dbus_method_invocation_return_value (inv, g_variant_new_tuple (&v, 1));
    }
  else if (strcmp (method, "Echo") == 0)
    {
      g_dbus_method_invocation_return_value (inv, args);
    }
  else
    {
      GVariant *v = g_variant_get_child_value (args, 0);
      g_dbus_method_invocation_return_value (
        inv, g_variant_new ("(u)", (guint32) g_variant_n_children (v)));
      g_variant_unref (v);
    }
}

static void
on_closed (GDBusConnection *conn, gboolean vanished, GError *error, gpointer loop)
{
  (void) conn, (void) vanished, (void) error;
  g_main_loop_quit (loop);
}

static int
worker_main (void)
{
  static const GDBusInterfaceVTable vtable = { on_call, NULL, NULL, { 0 } };
  GMainLoop *loop = g_main_loop_new (NULL, FALSE);
  GDBusConnection *conn = connection_new (WORKER_FD, TRUE);
  GDBusNodeInfo *info = g_dbus_node_info_new_for_xml (xml, NULL);
  GError *error = NULL;

  g_dbus_connection_set_exit_on_close (conn, FALSE);
  g_signal_connect (conn, "closed", G_CALLBACK (on_closed), loop);
  g_dbus_connection_register_object (conn, PATH, info->interfaces[0], &vtable, NULL, NULL, &error);
  check (error, "register");
  g_dbus_connection_start_message_processing (conn);
  g_main_loop_run (loop);
  return 0;
}

/* ---- manager ---- */

typedef struct
{
  pid_t pid;
  GDBusConnection *conn;
} worker_t;

static GVariant *
call (worker_t *w, const char *method, GVariant *args)
{
  GError *error = NULL;
  GVariant *r = g_dbus_connection_call_sync (w->conn, NULL, PATH, IFACE, method, args, NULL,
                                             G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL, &error);
  check (error, method);
  return r;
}

static void
call_inc (worker_t *w)
{
  gint32 x;
  GVariant *r = call (w, "Inc", g_variant_new ("(i)", 41));
  g_variant_get (r, "(i)", &x);
  if (x != 42)
    exit (1);
  g_variant_unref (r);
}

static worker_t
start (const char *self)
{
  posix_spawn_file_actions_t fa;
  char *argv[] = { (char *) self, "worker", NULL };
  worker_t w;
  int sv[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0)
    die ("socketpair");
  posix_spawn_file_actions_init (&fa);
  posix_spawn_file_actions_adddup2 (&fa, sv[1], WORKER_FD);
  if (posix_spawn (&w.pid, self, &fa, NULL, argv, environ) != 0)
    die ("posix_spawn");
  posix_spawn_file_actions_destroy (&fa);
  close (sv[1]);
  w.conn = connection_new (sv[0], FALSE);
  g_dbus_connection_set_exit_on_close (w.conn, FALSE);
  call_inc (&w);
  return w;
}

static void
stop (worker_t *w)
{
  g_dbus_connection_close_sync (w->conn, NULL, NULL);
  waitpid (w->pid, NULL, 0);
  g_object_unref (w->conn);
}

static int pending;

static void
on_reply (GObject *source, GAsyncResult *result, gpointer data)
{
  GError *error = NULL;
  GVariant *r = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  gint32 x;

  (void) data;
  check (error, "reply");
  g_variant_get (r, "(i)", &x);
  g_variant_unref (r);
  pending--;
}

static void
pipelined (worker_t *w)
{
  for (int i = 0; i < N_CALLS; i++)
    {
      g_dbus_connection_call (w->conn, NULL, PATH, IFACE, "Inc", g_variant_new ("(i)", 1), NULL,
                              G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL, on_reply, NULL);
      pending++;
    }
  while (pending > 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
forget (worker_t *w)
{
  for (int i = 0; i < N_CALLS; i++)
    g_dbus_connection_call (w->conn, NULL, PATH, IFACE, "Inc", g_variant_new ("(i)", 1), NULL,
                            G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, NULL);
  call_inc (w);
}

static void
fetch (worker_t *w, guint32 len)
{
  GVariant *r = call (w, "Fetch", g_variant_new ("(u)", len));
  GVariant *v = g_variant_get_child_value (r, 0);
  gsize n;
  gconstpointer p = g_variant_get_fixed_array (v, &n, 1);

  if (n != len)
    exit (1);
  touch_pages (p, n);
  g_variant_unref (v);
  g_variant_unref (r);
}

static void
send_array (worker_t *w, const char *method, const guint8 *mine, gsize len)
{
  GVariant *v = g_variant_new_from_data (G_VARIANT_TYPE ("ay"), mine, len, TRUE, NULL, NULL);
  GVariant *r = call (w, method, g_variant_new_tuple (&v, 1));

  if (method[0] == 'E')
    {
      gsize n;
      v = g_variant_get_child_value (r, 0);
      touch_pages (g_variant_get_fixed_array (v, &n, 1), len);
      g_variant_unref (v);
    }
  g_variant_unref (r);
}

int
main (int argc, char **argv)
{
  samples_t *spawn = samples_new (), *halt = samples_new (), *pss = samples_new ();
  guint8 *mine;
  worker_t w;

  if (argc > 1 && strcmp (argv[1], "worker") == 0)
    return worker_main ();

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

  mine = g_malloc (SIZE_50M);
  memset (mine, 3, SIZE_50M);
  w = start (argv[0]);
  BENCH (PEER, "noop_sync_us", 20, 1, 10, 400, 0.7, call_inc (&w));
  BENCH_RATE (PEER, "pipelined_calls_per_s", N_CALLS, 5, 30, 0.8, pipelined (&w));
  BENCH_RATE (PEER, "fire_and_forget_per_s", N_CALLS, 5, 30, 0.8, forget (&w));
  BENCH (PEER, "echo_64KB_us", 5, 1, 7, 200, 0.4, send_array (&w, "Echo", mine, SIZE_64K));
  BENCH (PEER, "fetch_1MB_us", 2, 1, 7, 200, 0.4, fetch (&w, SIZE_1M));
  BENCH (PEER, "fetch_50MB_ms", 1, 1e3, 7, 10, 0.6, fetch (&w, SIZE_50M));
  BENCH (PEER, "send_50MB_ms", 1, 1e3, 7, 10, 0.6, send_array (&w, "Len", mine, SIZE_50M));
  stop (&w);
  return 0;
}
