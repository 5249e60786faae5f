/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

#include "malt-channel.h"
#include "malt-worker.h"

G_BEGIN_DECLS

#define MALT_TYPE_RESULT (malt_result_get_type ())
G_DECLARE_FINAL_TYPE (MaltResult, malt_result, MALT, RESULT, GObject)

MaltResult   *malt_result_new           (gpointer              source,
                                         gpointer              tag,
                                         GAsyncReadyCallback   callback,
                                         gpointer              user_data);
MaltResult   *malt_result_new_in        (GMainContext         *context,
                                         gpointer              source,
                                         gpointer              tag,
                                         GAsyncReadyCallback   callback,
                                         gpointer              user_data);
GMainContext *malt_result_get_context   (MaltResult           *self);
void          malt_result_return        (MaltResult           *self,
                                         GVariant             *value,
                                         GError               *error);
void          malt_result_return_later  (MaltResult           *self,
                                         GVariant             *value,
                                         GError               *error);
void          malt_result_set_channel   (MaltResult           *self,
                                         MaltChannel          *channel);
GVariant     *malt_result_finish        (GAsyncResult         *result,
                                         gpointer              source,
                                         GError              **error);
MaltChannel  *malt_result_finish_channel (GAsyncResult        *result,
                                         MaltWorker           *worker,
                                         GError              **error);

G_END_DECLS
