/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

/* Every bound on what one end of a connection accepts from the other.  They are
 * the receiver's own; nothing that a peer says raises them. */

/* A frame: its body, when it goes through the connection byte by byte. */
#define MALT_LIMIT_BODY_SIZE            (64u * 1024 * 1024)
/* A value, whatever way it goes; the launcher may lower it. */
#define MALT_LIMIT_VALUE_SIZE           (1024u * 1024 * 1024)
/* A type string, also of each variant inside a value. */
#define MALT_LIMIT_TYPE_STRING          255
/* Containers inside each other, variants included. */
#define MALT_LIMIT_DEPTH                32
/* Values in one body; the elements of arrays that need no look are not counted. */
#define MALT_LIMIT_VALUES               (4u * 1024 * 1024)
/* Descriptors that one read has room for, so that all can be closed. */
#define MALT_LIMIT_DESCRIPTORS          16
/* Requests of one worker that were sent and not answered. */
#define MALT_LIMIT_UNFINISHED           65536
/* Bytes that wait to be written to one worker. */
#define MALT_LIMIT_QUEUED_OUTPUT        (64u * 1024 * 1024)
/* Bytes of cancel, interrupt and stop frames that do: two for each unanswered request. */
#define MALT_LIMIT_QUEUED_CONTROL       (2u * 65536 * 24)
/* One dispatch of one worker's replies, before others get their turn. */
#define MALT_LIMIT_DISPATCH_FRAMES      64
#define MALT_LIMIT_DISPATCH_BYTES       (1024u * 1024)
/* Texts of a remote exception. */
#define MALT_LIMIT_ERROR_TEXT           (16u * 1024)
#define MALT_LIMIT_TRACEBACK            (64u * 1024)
/* What is kept of a stream, for the exit info and the start error. */
#define MALT_LIMIT_CAPTURED_OUTPUT      (16u * 1024)
/* Output read from workers that the manager has not yet written. */
#define MALT_LIMIT_FORWARDED_OUTPUT     (1024u * 1024)
/* Calls of the program's functions by one worker that are not answered; the arguments of one
 * that can always be made; and how much the arguments of larger ones may be before no other
 * larger one may be made. */
#define MALT_LIMIT_HOST_CALLS           64
#define MALT_LIMIT_SMALL_HOST_CALL      (1024u * 1024)
#define MALT_LIMIT_HOST_ARGUMENTS       (64u * 1024 * 1024)
/* Progress and output that the program has yet to be told of. */
#define MALT_LIMIT_PROGRESS_TEXT        (16u * 1024)
#define MALT_LIMIT_UNHEARD_PROGRESS     (1024u * 1024)
#define MALT_LIMIT_UNHEARD_REQUESTS     65536
#define MALT_LIMIT_UNHEARD_OUTPUT       (16u * 1024 * 1024)
#define MALT_LIMIT_OUTPUT_FRAME         (64u * 1024)
/* The hello. */
#define MALT_LIMIT_HELLO_SIZE           (64u * 1024)
#define MALT_LIMIT_HELLO_MSEC           60000
/* How long either end may wait actively, at most and by default. */
#define MALT_LIMIT_SPIN_USEC            1000000
#define MALT_DEFAULT_SPIN_USEC          50
/* Bytes on their way in one direction of a ring. */
#define MALT_DEFAULT_RING_SIZE          (64u * 1024)
/* The arena of one worker and direction: addresses, which cost memory only where they
 * were written. */
#if GLIB_SIZEOF_SIZE_T >= 8
#define MALT_LIMIT_ARENA_SIZE           ((gsize) 4096 * 1024 * 1024)
#else
#define MALT_LIMIT_ARENA_SIZE           ((gsize) 256 * 1024 * 1024)
#endif
/* Memory of an arena that is kept though it is free. */
#define MALT_LIMIT_ARENA_WARM           (64u * 1024 * 1024)
/* Values in an arena at once. */
#define MALT_ARENA_SLOTS                4096u
