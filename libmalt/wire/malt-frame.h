/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What goes over the wire: a header of fixed size, then a body.  docs/protocol.md
 * is normative. */

#define MALT_FRAME_HEADER_SIZE  24
#define MALT_FRAME_MAGIC        0x746c616du /* "malt" */
#define MALT_PROTOCOL_VERSION   1

typedef enum
{
  MALT_FRAME_HELLO = 1, /* both ways, first */
  MALT_FRAME_FAILED,    /* to the manager, instead of its hello: why not */
  MALT_FRAME_CALL,      /* to the worker */
  MALT_FRAME_EVAL,      /* to the worker */
  MALT_FRAME_VALUE,     /* to the manager: how a request ended */
  MALT_FRAME_ERROR,     /* to the manager: how a request ended */
  MALT_FRAME_CANCEL,    /* to the worker, control road */
  MALT_FRAME_WITHDRAWN, /* to the manager, control road: it had not started */
  MALT_FRAME_INTERRUPT, /* to the worker, control road */
  MALT_FRAME_STOP,      /* to the worker, control road */
  MALT_FRAME_RING,      /* to the worker, after its hello: go on there */
  MALT_FRAME_OPEN,      /* to the worker: give a channel */
  MALT_FRAME_CHANNEL,   /* to the manager: here it is */
  MALT_FRAME_ITEM,      /* both ways: what was put into a channel */
  MALT_FRAME_CREDIT,    /* both ways, to the worker on the control road: more may be sent */
  MALT_FRAME_HOST_CALL, /* to the manager: a function of the program's is called */
  MALT_FRAME_HOST_VALUE, /* to the worker: how that ended */
  MALT_FRAME_HOST_ERROR, /* to the worker: how that ended */
  MALT_FRAME_PROGRESS,  /* to the manager: how far a request has got */
  MALT_FRAME_OUTPUT,    /* to the manager: what its code has printed */
  MALT_FRAME_CLOSE,     /* both ways: no more can be put */
  MALT_FRAME_FINISH,    /* to the manager: no more will come, and the channel's id is gone */
  MALT_FRAME_PROBE,     /* both ways, to the worker on the control road: say when you have sent */
  MALT_FRAME_LEAVE,     /* both ways: the channel is not needed here; its id is gone */
  MALT_FRAME_WANT,      /* to the worker, control road: somebody waits, also for what came from here */
  MALT_FRAME_RECALL,    /* to the manager: give back what was not taken; on the control road: such
                           a frame has to be read */
  MALT_FRAME_RETURN,    /* to the worker, control road: what was not taken is given back */
  MALT_FRAME_HOST_CANCEL, /* to the manager: nobody waits for a function of the program's; on the
                             control road: such a frame has to be read */
  MALT_FRAME_N_TYPES
} MaltFrameType;

enum
{
  /* Of a call or evaluation. */
  MALT_FRAME_NO_VALUE = 1 << 0,
  MALT_FRAME_NO_REPLY = 1 << 1,
  /* Of a call, a value or an item: its arguments, or itself, are in the arena. */
  MALT_FRAME_IN_ARENA = 1 << 3,
  /* Of a call of the program's functions: no request begins before it is answered. */
  MALT_FRAME_STALLS   = 1 << 4,
  /* Of output: it is that of standard error. */
  MALT_FRAME_STDERR   = 1 << 5,
  /* Of credit to the worker: it is beyond what was taken. */
  MALT_FRAME_MORE     = 1 << 7,
  /* Of an interrupt: whatever runs now, but no request that is later than this. */
  MALT_FRAME_UP_TO    = 1 << 2,
  /* Of cancel: only if the request has not begun. */
  MALT_FRAME_UNBEGUN  = 1 << 6,
};

typedef struct
{
  guint8  type;
  guint16 flags;
  guint64 id;
  guint32 length;        /* of the body, in bytes */
  guint16 n_descriptors;
} MaltFrame;

/* The id of a frame about a channel is that of the channel and, of some types, also a number. */
#define MALT_FRAME_CHANNEL_ID(channel, number) ((guint64) (channel) | (guint64) (number) << 32)
#define MALT_FRAME_ID_CHANNEL(id)              ((guint32) (id))
#define MALT_FRAME_ID_NUMBER(id)               ((guint32) ((id) >> 32))

void          malt_frame_encode    (const MaltFrame  *frame,
                                    guint8            header[MALT_FRAME_HEADER_SIZE]);
gboolean      malt_frame_decode    (const guint8      header[MALT_FRAME_HEADER_SIZE],
                                    MaltFrame        *frame,
                                    char            **reason);
const char   *malt_frame_type_name (guint8            type);

G_END_DECLS
