/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#ifdef __has_feature
#define TEST_HAS_FEATURE(feature) __has_feature (feature)
#else
#define TEST_HAS_FEATURE(feature) 0
#endif

/* Whether this build runs under a sanitizer, where everything takes longer. */
#if defined(__SANITIZE_THREAD__) || TEST_HAS_FEATURE (thread_sanitizer)
#define TEST_THREAD_SANITIZED 1
#else
#define TEST_THREAD_SANITIZED 0
#endif
#if defined(__SANITIZE_ADDRESS__) || TEST_HAS_FEATURE (address_sanitizer)
#define TEST_SANITIZED 1
#else
#define TEST_SANITIZED TEST_THREAD_SANITIZED
#endif

void test_watchdog_start (void);
void test_watchdog_stop  (void);

G_END_DECLS
