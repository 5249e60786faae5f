/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* The bodies of frames.
 *
 * Building makes one block of bytes, each value being copied once.  What comes from the
 * application is looked at as the other end will, and fails with
 * MALT_ERROR_SERIALIZATION if that would not take it, or if it is over @max_size.
 *
 * Parsing looks at every byte before it believes any, and gives values that keep the
 * body they live in.  A body of %NULL is empty. */

GBytes   *malt_message_new_call         (const char    *function,
                                         GVariant      *arguments,
                                         GVariant      *keywords,
                                         gsize          max_size,
                                         GError       **error);
gboolean  malt_message_parse_call       (GBytes        *body,
                                         const char   **function,
                                         GVariant     **arguments,
                                         GVariant     **keywords,
                                         GError       **error);

GBytes   *malt_message_new_eval         (const char    *module,
                                         const char    *source,
                                         gsize          max_size,
                                         GError       **error);
gboolean  malt_message_parse_eval       (GBytes        *body,
                                         const char   **module,
                                         const char   **source,
                                         GError       **error);

GBytes   *malt_message_new_value        (GVariant      *value,
                                         gsize          max_size,
                                         GError       **error);
gboolean  malt_message_parse_value      (GBytes        *body,
                                         GVariant     **value,
                                         GError       **error);

GBytes   *malt_message_new_error        (const GError  *failure);
GError   *malt_message_parse_error      (GBytes        *body,
                                         GError       **error);

GVariant *malt_message_parse_dictionary (GBytes        *body,
                                         GError       **error);

G_END_DECLS
