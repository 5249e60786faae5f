/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "malt-frame.h"
#include "value-oracle.h"

/* The input is a frame: the header, then the body. */

/* GLib can take long for more. */
#define MAX_BODY 4096

static const char *
body_type (guint8 frame_type)
{
  switch (frame_type)
    {
    case MALT_FRAME_HELLO:
      return "a{sv}";
    case MALT_FRAME_CALL:
      return "(sva{sv})";
    case MALT_FRAME_EVAL:
      return "(mss)";
    case MALT_FRAME_VALUE:
      return "v";
    case MALT_FRAME_FAILED:
    case MALT_FRAME_ERROR:
      return "(yumsmsms)";
    default:
      return NULL;
    }
}

static void
check (gboolean    holds,
       const char *promise)
{
  if (!holds)
    {
      g_printerr ("not so: %s\n", promise);
      abort ();
    }
}

int
LLVMFuzzerTestOneInput (const guint8 *data,
                        gsize         size)
{
  g_autofree char *reason = NULL;
  MaltFrame frame, untouched, again;
  guint8 header[MALT_FRAME_HEADER_SIZE];
  const char *type;

  if (size < MALT_FRAME_HEADER_SIZE || size > MALT_FRAME_HEADER_SIZE + MAX_BODY)
    return 0;

  memset (&frame, 0x5a, sizeof frame);
  memset (&untouched, 0x5a, sizeof untouched);

  if (!malt_frame_decode (data, &frame, &reason))
    {
      check (memcmp (&frame, &untouched, sizeof frame) == 0, "a frame is set only when it is good");
      check (reason != NULL && g_utf8_validate (reason, -1, NULL), "a bad frame has a reason");
      return 0;
    }

  check (reason == NULL, "a good frame has no reason");
  check (malt_frame_type_name (frame.type) != NULL, "a good frame's type has a name");

  malt_frame_encode (&frame, header);
  check (memcmp (header, data, sizeof header) == 0, "there is one header for a frame");
  check (malt_frame_decode (header, &again, &reason) &&
         again.type == frame.type && again.flags == frame.flags && again.id == frame.id &&
         again.length == frame.length && again.n_descriptors == frame.n_descriptors,
         "what was encoded is decoded");

  type = body_type (frame.type);
  if (type != NULL)
    value_oracle_compare (G_VARIANT_TYPE (type), data + sizeof header, size - sizeof header);

  return 0;
}
