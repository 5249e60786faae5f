/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

typedef struct _MaltSession MaltSession;

/* Ctrl-C came while nothing was being done. */
typedef void (* MaltSessionIdleFunc) (gpointer user_data);

MaltSession *malt_session_new            (MaltLauncher         *launcher,
                                          guint                 patience);
void         malt_session_free           (MaltSession          *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltSession, malt_session_free)

gboolean     malt_session_start          (MaltSession          *self,
                                          GError              **error);
GVariant    *malt_session_call           (MaltSession          *self,
                                          const char           *function,
                                          GVariant             *arguments,
                                          GVariant             *keywords,
                                          int                   timeout_msec,
                                          GError              **error);
GVariant    *malt_session_eval           (MaltSession          *self,
                                          const char           *module,
                                          const char           *source,
                                          int                   timeout_msec,
                                          GError              **error);
void         malt_session_stop           (MaltSession          *self);

void         malt_session_set_idle_func  (MaltSession          *self,
                                          MaltSessionIdleFunc   func,
                                          gpointer              user_data);
MaltWorker  *malt_session_get_worker     (MaltSession          *self);
gboolean     malt_session_take_interrupt (MaltSession          *self);

G_END_DECLS
