/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-frame.h"

#include <string.h>

#include "malt-limits.h"

/* The header of a frame, little-endian:
 *
 *    0  guint32  magic, "malt"
 *    4  guint8   protocol version
 *    5  guint8   type
 *    6  guint16  flags
 *    8  guint64  id of a request or a channel, or 0
 *   16  guint32  length of the body
 *   20  guint16  number of descriptors that come with it
 *   22  guint16  zero
 *
 * Both functions are pure, so that they can be fuzzed. */

typedef enum
{
  ID_NONE,
  ID_REQUIRED,
  ID_ANY,
} IdRule;

typedef struct
{
  const char *name;
  guint16     flags;      /* that may be set */
  IdRule      id;
  guint32     max_length; /* of the body */
} FrameRule;

static const FrameRule rules[MALT_FRAME_N_TYPES] = {
  [MALT_FRAME_HELLO]     = { "hello",     0, ID_NONE, MALT_LIMIT_HELLO_SIZE },
  [MALT_FRAME_FAILED]    = { "failed",    0, ID_NONE, MALT_LIMIT_HELLO_SIZE },
  [MALT_FRAME_CALL]      = { "call",      MALT_FRAME_NO_VALUE | MALT_FRAME_NO_REPLY | MALT_FRAME_IN_ARENA, ID_REQUIRED, MALT_LIMIT_BODY_SIZE },
  [MALT_FRAME_EVAL]      = { "eval",      MALT_FRAME_NO_VALUE | MALT_FRAME_NO_REPLY, ID_REQUIRED, MALT_LIMIT_BODY_SIZE },
  [MALT_FRAME_VALUE]     = { "value",     MALT_FRAME_IN_ARENA, ID_REQUIRED, MALT_LIMIT_BODY_SIZE },
  [MALT_FRAME_ERROR]     = { "error",     0, ID_REQUIRED, MALT_LIMIT_ERROR_TEXT + MALT_LIMIT_TRACEBACK + 4096 },
  [MALT_FRAME_CANCEL]    = { "cancel",    MALT_FRAME_UNBEGUN, ID_REQUIRED, 0 },
  [MALT_FRAME_WITHDRAWN] = { "withdrawn", 0, ID_REQUIRED, 0 },
  [MALT_FRAME_INTERRUPT] = { "interrupt", MALT_FRAME_UP_TO, ID_REQUIRED, 0 },
  [MALT_FRAME_STOP]      = { "stop",      0, ID_NONE, 0 },
  [MALT_FRAME_RING]      = { "ring",      0, ID_NONE, 16 },
  [MALT_FRAME_OPEN]      = { "open",      0, ID_REQUIRED, MALT_LIMIT_BODY_SIZE },
  [MALT_FRAME_CHANNEL]   = { "channel",   0, ID_REQUIRED, 12 },
  [MALT_FRAME_ITEM]      = { "item",      MALT_FRAME_IN_ARENA, ID_REQUIRED, MALT_LIMIT_BODY_SIZE },
  [MALT_FRAME_CREDIT]    = { "credit",    MALT_FRAME_MORE, ID_REQUIRED, 0 },
  [MALT_FRAME_HOST_CALL]  = { "host-call",  MALT_FRAME_IN_ARENA | MALT_FRAME_STALLS, ID_REQUIRED, MALT_LIMIT_BODY_SIZE },
  [MALT_FRAME_HOST_VALUE] = { "host-value", MALT_FRAME_IN_ARENA, ID_REQUIRED, MALT_LIMIT_BODY_SIZE },
  [MALT_FRAME_HOST_ERROR] = { "host-error", 0, ID_REQUIRED, MALT_LIMIT_ERROR_TEXT + MALT_LIMIT_TRACEBACK + 4096 },
  [MALT_FRAME_PROGRESS]   = { "progress",   0, ID_REQUIRED, MALT_LIMIT_PROGRESS_TEXT + 128 },
  [MALT_FRAME_OUTPUT]     = { "output",     MALT_FRAME_STDERR, ID_ANY, MALT_LIMIT_OUTPUT_FRAME },
  [MALT_FRAME_CLOSE]     = { "close",     0, ID_REQUIRED, 0 },
  [MALT_FRAME_FINISH]    = { "finish",    0, ID_REQUIRED, 0 },
  [MALT_FRAME_PROBE]     = { "probe",     0, ID_REQUIRED, 0 },
  [MALT_FRAME_LEAVE]     = { "leave",     0, ID_REQUIRED, 0 },
  [MALT_FRAME_WANT]      = { "want",      0, ID_REQUIRED, 0 },
  [MALT_FRAME_RECALL]    = { "recall",    0, ID_REQUIRED, 0 },
  [MALT_FRAME_RETURN]    = { "return",    0, ID_REQUIRED, 0 },
  [MALT_FRAME_HOST_CANCEL] = { "host-cancel", 0, ID_REQUIRED, 0 },
};

/* Only the ring brings any: with or without arenas. */
static gboolean
may_have_descriptors (guint8  type,
                      guint16 n)
{
  return type == MALT_FRAME_RING ? n >= 2 && n <= 4 : n == 0;
}

static inline void
put_u16 (guint8 *bytes, guint16 value)
{
  value = GUINT16_TO_LE (value);
  memcpy (bytes, &value, sizeof value);
}

static inline void
put_u32 (guint8 *bytes, guint32 value)
{
  value = GUINT32_TO_LE (value);
  memcpy (bytes, &value, sizeof value);
}

static inline void
put_u64 (guint8 *bytes, guint64 value)
{
  value = GUINT64_TO_LE (value);
  memcpy (bytes, &value, sizeof value);
}

static inline guint16
get_u16 (const guint8 *bytes)
{
  guint16 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT16_FROM_LE (value);
}

static inline guint32
get_u32 (const guint8 *bytes)
{
  guint32 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT32_FROM_LE (value);
}

static inline guint64
get_u64 (const guint8 *bytes)
{
  guint64 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT64_FROM_LE (value);
}

void
malt_frame_encode (const MaltFrame *frame,
                   guint8           header[MALT_FRAME_HEADER_SIZE])
{
  put_u32 (header, MALT_FRAME_MAGIC);
  header[4] = MALT_PROTOCOL_VERSION;
  header[5] = frame->type;
  put_u16 (header + 6, frame->flags);
  put_u64 (header + 8, frame->id);
  put_u32 (header + 16, frame->length);
  put_u16 (header + 20, frame->n_descriptors);
  put_u16 (header + 22, 0);
}

/* Whether the header is one that the protocol allows; @frame is set only then. */
gboolean
malt_frame_decode (const guint8   header[MALT_FRAME_HEADER_SIZE],
                   MaltFrame     *frame,
                   char         **reason)
{
  guint32 magic = get_u32 (header);
  guint8 version = header[4];
  guint8 type = header[5];
  guint16 flags = get_u16 (header + 6);
  guint64 id = get_u64 (header + 8);
  guint32 length = get_u32 (header + 16);
  guint16 n_descriptors = get_u16 (header + 20);
  guint16 zero = get_u16 (header + 22);
  const FrameRule *rule;

  if (magic != MALT_FRAME_MAGIC)
    *reason = g_strdup_printf ("a frame begins with 0x%08x instead of \"malt\"", magic);
  else if (version != MALT_PROTOCOL_VERSION)
    *reason = g_strdup_printf ("a frame is of protocol version %u instead of %u",
                               version, MALT_PROTOCOL_VERSION);
  else if (type >= MALT_FRAME_N_TYPES || rules[type].name == NULL)
    *reason = g_strdup_printf ("a frame is of the unknown type %u", type);
  else
    {
      rule = &rules[type];

      if ((flags & ~rule->flags) != 0)
        *reason = g_strdup_printf ("a frame of type %s has the unknown flags 0x%04x",
                                   rule->name, flags & ~rule->flags);
      else if (rule->id != ID_ANY && (rule->id == ID_REQUIRED) != (id != 0))
        *reason = g_strdup_printf ("a frame of type %s has the request id %" G_GUINT64_FORMAT,
                                   rule->name, id);
      else if (length > rule->max_length)
        *reason = g_strdup_printf ("a frame of type %s has a body of %u bytes (limit %u)",
                                   rule->name, length, rule->max_length);
      else if (!may_have_descriptors (type, n_descriptors))
        *reason = g_strdup_printf ("a frame of type %s announces %u descriptors", rule->name, n_descriptors);
      else if (zero != 0)
        *reason = g_strdup_printf ("a frame of type %s ends its header with 0x%04x instead of 0",
                                   rule->name, zero);
      else
        {
          *frame = (MaltFrame) { type, flags, id, length, n_descriptors };
          return TRUE;
        }
    }

  return FALSE;
}

const char *
malt_frame_type_name (guint8 type)
{
  return type < MALT_FRAME_N_TYPES && rules[type].name != NULL ? rules[type].name : "unknown";
}
