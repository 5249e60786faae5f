/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "test-case.h"

G_BEGIN_DECLS

/* Channels of a worker, which are named by letters, and what can be called there: see
 * native-channels.c.  Everything has to succeed. */

const char  *test_channel_function      (TestCase     *self,
                                         const char   *name);
GVariant    *test_channel_call          (TestCase     *self,
                                         const char   *name,
                                         GVariant     *arguments);
void         test_channel_do            (TestCase     *self,
                                         const char   *name,
                                         GVariant     *arguments);
TestAnswer  *test_channel_start         (TestCase     *self,
                                         const char   *name,
                                         GVariant     *arguments);
MaltChannel *test_channel_try_open      (TestCase     *self,
                                         const char   *name,
                                         GError      **error);
MaltChannel *test_channel_open          (TestCase     *self,
                                         const char   *name);
MaltChannel *test_channel_make          (TestCase     *self,
                                         const char   *name,
                                         gint64        capacity);
void         test_channel_put           (MaltChannel  *channel,
                                         gint64        number);
gint64       test_channel_take          (MaltChannel  *channel);
void         test_channel_assert_closed (MaltChannel  *channel);
const char  *test_channel_text          (gint64        number);

G_END_DECLS
