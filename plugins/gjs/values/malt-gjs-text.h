/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"

/* Text: UTF-16 with anything in it in JavaScript, UTF-8 without NUL in C. */

/* What a text has in it that UTF-8 or a C string cannot hold. */
typedef enum
{
  MALT_GJS_TEXT_SOUND,
  MALT_GJS_TEXT_SURROGATE,
  MALT_GJS_TEXT_NUL,
} MaltGjsFlaw;

char     *malt_gjs_text_to_utf8  (JSContext        *cx,
                                  JS::HandleString  string,
                                  gsize            *size,
                                  MaltGjsFlaw      *flaw,
                                  gsize            *where);
char     *malt_gjs_text_escape   (JSContext        *cx,
                                  JS::HandleString  string);
JSString *malt_gjs_text_new      (JSContext        *cx,
                                  const char       *text,
                                  gssize            size);
