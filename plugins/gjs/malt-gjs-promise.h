/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

/* A promise that is settled from C. */
typedef struct _MaltGjsPromise MaltGjsPromise;

MaltGjsPromise *malt_gjs_promise_new     (MaltGjsEngine          *engine,
                                          JS::MutableHandleValue  promise);
void            malt_gjs_promise_resolve (MaltGjsPromise         *self,
                                          GVariant               *value);
void            malt_gjs_promise_reject  (MaltGjsPromise         *self,
                                          const GError           *error);

void            malt_gjs_throw           (MaltGjsEngine          *engine,
                                          const GError           *error);
