/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-dictionary.h"

#include <string.h>

#include "malt-offset.h"

/* As GVariants each entry would be four of them, in a tree that is then written and freed: that
 * takes more time than everything else about a large dictionary.
 *
 * How it is laid out says the GVariant specification.  Entries begin at multiples of eight.  A
 * text as a key ends with NUL, and where it ends is noted at the end of the entry.  The value
 * begins at the next multiple of eight, and has its type behind it, after a NUL.  At the end of
 * the whole is noted where each entry ends.  Such notes are little-endian, as wide as the size
 * of what they are in needs. */

#define ALIGNMENT 8

/* Writing. */

void
malt_gjs_dictionary_writer_init (MaltGjsDictionaryWriter *self)
{
  *self = (MaltGjsDictionaryWriter) {};
  self->ends = g_array_new (FALSE, FALSE, sizeof (gsize));
}

void
malt_gjs_dictionary_writer_clear (MaltGjsDictionaryWriter *self)
{
  g_clear_pointer (&self->data, g_free);
  g_clear_pointer (&self->ends, g_array_unref);
}

/* Room for so much more, up to the next multiple of eight; %NULL if there is no memory. */
static guint8 *
reserve (MaltGjsDictionaryWriter *self,
         gsize                    size)
{
  gsize needed = self->size + size + ALIGNMENT;

  if (needed > self->allocated && !self->is_starved)
    {
      gsize allocated = MAX (MAX (needed, self->allocated * 2), 256);
      guint8 *data = (guint8 *) g_try_realloc (self->data, allocated);

      self->is_starved = data == NULL;
      if (data != NULL)
        {
          self->data = data;
          self->allocated = allocated;
        }
    }

  return self->is_starved ? NULL : self->data + self->size;
}

static void
append (MaltGjsDictionaryWriter *self,
        gconstpointer            data,
        gsize                    size)
{
  guint8 *room = reserve (self, size);

  if (room != NULL && size > 0)
    {
      memcpy (room, data, size);
      self->size += size;
    }
}

static void
append_note (MaltGjsDictionaryWriter *self,
             gsize                    note,
             guint                    width)
{
  guint8 bytes[8];

  malt_offset_write (bytes, note, width);
  append (self, bytes, width);
}

static void
pad (MaltGjsDictionaryWriter *self)
{
  gsize size = malt_offset_align (self->size) - self->size;
  guint8 *room = reserve (self, size);

  if (room != NULL)
    {
      memset (room, 0, size);
      self->size += size;
    }
}

/* Begins an entry, of which the value is to follow.  @text has a NUL behind it. */
void
malt_gjs_dictionary_writer_text_key (MaltGjsDictionaryWriter *self,
                                     const char              *text,
                                     gsize                    size)
{
  pad (self);
  self->start = self->size;
  append (self, text, size + 1);
  self->key_end = size + 1;
  pad (self);
}

void
malt_gjs_dictionary_writer_int_key (MaltGjsDictionaryWriter *self,
                                    gint64                   number)
{
  pad (self);
  self->start = self->size;
  append (self, &number, sizeof number);
  self->key_end = 0;
}

/* Ends an entry whose value is there, with the type of that. */
static void
end_entry (MaltGjsDictionaryWriter *self,
           const char              *type)
{
  append (self, "", 1);
  append (self, type, strlen (type));
  if (self->key_end > 0)
    append_note (self, self->key_end, malt_offset_size_for (self->size - self->start, 1));
  g_array_append_val (self->ends, self->size);
}

/* A value of a basic type, which are these bytes: those of a text with its NUL. */
void
malt_gjs_dictionary_writer_basic (MaltGjsDictionaryWriter *self,
                                  char                     type,
                                  gconstpointer            data,
                                  gsize                    size)
{
  const char type_string[] = { type, '\0' };

  append (self, data, size);
  end_entry (self, type_string);
}

/* Any value. */
void
malt_gjs_dictionary_writer_value (MaltGjsDictionaryWriter *self,
                                  GVariant                *value)
{
  gsize size = g_variant_get_size (value);
  guint8 *room = reserve (self, size);

  if (room != NULL && size > 0)
    {
      g_variant_store (value, room);
      self->size += size;
    }
  end_entry (self, g_variant_get_type_string (value));
}

/* The whole, floating; or %NULL if there was no memory for it.  Clears the writer. */
GVariant *
malt_gjs_dictionary_writer_end (MaltGjsDictionaryWriter *self,
                                const GVariantType      *type)
{
  guint width = malt_offset_size_for (self->size, self->ends->len);
  GVariant *value = NULL;
  guint8 *data;
  guint i;

  if (self->ends->len > 0)
    reserve (self, self->ends->len * width);
  for (i = 0; i < self->ends->len; i++)
    append_note (self, g_array_index (self->ends, gsize, i), width);

  if (!self->is_starved)
    {
      data = (guint8 *) g_steal_pointer (&self->data);
      value = g_variant_new_from_data (type, data, self->size, TRUE, g_free, data);
    }
  malt_gjs_dictionary_writer_clear (self);
  return value;
}

/* Reading. */

/* FALSE if it has to be read in another way. */
gboolean
malt_gjs_dictionary_reader_init (MaltGjsDictionaryReader *self,
                                 GVariant                *value)
{
  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_VARDICT) || !g_variant_is_normal_form (value))
    return FALSE;

  self->value = value;
  self->data = (const guint8 *) g_variant_get_data (value);
  self->size = g_variant_get_size (value);
  self->n = g_variant_n_children (value);
  self->end = 0;
  return TRUE;
}

/* The entry @i, where each is got in its turn. */
void
malt_gjs_dictionary_reader_get (MaltGjsDictionaryReader *self,
                                gsize                    i,
                                MaltGjsDictionaryEntry  *entry)
{
  guint width = malt_offset_size_for (self->size, 0);
  gsize start = malt_offset_align (self->end);
  gsize end = malt_offset_read (self->data + self->size - (self->n - i) * width, width);
  guint key_width = malt_offset_size_for (end - start, 0);
  gsize key_end = malt_offset_read (self->data + end - key_width, key_width);
  gsize value_start = malt_offset_align (start + key_end);
  const guint8 *type = self->data + end - key_width - 1;

  entry->key = (const char *) self->data + start;
  entry->key_size = key_end - 1;
  entry->value = self->data + value_start;
  entry->type = type[-1] == '\0' ? (char) *type : '\0';
  entry->value_size = (gsize) (type - 1 - entry->value);
  self->end = end;
}
