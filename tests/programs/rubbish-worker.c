/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>

#include "malt-frame.h"
#include "rubbish.h"

/* A worker program that breaks the protocol, in the way that the environment variable
 * RUBBISH names: in its hello, or in its answer to the first request. */

#define DATA_FD    3
#define CONTROL_FD 4

static void
put_frame (MaltFrameType  type,
           guint64        id,
           GVariant      *body)
{
  rubbish_put_frame (DATA_FD, type, id, body);
}

static GVariant *
hello_body (const char *mode)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "pid", g_variant_new_uint32 ((guint32) getpid ()));
  g_variant_builder_add (&builder, "{sv}", "runtime", g_variant_new_string ("native"));
  if (g_str_has_prefix (mode, "says-"))
    g_variant_builder_add (&builder, "{sv}", "host", g_variant_new_boolean (TRUE));
  return g_variant_builder_end (&builder);
}

static GVariant *
value_body (void)
{
  return g_variant_new_variant (g_variant_new_int64 (42));
}

/* A frame whose header has @byte in the place of the one at @offset. */
static void
put_spoiled (MaltFrameType type,
             guint64       id,
             gsize         offset,
             guint8        byte)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  MaltFrame frame = { .type = (guint8) type, .id = id };

  malt_frame_encode (&frame, header);
  header[offset] = byte;
  rubbish_put (DATA_FD, header, sizeof header);
}

/* A frame that announces @announced bytes and has others. */
static void
put_body (MaltFrameType type,
          guint64       id,
          const char   *bytes,
          guint32       size,
          guint32       announced)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  MaltFrame frame = { .type = (guint8) type, .id = id, .length = announced };

  malt_frame_encode (&frame, header);
  rubbish_put (DATA_FD, header, sizeof header);
  rubbish_put (DATA_FD, bytes, size);
}

/* With a descriptor, which no frame may have. */
static void
put_with_descriptor (guint64 id)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  MaltFrame frame = { .type = MALT_FRAME_VALUE, .id = id };
  union { struct cmsghdr align; char space[CMSG_SPACE (sizeof (int))]; } control;
  struct iovec vector = { header, sizeof header };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1,
                            .msg_control = &control, .msg_controllen = sizeof control };
  struct cmsghdr *cmsg;
  int fd = 0;

  malt_frame_encode (&frame, header);
  memset (&control, 0, sizeof control);
  cmsg = CMSG_FIRSTHDR (&message);
  cmsg->cmsg_level = SOL_SOCKET;
  cmsg->cmsg_type = SCM_RIGHTS;
  cmsg->cmsg_len = CMSG_LEN (sizeof fd);
  memcpy (CMSG_DATA (cmsg), &fd, sizeof fd);
  if (sendmsg (DATA_FD, &message, MSG_NOSIGNAL) < 0)
    _exit (4); /* the manager does not even let one be sent */
}

static gboolean
break_hello (const char *mode)
{
  if (strcmp (mode, "text") == 0)
    rubbish_put (DATA_FD, "Hello, this is not a protocol at all\n", 37);
  else if (strcmp (mode, "closes") == 0)
    {
      close (DATA_FD);
      close (CONTROL_FD);
    }
  else if (strcmp (mode, "half-header") == 0)
    {
      rubbish_put (DATA_FD, "malt\001\001", 6);
      _exit (0);
    }
  else if (strcmp (mode, "hello-version") == 0)
    put_spoiled (MALT_FRAME_HELLO, 0, 4, 99);
  else if (strcmp (mode, "hello-type") == 0)
    put_spoiled (MALT_FRAME_HELLO, 0, 5, 77);
  else if (strcmp (mode, "hello-body") == 0)
    put_body (MALT_FRAME_HELLO, 0, "\001\002\003", 3, 3);
  else if (strcmp (mode, "hello-empty") == 0)
    put_body (MALT_FRAME_HELLO, 0, "", 0, 0);
  else if (strcmp (mode, "hello-large") == 0)
    put_body (MALT_FRAME_HELLO, 0, "", 0, 0x7fffffff);
  else if (strcmp (mode, "reply-first") == 0)
    put_frame (MALT_FRAME_VALUE, 1, value_body ());
  else
    return FALSE;

  return TRUE;
}

/* Ends, but under the eyes of a process that never looks, so that nobody can reap it. */
static void
exit_traced (void)
{
  pid_t self = getpid ();
  int ready[2];
  char done;

  prctl (PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  if (pipe (ready) < 0)
    _exit (6);

  if (fork () == 0)
    {
      setsid (); /* to survive the worker's process group */
      if (ptrace (PTRACE_SEIZE, self, NULL, NULL) < 0)
        _exit (6);
      close (DATA_FD);
      close (CONTROL_FD);
      if (write (ready[1], "", 1) < 0)
        _exit (6);
      sleep (5);
      _exit (0);
    }

  close (ready[1]);
  _exit (read (ready[0], &done, 1) == 1 ? 0 : 6);
}

/* A call of a function of the program's. */
static GVariant *
host_call_body (void)
{
  return g_variant_new_parsed ("('f', <(int64 1,)>, @a{sv} {})");
}

/* What a worker says of its own accord, in wrong ways. */
static gboolean
speak_wrongly (const char *mode,
               guint64     id)
{
  guint64 i;

  if (strcmp (mode, "host-call-unasked") == 0)
    put_frame (MALT_FRAME_HOST_CALL, 1, host_call_body ());
  else if (strcmp (mode, "says-host-value") == 0)
    put_frame (MALT_FRAME_HOST_VALUE, 1, value_body ());
  else if (strcmp (mode, "says-host-call-0") == 0)
    put_frame (MALT_FRAME_HOST_CALL, 0, host_call_body ());
  else if (strcmp (mode, "says-host-call-body") == 0)
    put_body (MALT_FRAME_HOST_CALL, 1, "\001\002\003", 3, 3);
  else if (strcmp (mode, "says-host-call-arguments") == 0)
    put_frame (MALT_FRAME_HOST_CALL, 1, g_variant_new_parsed ("('f', <int64 1>, @a{sv} {})"));
  else if (strcmp (mode, "says-host-call-no-name") == 0)
    put_frame (MALT_FRAME_HOST_CALL, 1, g_variant_new_parsed ("('', <()>, @a{sv} {})"));
  else if (strcmp (mode, "says-host-call-arena") == 0)
    put_spoiled (MALT_FRAME_HOST_CALL, 1, 6, MALT_FRAME_IN_ARENA);
  else if (strcmp (mode, "says-host-call-flags") == 0)
    put_spoiled (MALT_FRAME_HOST_CALL, 1, 6, MALT_FRAME_NO_REPLY);
  else if (strcmp (mode, "says-host-call-length") == 0)
    put_body (MALT_FRAME_HOST_CALL, 1, "", 0, 0xfffffff0);
  else if (strcmp (mode, "says-host-call-twice") == 0)
    for (i = 2; i > 0; i--)
      put_frame (MALT_FRAME_HOST_CALL, i, host_call_body ());
  else if (strcmp (mode, "says-host-call-flood") == 0)
    for (i = 1; ; i++)
      put_frame (MALT_FRAME_HOST_CALL, i, host_call_body ());
  else if (strcmp (mode, "says-host-call-65") == 0)
    for (i = 1; i <= 65; i++)
      put_frame (MALT_FRAME_HOST_CALL, i, host_call_body ());
  else if (strcmp (mode, "host-cancel-unasked") == 0 || strcmp (mode, "says-host-cancel-unknown") == 0)
    put_body (MALT_FRAME_HOST_CANCEL, 1, "", 0, 0);
  else if (strcmp (mode, "says-host-cancel-0") == 0)
    put_body (MALT_FRAME_HOST_CANCEL, 0, "", 0, 0);
  else if (strcmp (mode, "says-host-cancel-length") == 0)
    put_body (MALT_FRAME_HOST_CANCEL, 1, "text", 4, 4);
  else if (strcmp (mode, "says-host-cancel-often") == 0)
    {
      put_frame (MALT_FRAME_HOST_CALL, 1, host_call_body ());
      for (i = 0; i < 1000; i++)
        put_body (MALT_FRAME_HOST_CANCEL, 1, "", 0, 0);
      put_frame (MALT_FRAME_VALUE, id, value_body ());
    }
  else if (strcmp (mode, "says-progress-unknown") == 0)
    put_frame (MALT_FRAME_PROGRESS, id + 1000, g_variant_new ("(ds)", 0.5, ""));
  else if (strcmp (mode, "says-progress-fraction") == 0)
    put_frame (MALT_FRAME_PROGRESS, id, g_variant_new ("(ds)", 1.5, ""));
  else if (strcmp (mode, "says-progress-nan") == 0)
    put_frame (MALT_FRAME_PROGRESS, id, g_variant_new ("(ds)", NAN, ""));
  else if (strcmp (mode, "says-progress-text") == 0)
    put_body (MALT_FRAME_PROGRESS, id, "\0\0\0\0\0\0\0\0\377", 10, 10);
  else if (strcmp (mode, "says-progress-length") == 0)
    put_body (MALT_FRAME_PROGRESS, id, "", 0, 100000);
  else if (strcmp (mode, "says-output-unknown") == 0)
    put_body (MALT_FRAME_OUTPUT, id + 1000, "text", 4, 4);
  else if (strcmp (mode, "says-output-length") == 0)
    put_body (MALT_FRAME_OUTPUT, 0, "", 0, 65537);
  else if (strcmp (mode, "says-output-unasked") == 0)
    put_body (MALT_FRAME_OUTPUT, id, "text", 4, 4);
  else
    return FALSE;

  return TRUE;
}

static void
break_reply (const char *mode,
             guint64     id)
{
  if (speak_wrongly (mode, id))
    return;

  if (strcmp (mode, "magic") == 0)
    put_spoiled (MALT_FRAME_VALUE, id, 0, 'M');
  else if (strcmp (mode, "version") == 0)
    put_spoiled (MALT_FRAME_VALUE, id, 4, 99);
  else if (strcmp (mode, "type") == 0)
    put_spoiled (MALT_FRAME_VALUE, id, 5, 77);
  else if (strcmp (mode, "flags") == 0)
    put_spoiled (MALT_FRAME_VALUE, id, 6, 0x80);
  else if (strcmp (mode, "no-id") == 0)
    put_frame (MALT_FRAME_VALUE, 0, value_body ());
  else if (strcmp (mode, "unknown-id") == 0)
    put_frame (MALT_FRAME_VALUE, id + 1000, value_body ());
  else if (strcmp (mode, "twice") == 0)
    {
      put_frame (MALT_FRAME_VALUE, id, value_body ());
      put_frame (MALT_FRAME_VALUE, id, value_body ());
    }
  else if (strcmp (mode, "length") == 0)
    put_body (MALT_FRAME_VALUE, id, "", 0, 0xfffffff0);
  else if (strcmp (mode, "no-body") == 0)
    put_body (MALT_FRAME_VALUE, id, "", 0, 0);
  else if (strcmp (mode, "body") == 0)
    put_body (MALT_FRAME_VALUE, id, "\001\002\003", 3, 3);
  else if (strcmp (mode, "body-bool") == 0)
    put_body (MALT_FRAME_VALUE, id, "\007\000b", 3, 3);
  else if (strcmp (mode, "error-body") == 0)
    put_body (MALT_FRAME_ERROR, id, "\001\002\003", 3, 3);
  else if (strcmp (mode, "error-code") == 0)
    put_frame (MALT_FRAME_ERROR, id, g_variant_new ("(yumsmsms)", 0, 77, NULL, "?", NULL));
  else if (strcmp (mode, "error-domain") == 0)
    put_frame (MALT_FRAME_ERROR, id, g_variant_new ("(yumsmsms)", 9, 0, NULL, "?", NULL));
  else if (strcmp (mode, "second-hello") == 0)
    put_frame (MALT_FRAME_HELLO, 0, hello_body (mode));
  else if (strcmp (mode, "request") == 0)
    put_frame (MALT_FRAME_EVAL, id, g_variant_new ("(mss)", NULL, "1 + 1"));
  else if (strcmp (mode, "descriptor-count") == 0)
    put_spoiled (MALT_FRAME_VALUE, id, 20, 1);
  else if (strcmp (mode, "descriptor") == 0)
    put_with_descriptor (id);
  else if (strcmp (mode, "reserved") == 0)
    put_spoiled (MALT_FRAME_VALUE, id, 22, 1);
  else if (strcmp (mode, "control-reply") == 0)
    {
      guint8 header[MALT_FRAME_HEADER_SIZE];
      MaltFrame frame = { .type = MALT_FRAME_VALUE, .id = id };

      malt_frame_encode (&frame, header);
      rubbish_put (CONTROL_FD, header, sizeof header);
    }
  else if (strcmp (mode, "control-withdrawn") == 0)
    {
      guint8 header[MALT_FRAME_HEADER_SIZE];
      MaltFrame frame = { .type = MALT_FRAME_WITHDRAWN, .id = id };

      malt_frame_encode (&frame, header);
      rubbish_put (CONTROL_FD, header, sizeof header);
    }
  else if (strcmp (mode, "control-text") == 0)
    rubbish_put (CONTROL_FD, "What is this road for?  I will just write here.", 47);
  else if (strcmp (mode, "traced-exit") == 0)
    exit_traced ();
  else if (strcmp (mode, "half-and-exit") == 0)
    {
      put_body (MALT_FRAME_VALUE, id, "half", 4, 1000);
      _exit (0);
    }
  else if (strcmp (mode, "whole-and-exit") == 0)
    {
      put_frame (MALT_FRAME_VALUE, id, value_body ());
      _exit (0);
    }
  else if (strcmp (mode, "closes") == 0)
    {
      close (DATA_FD);
      close (CONTROL_FD);
    }
  else
    _exit (5);
}

int
main (int argc, char **argv)
{
  const char *mode = getenv ("RUBBISH");
  gboolean in_reply = g_str_has_prefix (mode, "reply:");

  rubbish_get_frame (DATA_FD);
  if (in_reply || !break_hello (mode))
    {
      put_frame (MALT_FRAME_HELLO, 0, hello_body (in_reply ? mode + strlen ("reply:") : mode));
      break_reply (mode + (in_reply ? strlen ("reply:") : 0), rubbish_get_frame (DATA_FD).id);
    }

  /* It is for the manager to end this. */
  for (;;)
    pause ();
}
