/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib.h>
#include <string.h>

#include "malt-frame.h"
#include "malt-limits.h"

/* The header of a frame: what goes in comes out, and nothing else goes in. */

static void
test_bytes (void)
{
  static const guint8 expected[MALT_FRAME_HEADER_SIZE] = {
    'm', 'a', 'l', 't',
    1, MALT_FRAME_CALL, 2, 0,
    8, 7, 6, 5, 4, 3, 2, 1,
    4, 3, 2, 0, 0, 0, 0, 0,
  };
  MaltFrame frame = {
    .type = MALT_FRAME_CALL,
    .flags = MALT_FRAME_NO_REPLY,
    .id = G_GUINT64_CONSTANT (0x0102030405060708),
    .length = 0x020304,
  };
  guint8 header[MALT_FRAME_HEADER_SIZE];

  malt_frame_encode (&frame, header);
  g_assert_cmpmem (header, sizeof header, expected, sizeof expected);
}

static void
test_round_trip (void)
{
  guint8 type;

  for (type = MALT_FRAME_HELLO; type < MALT_FRAME_N_TYPES; type++)
    {
      gboolean has_id = type != MALT_FRAME_HELLO && type != MALT_FRAME_FAILED && type != MALT_FRAME_STOP &&
                        type != MALT_FRAME_RING;
      MaltFrame in = { .type = type, .id = has_id ? G_MAXUINT64 : 0, .n_descriptors = type == MALT_FRAME_RING ? 2 : 0 };
      MaltFrame out = { 0 };
      guint8 header[MALT_FRAME_HEADER_SIZE];
      g_autofree char *reason = NULL;

      malt_frame_encode (&in, header);
      g_assert_true (malt_frame_decode (header, &out, &reason));
      g_assert_null (reason);
      g_assert_cmpuint (out.type, ==, in.type);
      g_assert_cmpuint (out.flags, ==, in.flags);
      g_assert_cmpuint (out.id, ==, in.id);
      g_assert_cmpuint (out.length, ==, in.length);
      g_assert_cmpuint (out.n_descriptors, ==, in.n_descriptors);
      g_assert_cmpstr (malt_frame_type_name (type), !=, "unknown");
    }

  g_assert_cmpstr (malt_frame_type_name (0), ==, "unknown");
  g_assert_cmpstr (malt_frame_type_name (MALT_FRAME_N_TYPES), ==, "unknown");
}

typedef struct
{
  const char *name;
  MaltFrame   frame;
  int         offset; /* of a byte that is changed, or -1 */
  guint8      byte;
  const char *reason;
} Refusal;

static const Refusal refusals[] = {
  { "magic", { MALT_FRAME_VALUE, 0, 1, 0, 0 }, 0, 'M',
    "a frame begins with 0x746c614d instead of \"malt\"" },
  { "version", { MALT_FRAME_VALUE, 0, 1, 0, 0 }, 4, 2,
    "a frame is of protocol version 2 instead of 1" },
  { "type-zero", { 0, 0, 1, 0, 0 }, -1, 0,
    "a frame is of the unknown type 0" },
  { "type-beyond", { MALT_FRAME_N_TYPES, 0, 1, 0, 0 }, -1, 0,
    "a frame is of the unknown type 29" },
  { "flags", { MALT_FRAME_CALL, 0x8001, 1, 0, 0 }, -1, 0,
    "a frame of type call has the unknown flags 0x8000" },
  { "flags-of-another", { MALT_FRAME_VALUE, MALT_FRAME_NO_REPLY, 1, 0, 0 }, -1, 0,
    "a frame of type value has the unknown flags 0x0002" },
  { "no-id", { MALT_FRAME_CALL, 0, 0, 0, 0 }, -1, 0,
    "a frame of type call has the request id 0" },
  { "interrupt-without-id", { MALT_FRAME_INTERRUPT, 0, 0, 0, 0 }, -1, 0,
    "a frame of type interrupt has the request id 0" },
  { "id-of-nothing", { MALT_FRAME_STOP, 0, 7, 0, 0 }, -1, 0,
    "a frame of type stop has the request id 7" },
  { "length", { MALT_FRAME_VALUE, 0, 1, MALT_LIMIT_BODY_SIZE + 1, 0 }, -1, 0,
    "a frame of type value has a body of 67108865 bytes (limit 67108864)" },
  { "hello-length", { MALT_FRAME_HELLO, 0, 0, MALT_LIMIT_HELLO_SIZE + 1, 0 }, -1, 0,
    "a frame of type hello has a body of 65537 bytes (limit 65536)" },
  { "body-of-nothing", { MALT_FRAME_CANCEL, 0, 1, 1, 0 }, -1, 0,
    "a frame of type cancel has a body of 1 bytes (limit 0)" },
  { "descriptors", { MALT_FRAME_VALUE, 0, 1, 0, 3 }, -1, 0,
    "a frame of type value announces 3 descriptors" },
  { "ring-without-descriptors", { MALT_FRAME_RING, 0, 0, 0, 0 }, -1, 0,
    "a frame of type ring announces 0 descriptors" },
  { "padding", { MALT_FRAME_VALUE, 0, 1, 0, 0 }, 23, 1,
    "a frame of type value ends its header with 0x0100 instead of 0" },
};

static void
test_refusal (gconstpointer data)
{
  const Refusal *refusal = data;
  MaltFrame out = { .type = 99 };
  guint8 header[MALT_FRAME_HEADER_SIZE];
  g_autofree char *reason = NULL;

  malt_frame_encode (&refusal->frame, header);
  if (refusal->offset >= 0)
    header[refusal->offset] = refusal->byte;

  g_assert_false (malt_frame_decode (header, &out, &reason));
  g_assert_cmpstr (reason, ==, refusal->reason);
  g_assert_cmpuint (out.type, ==, 99);
}

int
main (int    argc,
      char **argv)
{
  gsize i;

  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/frame/bytes", test_bytes);
  g_test_add_func ("/frame/round-trip", test_round_trip);
  for (i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      g_autofree char *path = g_strconcat ("/frame/refused/", refusals[i].name, NULL);

      g_test_add_data_func (path, &refusals[i], test_refusal);
    }

  return g_test_run ();
}
