/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-connection.h"

G_BEGIN_DECLS

/* What a main context has to do with a connection from which it awaits something; see
 * malt-listener.c. */

typedef struct _MaltListenerSource MaltListenerSource;

typedef struct
{
  gatomicrefcount     ref_count;

  /* Immutable. */
  MaltConnection     *connection;   /* owned */
  MaltListenerSource *source;       /* owned; that of the context */
  int                 fd;           /* readable when there is something to read */

  /* Guarded by the connection's lock. */
  guint               n_awaited;
  gboolean            stays;        /* it polls also while nothing is awaited, as something was
                                       since it woke last */

  /* Guarded by the source's lock. */
  GList               due_link;     /* among those that want to be prepared, if it is */
  GList               shared_link;  /* among those that let others poll once the context wakes */
  GList               watch_link;   /* among those with a source of their own for the descriptor, or
                                       else those that the epoll descriptor watches */
  gboolean            is_due;
  gboolean            is_shared;
  gboolean            is_watched;
  gboolean            is_detached;
  GSource            *bell;         /* the source of its own, or NULL */
} MaltListener;

MaltListener *malt_listener_new       (MaltConnection *connection,
                                       int             fd,
                                       GMainContext   *context);
MaltListener *malt_listener_ref       (MaltListener   *self);
void          malt_listener_unref     (MaltListener   *self);
void          malt_listener_detach    (MaltListener   *self);
gboolean      malt_listener_is_of     (MaltListener   *self,
                                       GMainContext   *context);
gboolean      malt_listener_is_gone   (MaltListener   *self);
gboolean      malt_listener_prompt    (MaltListener   *self);
gboolean      malt_listener_wake      (MaltListener   *self);
void          malt_listener_settle    (MaltListener   *self);
gboolean      malt_listener_share     (MaltListener   *self);
void          malt_listener_watch     (MaltListener   *self);
void          malt_listener_unwatch   (MaltListener   *self);

G_END_DECLS
