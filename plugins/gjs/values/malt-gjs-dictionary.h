/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"

/* Dictionaries of variants (a{sv} and a{xv}) as bytes, without a GVariant for each of their
 * parts. */

/* One that is written. */
typedef struct
{
  guint8  *data;
  gsize    size;
  gsize    allocated;
  GArray  *ends;       /* of gsize: where each entry ends */
  gsize    start;      /* where the entry begins that is written */
  gsize    key_end;    /* where its key ends, from there, if that is text; else 0 */
  gboolean is_starved; /* there was no memory: what is added goes nowhere */
} MaltGjsDictionaryWriter;

void      malt_gjs_dictionary_writer_init     (MaltGjsDictionaryWriter *self);
void      malt_gjs_dictionary_writer_clear    (MaltGjsDictionaryWriter *self);
void      malt_gjs_dictionary_writer_text_key (MaltGjsDictionaryWriter *self,
                                               const char              *text,
                                               gsize                    size);
void      malt_gjs_dictionary_writer_int_key  (MaltGjsDictionaryWriter *self,
                                               gint64                   number);
void      malt_gjs_dictionary_writer_basic    (MaltGjsDictionaryWriter *self,
                                               char                     type,
                                               gconstpointer            data,
                                               gsize                    size);
void      malt_gjs_dictionary_writer_value    (MaltGjsDictionaryWriter *self,
                                               GVariant                *value);
GVariant *malt_gjs_dictionary_writer_end      (MaltGjsDictionaryWriter *self,
                                               const GVariantType      *type);

/* One that is read, of the type a{sv}. */
typedef struct
{
  GVariant     *value;      /* not owned */
  const guint8 *data;
  gsize         size;
  gsize         n;
  gsize         end;        /* of the latest entry */
} MaltGjsDictionaryReader;

/* An entry; what it refers to is that of the dictionary. */
typedef struct
{
  const char   *key;
  gsize         key_size;
  const guint8 *value;
  gsize         value_size;
  char          type;       /* of the value if that is one letter; else 0 */
} MaltGjsDictionaryEntry;

gboolean  malt_gjs_dictionary_reader_init     (MaltGjsDictionaryReader *self,
                                               GVariant                *value);
void      malt_gjs_dictionary_reader_get      (MaltGjsDictionaryReader *self,
                                               gsize                    i,
                                               MaltGjsDictionaryEntry  *entry);
