/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What the binding for GJS reaches by introspection.  The rest it calls as functions of
 * JavaScript, which malt_js_open() defines: that is ten times as fast, but they cannot look
 * into the objects that GJS wraps.  So one side gives such a thing here, and the other takes
 * it. */

#define MALT_JS_AVAILABLE __attribute__ ((visibility ("default")))

MALT_JS_AVAILABLE
gboolean  malt_js_open         (GError   **error);

MALT_JS_AVAILABLE
void      malt_js_give_object  (GObject   *object);
MALT_JS_AVAILABLE
void      malt_js_give_variant (GVariant  *variant);

MALT_JS_AVAILABLE
GObject  *malt_js_take_object  (void);
MALT_JS_AVAILABLE
GObject  *malt_js_take_worker  (void);
MALT_JS_AVAILABLE
GVariant *malt_js_take_variant (void);
MALT_JS_AVAILABLE
gboolean  malt_js_take_error   (GError   **error);

MALT_JS_AVAILABLE
void      malt_js_guard        (GObject   *object);
MALT_JS_AVAILABLE
void      malt_js_guard_class  (GType      type);
MALT_JS_AVAILABLE
void      malt_js_link         (GCancellable *from,
                                GCancellable *to);

G_END_DECLS
