/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* The bodies of frames.
 *
 * Writing copies each value once.  What comes from the application is looked at as the
 * other end will, and fails with MALT_ERROR_SERIALIZATION if that would not take it, or if
 * it is over @max_size.  Names and source have to be valid UTF-8 already, and @arguments
 * is a tuple, or %NULL for none; @keywords is an a{sv} or %NULL; a @value of %NULL is
 * nothing.
 *
 * Reading looks at every byte before it believes any; nobody else may be able to change
 * them meanwhile.  @body keeps the bytes, and the values that are read keep @body; if it
 * is %NULL the bytes are only lent for the call, and the values have copies of theirs.
 * Names and source are not copied, but lie in the bytes.  Arguments, keywords and values
 * that are empty or nothing are %NULL. */

#define MALT_MESSAGE_SMALL 496

/* A body on its way out.  One that is small is in here and needs no memory of its own, so
 * that this does not have to outlive the function that writes it. */
typedef struct
{
  gconstpointer        data;
  gsize                size;
  guint8              *block;                     /* that has the data, if @small has not */
  _Alignas (8) guint8  small[MALT_MESSAGE_SMALL]; /* not initialised */
} MaltMessage;

/* FALSE leaves nothing to clear.  What was written must not be moved: @data can point into
 * the struct. */
gboolean  malt_message_write_call       (MaltMessage    *self,
                                         const char     *function,
                                         GVariant       *arguments,
                                         GVariant       *keywords,
                                         gsize           max_size,
                                         GError        **error);
gboolean  malt_message_write_eval       (MaltMessage    *self,
                                         const char     *module,
                                         const char     *source,
                                         gsize           max_size,
                                         GError        **error);
gboolean  malt_message_write_value      (MaltMessage    *self,
                                         GVariant       *value,
                                         gsize           max_size,
                                         GError        **error);
void      malt_message_write_channel    (MaltMessage    *self,
                                         guint32         id,
                                         guint           capacity,
                                         guint           credit);
/* Whether a value can be written. */
gboolean  malt_message_check_value      (GVariant       *value,
                                         gsize           max_size,
                                         GError        **error);
void      malt_message_clear            (MaltMessage    *self);
/* What is written as bytes that last, for those that cannot go out at once.  Clears it. */
GBytes   *malt_message_take_bytes       (MaltMessage    *self);

gboolean  malt_message_read_call        (gconstpointer   data,
                                         gsize           size,
                                         GBytes         *body,
                                         const char    **function,
                                         GVariant      **arguments,
                                         GVariant      **keywords,
                                         GError        **error);
gboolean  malt_message_read_eval        (gconstpointer   data,
                                         gsize           size,
                                         const char    **module,
                                         const char    **source,
                                         GError        **error);
gboolean  malt_message_read_value       (gconstpointer   data,
                                         gsize           size,
                                         GBytes         *body,
                                         GVariant      **value,
                                         GError        **error);
gboolean  malt_message_read_channel     (gconstpointer   data,
                                         gsize           size,
                                         guint32        *id,
                                         guint          *capacity,
                                         guint          *credit,
                                         GError        **error);
GError   *malt_message_read_error       (gconstpointer   data,
                                         gsize           size,
                                         GError        **error);

/* The same of a program's function, which may fail with any code that there is. */
GError   *malt_message_read_host_error  (gconstpointer   data,
                                         gsize           size,
                                         GError        **error);
/* The text is a copy. */
gboolean  malt_message_read_progress    (gconstpointer   data,
                                         gsize           size,
                                         double         *fraction,
                                         char          **text,
                                         GError        **error);

GVariant *malt_message_read_dictionary  (gconstpointer   data,
                                         gsize           size,
                                         GError        **error);

/* Bodies that last. */
GBytes   *malt_message_new_call         (const char     *function,
                                         GVariant       *arguments,
                                         GVariant       *keywords,
                                         gsize           max_size,
                                         GError        **error);
GBytes   *malt_message_new_error        (const GError   *failure);
GBytes   *malt_message_new_progress     (double          fraction,
                                         const char     *text);

G_END_DECLS
