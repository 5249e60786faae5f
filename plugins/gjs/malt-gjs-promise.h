/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

/* Who has failed: the class of what is thrown depends on it. */
typedef enum
{
  MALT_GJS_BY_LIBRARY, /* a channel, or the conversion of a value */
  MALT_GJS_BY_HOST,    /* a function of the program's */
} MaltGjsBy;

/* A promise that is settled from C. */
typedef struct _MaltGjsPromise MaltGjsPromise;

MaltGjsPromise *malt_gjs_promise_new     (MaltGjsEngine          *engine,
                                          JS::MutableHandleValue  promise);
void            malt_gjs_promise_settle  (MaltGjsPromise         *self,
                                          GVariant               *value,
                                          MaltGjsBy               by,
                                          const GError           *error);

void            malt_gjs_throw           (MaltGjsEngine          *engine,
                                          MaltGjsBy               by,
                                          const GError           *error);
