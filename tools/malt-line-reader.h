/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _MaltLineReader MaltLineReader;

/* There is something to take, or the end, or an error. */
typedef void (* MaltLineReaderFunc) (gpointer user_data);

MaltLineReader *malt_line_reader_new      (int                  fd,
                                           MaltLineReaderFunc   func,
                                           gpointer             user_data);
void            malt_line_reader_free     (MaltLineReader      *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltLineReader, malt_line_reader_free)

GBytes         *malt_line_reader_take     (MaltLineReader      *self);
gboolean        malt_line_reader_is_done  (MaltLineReader      *self);
const GError   *malt_line_reader_error    (MaltLineReader      *self);
void            malt_line_reader_want     (MaltLineReader      *self);
void            malt_line_reader_stop     (MaltLineReader      *self);

G_END_DECLS
