/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"

GVariant *malt_gjs_to_variant           (JSContext                   *cx,
                                         JS::HandleValue              value,
                                         gboolean                     share,
                                         GError                     **error);
GVariant *malt_gjs_arguments_to_variant (JSContext                   *cx,
                                         const JS::HandleValueArray  &arguments,
                                         guint                        n_around,
                                         GError                     **error);
GVariant *malt_gjs_keywords_to_variant  (JSContext                   *cx,
                                         JS::HandleValue              keywords,
                                         GError                     **error);
