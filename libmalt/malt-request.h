/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

#define MALT_TYPE_REQUEST (malt_request_get_type ())

/**
 * MaltHostAnswer: (skip)
 * @request: the request that has ended
 * @value: (nullable) (transfer full): its value
 * @error: (nullable) (transfer full): or what went wrong
 * @user_data: what it was given with
 *
 * Told once how a request ended.  It is called on the thread that has finished the request,
 * and must neither block nor run code that is not the backend's own.
 *
 * Since: 1.0
 */
typedef void (* MaltHostAnswer) (MaltRequest *request,
                                 GVariant    *value,
                                 GError      *error,
                                 gpointer     user_data);

MALT_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (MaltRequest, malt_request, MALT, REQUEST, GObject)

MALT_AVAILABLE_IN_1_0
MaltRequestKind   malt_request_get_kind         (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
MaltRequestFlags  malt_request_get_flags        (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
gboolean          malt_request_stalls           (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
const char       *malt_request_get_function     (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
GVariant         *malt_request_get_arguments    (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
GVariant         *malt_request_get_keywords     (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
const char       *malt_request_get_module       (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
const char       *malt_request_get_source       (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
GCancellable     *malt_request_get_cancellable  (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
GMainContext     *malt_request_get_context      (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
gboolean          malt_request_is_attended      (MaltRequest      *self);

MALT_AVAILABLE_IN_1_0
guint64           malt_request_get_id           (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
void              malt_request_set_id           (MaltRequest      *self,
                                                 guint64           id);
MALT_AVAILABLE_IN_1_0
gboolean          malt_request_is_done          (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
void              malt_request_set_begun        (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
gboolean          malt_request_has_begun        (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
void              malt_request_interrupt        (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
gboolean          malt_request_is_interrupted   (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
GBytes           *malt_request_new_buffer       (MaltRequest      *self,
                                                 gsize             size,
                                                 gpointer         *data);
MALT_AVAILABLE_IN_1_0
void              malt_request_defer            (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
gboolean          malt_request_is_deferred      (MaltRequest      *self);

MALT_AVAILABLE_IN_1_0
void              malt_request_return_value     (MaltRequest      *self,
                                                 GVariant         *value);
MALT_AVAILABLE_IN_1_0
void              malt_request_return_channel   (MaltRequest      *self,
                                                 MaltChannel      *channel);
MALT_AVAILABLE_IN_1_0
void              malt_request_return_error     (MaltRequest      *self,
                                                 GError           *error);
MALT_AVAILABLE_IN_1_0
void              malt_request_return_new_error (MaltRequest      *self,
                                                 GQuark            domain,
                                                 int               code,
                                                 const char       *format,
                                                 ...) G_GNUC_PRINTF (4, 5);
MALT_AVAILABLE_IN_1_0
void              malt_request_return_exception (MaltRequest      *self,
                                                 const char       *type,
                                                 const char       *message,
                                                 const char       *traceback);
MALT_AVAILABLE_IN_1_0
void              malt_request_return_withdrawn (MaltRequest      *self);

/* For the code behind a request */

MALT_AVAILABLE_IN_1_0
void              malt_request_report_progress  (MaltRequest          *self,
                                                 double                fraction,
                                                 const char           *text);
MALT_AVAILABLE_IN_1_0
GVariant         *malt_request_call_host        (MaltRequest          *self,
                                                 const char           *function,
                                                 GVariant             *arguments,
                                                 GVariant             *keywords,
                                                 GError              **error);
MALT_AVAILABLE_IN_1_0
void              malt_request_call_host_async  (MaltRequest          *self,
                                                 const char           *function,
                                                 GVariant             *arguments,
                                                 GVariant             *keywords,
                                                 GAsyncReadyCallback   callback,
                                                 gpointer              user_data);
MALT_AVAILABLE_IN_1_0
GVariant         *malt_request_call_host_finish (MaltRequest          *self,
                                                 GAsyncResult         *result,
                                                 GError              **error);

/* For backends */

MALT_AVAILABLE_IN_1_0
MaltRequest      *malt_request_new_host_call    (const char           *function,
                                                 GVariant             *arguments,
                                                 GVariant             *keywords,
                                                 MaltHostAnswer        answer,
                                                 gpointer              user_data);

G_END_DECLS
