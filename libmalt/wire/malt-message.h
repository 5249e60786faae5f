/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* The bodies of frames.  Building gives a floating variant.  Parsing takes the body
 * over, looks at every byte before it believes any, and gives values that keep the
 * memory they live in. */

GVariant *malt_message_new_call         (const char    *function,
                                         GVariant      *arguments,
                                         GVariant      *keywords);
gboolean  malt_message_parse_call       (GBytes        *body,
                                         char         **function,
                                         GVariant     **arguments,
                                         GVariant     **keywords,
                                         GError       **error);

GVariant *malt_message_new_eval         (const char    *module,
                                         const char    *source);
gboolean  malt_message_parse_eval       (GBytes        *body,
                                         char         **module,
                                         char         **source,
                                         GError       **error);

GVariant *malt_message_new_value        (GVariant      *value);
GVariant *malt_message_parse_value      (GBytes        *body,
                                         GError       **error);

GVariant *malt_message_new_error        (const GError  *failure);
GError   *malt_message_parse_error      (GBytes        *body,
                                         GError       **error);

gboolean  malt_message_check            (GVariant      *body,
                                         const char    *what,
                                         gsize          max_size,
                                         GError       **error);

GVariant *malt_message_parse_dictionary (GBytes        *body,
                                         GError       **error);

G_END_DECLS
