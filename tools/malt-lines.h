/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _MaltLines MaltLines;

typedef enum
{
  MALT_LINE_READ,
  MALT_LINE_INVALID,
  MALT_LINE_CLEARED,
  MALT_LINE_END,
} MaltLineResult;

MaltLines      *malt_lines_new            (void);
void            malt_lines_free           (MaltLines   *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltLines, malt_lines_free)

MaltLineResult  malt_lines_read           (MaltLines   *self,
                                           const char  *prompt,
                                           char       **line);
void            malt_lines_clear          (MaltLines   *self);
void            malt_lines_interject      (MaltLines   *self,
                                           const char  *text);
gboolean        malt_lines_is_interactive (MaltLines   *self);

G_END_DECLS
