/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>

#include "malt-frame.h"
#include "rubbish.h"

/* A worker program with one channel, number 1, that breaks the protocol in the way that the
 * environment variable RUBBISH names: when it is opened, or has been. */

#define DATA_FD    3
#define CONTROL_FD 4
#define CAPACITY   10

static void
put_frame (MaltFrameType  type,
           guint64        id,
           GVariant      *body)
{
  rubbish_put_frame (DATA_FD, type, id, body);
}

static void
put_number (MaltFrameType type,
            guint32       channel,
            guint32       number)
{
  put_frame (type, MALT_FRAME_CHANNEL_ID (channel, number), NULL);
}

/* As only the manager may. */
static void
put_more_credit (void)
{
  MaltFrame frame = { .type = MALT_FRAME_CREDIT, .flags = MALT_FRAME_MORE, .id = MALT_FRAME_CHANNEL_ID (1, 1) };
  guint8 header[MALT_FRAME_HEADER_SIZE];

  malt_frame_encode (&frame, header);
  rubbish_put (DATA_FD, header, sizeof header);
}

static void
put_item (guint32 channel)
{
  put_frame (MALT_FRAME_ITEM, channel, g_variant_new_variant (g_variant_new_int64 (1)));
}

static void
say_hello (void)
{
  GVariantBuilder builder;

  rubbish_get_frame (DATA_FD);
  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "channels", g_variant_new_boolean (TRUE));
  put_frame (MALT_FRAME_HELLO, 0, g_variant_builder_end (&builder));
}

static void
answer (guint64 id,
        guint32 channel,
        guint32 capacity,
        guint32 credit)
{
  put_frame (MALT_FRAME_CHANNEL, id, g_variant_new ("(uuu)", channel, capacity, credit));
}

/* How a request for a channel can be answered wrongly. */
static gboolean
break_opening (const char *mode,
               guint64     id)
{
  if (strcmp (mode, "zero-id") == 0)
    answer (id, 0, CAPACITY, 0);
  else if (strcmp (mode, "zero-capacity") == 0)
    answer (id, 1, 0, 0);
  else if (strcmp (mode, "much-capacity") == 0)
    answer (id, 1, 0x80000000, 0);
  else if (strcmp (mode, "much-credit") == 0)
    answer (id, 1, CAPACITY, CAPACITY + 1);
  else if (strcmp (mode, "window") == 0)
    answer (id, 1, 2000, 1025);
  else if (strcmp (mode, "short-body") == 0)
    put_frame (MALT_FRAME_CHANNEL, id, g_variant_new_uint32 (1));
  else if (strcmp (mode, "unknown-request") == 0)
    answer (id + 1000, 1, CAPACITY, 0);
  else if (strcmp (mode, "value") == 0)
    put_frame (MALT_FRAME_VALUE, id, g_variant_new_variant (g_variant_new_int64 (1)));
  else
    return FALSE;

  return TRUE;
}

static void
break_channel (const char *mode)
{
  guint i;

  if (strcmp (mode, "item-unasked") == 0)
    put_item (1);
  else if (strcmp (mode, "items") == 0)
    {
      rubbish_get_frame (CONTROL_FD); /* the credit */
      for (i = 0; i < CAPACITY + 1; i++)
        put_item (1);
    }
  else if (strcmp (mode, "large-items") == 0)
    {
      g_autofree guint8 *data = g_malloc0 (1000000);

      rubbish_get_frame (CONTROL_FD);
      for (i = 0; i < 2; i++)
        put_frame (MALT_FRAME_ITEM, 1,
                   g_variant_new_variant (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, 1000000, 1)));
    }
  else if (strcmp (mode, "item-elsewhere") == 0)
    put_item (7);
  else if (strcmp (mode, "item-number") == 0)
    put_frame (MALT_FRAME_ITEM, MALT_FRAME_CHANNEL_ID (1, 1), g_variant_new_variant (g_variant_new_int64 (1)));
  else if (strcmp (mode, "item-body") == 0)
    put_frame (MALT_FRAME_ITEM, 1, g_variant_new_string ("no variant"));
  else if (strcmp (mode, "item-after-finish") == 0)
    {
      put_number (MALT_FRAME_FINISH, 1, 0);
      put_item (1);
    }
  else if (strcmp (mode, "finish-twice") == 0)
    {
      put_number (MALT_FRAME_FINISH, 1, 0);
      put_number (MALT_FRAME_FINISH, 1, 0);
    }
  else if (strcmp (mode, "item-control") == 0)
    rubbish_put_frame (CONTROL_FD, MALT_FRAME_ITEM, 1, NULL);
  else if (strcmp (mode, "credit") == 0)
    put_number (MALT_FRAME_CREDIT, 1, 1);
  else if (strcmp (mode, "credit-zero") == 0)
    put_number (MALT_FRAME_CREDIT, 1, 0);
  else if (strcmp (mode, "credit-more") == 0)
    put_more_credit ();
  else if (strcmp (mode, "credit-huge") == 0)
    put_number (MALT_FRAME_CREDIT, 1, G_MAXUINT32);
  else if (strcmp (mode, "probe") == 0)
    put_number (MALT_FRAME_PROBE, 1, 1);
  else if (strcmp (mode, "probe-number") == 0)
    put_number (MALT_FRAME_PROBE, 1, 2);
  else if (strcmp (mode, "recall") == 0)
    put_number (MALT_FRAME_RECALL, 1, 0);
  else if (strcmp (mode, "recall-number") == 0)
    put_number (MALT_FRAME_RECALL, 1, 1);
  else if (strcmp (mode, "leave") == 0)
    put_number (MALT_FRAME_LEAVE, 1, 0);
  else if (strcmp (mode, "close-elsewhere") == 0)
    put_number (MALT_FRAME_CLOSE, 2, 0);
  else if (strcmp (mode, "want") == 0)
    put_number (MALT_FRAME_WANT, 1, 1);
  else if (strcmp (mode, "return") == 0)
    put_number (MALT_FRAME_RETURN, 1, 1);
  else if (strcmp (mode, "open") == 0)
    put_frame (MALT_FRAME_OPEN, 1, g_variant_new ("(mss)", NULL, "x"));
  else
    _exit (5);
}

/* How the second request can be answered wrongly. */
static void
break_second (const char *mode,
              guint64     id)
{
  guint i;

  if (strcmp (mode, "other-capacity") == 0)
    answer (id, 1, CAPACITY + 1, 0);
  else if (strcmp (mode, "credit-again") == 0)
    answer (id, 1, CAPACITY, 1);
  else if (strcmp (mode, "used-id") == 0)
    answer (id, 1, CAPACITY, 0);
  else if (strcmp (mode, "for-a-call") == 0)
    answer (id, 2, CAPACITY, 0);
  else if (strcmp (mode, "nothing-recalled") == 0)
    {
      /* Says that there is a recall to be read, and there is none. */
      for (i = 0; i < 1000; i++)
        rubbish_put_frame (CONTROL_FD, MALT_FRAME_RECALL, 1, NULL);
      put_frame (MALT_FRAME_VALUE, id, g_variant_new_variant (g_variant_new_int64 (1)));
    }
  else
    _exit (5);
}

int
main (int argc, char **argv)
{
  const char *mode = g_getenv ("RUBBISH");
  guint64 id;

  say_hello ();
  id = rubbish_get_frame (DATA_FD).id;
  if (!break_opening (mode, id))
    {
      answer (id, 1, CAPACITY, CAPACITY);
      if (strcmp (mode, "second:used-id") == 0)
        {
          put_number (MALT_FRAME_FINISH, 1, 0);
          rubbish_get_frame (DATA_FD); /* leave */
          put_number (MALT_FRAME_LEAVE, 1, 0);
        }
      if (g_str_has_prefix (mode, "second:"))
        break_second (mode + strlen ("second:"), rubbish_get_frame (DATA_FD).id);
      else
        break_channel (mode);
    }

  /* It is for the manager to end this. */
  for (;;)
    pause ();
}
