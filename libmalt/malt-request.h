/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

#define MALT_TYPE_REQUEST (malt_request_get_type ())

MALT_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (MaltRequest, malt_request, MALT, REQUEST, GObject)

MALT_AVAILABLE_IN_1_0
MaltRequestKind   malt_request_get_kind         (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
MaltRequestFlags  malt_request_get_flags        (MaltRequest      *self);
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
guint64           malt_request_get_id           (MaltRequest      *self);
MALT_AVAILABLE_IN_1_0
void              malt_request_set_id           (MaltRequest      *self,
                                                 guint64           id);
MALT_AVAILABLE_IN_1_0
gboolean          malt_request_is_done          (MaltRequest      *self);
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

G_END_DECLS
