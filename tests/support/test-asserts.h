/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Asserts on all three parts of an error, the text by a glob pattern, and clears it. */
#define test_assert_error(error, domain, code, pattern) \
  test_assert_error_at (G_LOG_DOMAIN, __FILE__, __LINE__, G_STRFUNC, \
                        &(error), (domain), #domain, (code), #code, (pattern))

/* Asserts on a value by its text form with types, and drops it. */
#define test_assert_value(value, text) \
  test_assert_value_at (G_LOG_DOMAIN, __FILE__, __LINE__, G_STRFUNC, (value), (text))

#define test_assert_match(string, pattern) \
  test_assert_match_at (G_LOG_DOMAIN, __FILE__, __LINE__, G_STRFUNC, (string), (pattern))

void test_assert_error_at (const char  *domain,
                           const char  *file,
                           int          line,
                           const char  *function,
                           GError     **error,
                           GQuark       error_domain,
                           const char  *error_domain_name,
                           int          error_code,
                           const char  *error_code_name,
                           const char  *pattern);
void test_assert_value_at (const char  *domain,
                           const char  *file,
                           int          line,
                           const char  *function,
                           GVariant    *value,
                           const char  *text);
void test_assert_match_at (const char  *domain,
                           const char  *file,
                           int          line,
                           const char  *function,
                           const char  *string,
                           const char  *pattern);

G_END_DECLS
