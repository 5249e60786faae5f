/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-channel.h"
#include "malt-request.h"

G_BEGIN_DECLS

/* Told once how a request ended: with (transfer full) a value or an error, or neither if
 * the request has MALT_REQUEST_FLAGS_NO_REPLY.  It runs no foreign code, and may be called
 * on any thread. */
typedef MaltHostAnswer MaltRequestResponder;

/* Gives room for a value that needs no copy on its way, or %NULL.  On any thread. */
typedef GBytes *(* MaltRequestAllocator) (gsize     size,
                                          gpointer *data,
                                          gpointer  user_data);

/* What a backend that lives in a context has been told of a request. */
typedef enum
{
  MALT_REQUEST_STEP_SUBMITTED = 1 << 0,
  MALT_REQUEST_STEP_CANCELLED = 1 << 1,
} MaltRequestStep;

MaltRequest *malt_request_new_start     (void);
MaltRequest *malt_request_new_call      (const char            *function,
                                         GVariant              *arguments,
                                         GVariant              *keywords,
                                         MaltRequestFlags       flags);
MaltRequest *malt_request_take_call     (const char            *function,
                                         GVariant              *arguments,
                                         GVariant              *keywords,
                                         MaltRequestFlags       flags);
MaltRequest *malt_request_new_eval      (const char            *module,
                                         const char            *source,
                                         MaltRequestFlags       flags);

MaltRequest *malt_request_new_channel   (const char            *module,
                                         const char            *expression,
                                         MaltRequestFlags       flags);

void         malt_request_set_responder (MaltRequest           *self,
                                         MaltRequestResponder   responder,
                                         gpointer               user_data);
MaltRequestResponder
             malt_request_exchange_responder
                                        (MaltRequest           *self,
                                         MaltRequestResponder   responder,
                                         gpointer               user_data,
                                         gpointer              *former_data);
void         malt_request_set_allocator (MaltRequest           *self,
                                         MaltRequestAllocator   allocator,
                                         gpointer               user_data);
void         malt_request_set_context   (MaltRequest           *self,
                                         GMainContext          *context,
                                         gboolean               is_attended);
void         malt_request_set_runtime   (MaltRequest           *self,
                                         MaltRuntime           *runtime);
MaltRuntime *malt_request_get_owner     (MaltRequest           *self);
void         malt_request_set_serial    (MaltRequest           *self,
                                         guint64                serial);
guint64      malt_request_get_serial    (MaltRequest           *self);

void         malt_request_set_stalls    (MaltRequest           *self,
                                         gboolean               stalls);
/* Drops a reference, as g_object_unref() does; for whoever may well have the last one, as
 * the request is then kept for the next call. */
void         malt_request_release       (MaltRequest           *self);
gboolean     malt_request_is_disposing  (MaltRequest           *self);

gboolean     malt_request_check_call    (const char            *function,
                                         GVariant              *arguments,
                                         GVariant              *keywords,
                                         GError               **error);

/* For the responder of one that was finished with a channel. */
MaltChannel *malt_request_get_channel   (MaltRequest           *self);

gboolean     malt_request_abandon       (MaltRequest           *self);
gboolean     malt_request_take_step     (MaltRequest           *self,
                                         MaltRequestStep        step);
gboolean     malt_request_is_withdrawn  (MaltRequest           *self);
char        *malt_request_describe      (MaltRequest           *self);

G_END_DECLS
