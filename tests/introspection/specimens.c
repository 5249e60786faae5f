/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "specimens.h"

#include <string.h>

/**
 * specimens_get_version:
 *
 * Returns: 1
 */
int
specimens_get_version (void)
{
  return 1;
}

/**
 * specimens_join:
 * @first: text
 * @second: (nullable): more text
 * @separator: (nullable): what is between them, or a comma
 *
 * Returns: (transfer full): both
 */
char *
specimens_join (const char *first,
                const char *second,
                const char *separator)
{
  return g_strjoin (separator != NULL ? separator : ",", first, second, NULL);
}

/**
 * specimens_latin1:
 *
 * Returns: (transfer full): what is not UTF-8
 */
char *
specimens_latin1 (void)
{
  return g_strdup ("caf\xe9");
}

/**
 * specimens_wait:
 * @cancellable: (nullable): what ends it
 * @error: an error
 *
 * Returns: never anything
 */
int
specimens_wait (GCancellable  *cancellable,
                GError       **error)
{
  GPollFD poll_fd;

  if (!g_cancellable_make_pollfd (cancellable, &poll_fd))
    return -1;
  while (!g_cancellable_is_cancelled (cancellable))
    g_poll (&poll_fd, 1, -1);
  g_cancellable_release_fd (cancellable);
  g_cancellable_set_error_if_cancelled (cancellable, error);

  return 0;
}

/**
 * specimens_fail:
 * @domain: a domain
 * @code: a code
 * @message: a message
 * @error: an error
 *
 * Returns: %FALSE
 */
gboolean
specimens_fail (const char  *domain,
                int          code,
                const char  *message,
                GError     **error)
{
  g_set_error_literal (error, g_quark_from_string (domain), code, message);
  return FALSE;
}

/**
 * specimens_mirror:
 * @point: a point
 * @mirrored: (out caller-allocates): the point on the other side
 */
void
specimens_mirror (const SpecimensPoint *point,
                  SpecimensPoint       *mirrored)
{
  mirrored->x = -point->x;
  mirrored->y = point->y;
  mirrored->is_fixed = !point->is_fixed;
}

/**
 * specimens_line:
 * @n: how many
 *
 * Returns: (transfer full) (element-type SpecimensPoint): points in a line
 */
GList *
specimens_line (guint n)
{
  GList *list = NULL;

  while (n-- > 0)
    {
      SpecimensPoint *point = g_new0 (SpecimensPoint, 1);

      point->x = n;
      list = g_list_prepend (list, point);
    }

  return list;
}

/**
 * specimens_sum_points:
 * @points: (array length=n): points
 * @n: how many
 *
 * Returns: the sum of all coordinates
 */
double
specimens_sum_points (const SpecimensPoint *points,
                      gsize                 n)
{
  double sum = 0;

  for (gsize i = 0; i < n; i++)
    sum += points[i].x + points[i].y;
  return sum;
}

SpecimensColour
specimens_colour (int number)
{
  return number;
}

int
specimens_colour_number (SpecimensColour colour)
{
  return colour;
}

SpecimensParts
specimens_parts (guint bits)
{
  return bits;
}

guint
specimens_parts_bits (SpecimensParts parts)
{
  return parts;
}

/**
 * specimens_fill:
 * @buffer: (out caller-allocates) (array length=size): what is filled
 * @size: its size
 */
void
specimens_fill (guint8 *buffer,
                gsize   size)
{
  for (gsize i = 0; i < size; i++)
    buffer[i] = (guint8) i;
}

/**
 * specimens_fill_some:
 * @buffer: (out caller-allocates) (array length=size): what is filled
 * @size: (inout): its size, and how much of it was filled
 *
 * Returns: how much was not filled
 */
gssize
specimens_fill_some (guint8 *buffer,
                     gsize  *size)
{
  gsize left = *size / 2;

  *size -= left;
  specimens_fill (buffer, *size);
  return (gssize) left;
}

/**
 * specimens_fill_more:
 * @buffer: (out caller-allocates) (array length=size): what would be filled
 * @size: (inout): its size, and how much that should have been
 */
void
specimens_fill_more (guint8 *buffer,
                     gsize  *size)
{
  specimens_fill (buffer, *size);
  *size = 1000000;
}

/**
 * specimens_dot:
 * @a: (array length=n): a vector
 * @b: (array length=n): a vector of the same length
 * @n: the length of both
 *
 * Returns: their product
 */
double
specimens_dot (const double *a,
               const double *b,
               gsize         n)
{
  double sum = 0;

  for (gsize i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

/**
 * specimens_weigh:
 * @weights: (nullable) (array length=n): numbers, or %NULL for ones
 * @values: (nullable) (array length=n): as many numbers, or %NULL
 * @n: how many
 *
 * Returns: their sum
 */
double
specimens_weigh (const double *weights,
                 const double *values,
                 gsize         n)
{
  double sum = 0;

  for (gsize i = 0; i < n; i++)
    sum += (weights != NULL ? weights[i] : 1) * (values != NULL ? values[i] : 1);

  return sum;
}

/**
 * specimens_product:
 * @numbers: (array zero-terminated=1): numbers
 *
 * Returns: their product
 */
int
specimens_product (const int *numbers)
{
  int product = 1;

  for (; *numbers != 0; numbers++)
    product *= *numbers;

  return product;
}

/**
 * specimens_skip:
 * @text: text
 * @n: how many bytes
 *
 * Returns: (transfer full): what is wrong, as it is a part of @text
 */
char *
specimens_skip (char  *text,
                gsize  n)
{
  return text + MIN (n, strlen (text));
}

/**
 * specimens_advance:
 * @text: (inout) (transfer full): text, and what comes after its first byte, which is wrong
 */
void
specimens_advance (char **text)
{
  if (**text != '\0')
    ++*text;
}

/**
 * specimens_words:
 * @bytes: text
 *
 * Returns: (transfer full): its words
 */
char **
specimens_words (GBytes *bytes)
{
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);
  g_autofree char *text = g_strndup (data != NULL ? data : "", size);

  return g_strsplit (text, " ", -1);
}

/**
 * specimens_take_everything:
 * @text: (transfer full): text
 * @strv: (transfer full) (array zero-terminated=1): texts
 * @list: (transfer full) (element-type utf8): texts
 * @array: (transfer full) (element-type utf8): texts
 * @table: (transfer full) (element-type utf8 utf8): texts
 * @bytes: (transfer full): bytes
 * @variant: (transfer full): a variant
 * @last: a number
 *
 * Returns: (transfer full): how many of everything there were
 */
char *
specimens_take_everything (char       *text,
                           char      **strv,
                           GList      *list,
                           GPtrArray  *array,
                           GHashTable *table,
                           GBytes     *bytes,
                           GVariant   *variant,
                           int         last)
{
  char *result = g_strdup_printf ("%s %u %u %u %u %" G_GSIZE_FORMAT " %s %d", text, g_strv_length (strv),
                                  g_list_length (list), array->len, g_hash_table_size (table),
                                  g_bytes_get_size (bytes), g_variant_get_type_string (variant), last);

  g_free (text);
  g_strfreev (strv);
  g_list_free_full (list, g_free);
  g_ptr_array_unref (array);
  g_hash_table_unref (table);
  g_bytes_unref (bytes);
  g_variant_unref (variant);
  return result;
}

/**
 * specimens_give_everything:
 * @text: (out) (transfer full): text
 * @strv: (out) (transfer full) (array zero-terminated=1): texts
 * @list: (out) (transfer full) (element-type utf8): texts
 * @array: (out) (transfer full) (element-type utf8): texts
 * @table: (out) (transfer full) (element-type utf8 utf8): texts
 * @bytes: (out) (transfer full): bytes
 * @variant: (out) (transfer full): a variant
 * @time: (out) (transfer full): a time
 */
void
specimens_give_everything (char       **text,
                           char      ***strv,
                           GList      **list,
                           GPtrArray  **array,
                           GHashTable **table,
                           GBytes     **bytes,
                           GVariant   **variant,
                           GDateTime  **time)
{
  *text = g_strdup ("text");
  *strv = g_strsplit ("a b", " ", -1);
  *list = g_list_append (NULL, g_strdup ("c"));
  *array = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (*array, g_strdup ("d"));
  *table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_insert (*table, g_strdup ("e"), g_strdup ("f"));
  *bytes = g_bytes_new_static ("gh", 2);
  *variant = g_variant_ref_sink (g_variant_new ("(is)", 1, "i"));
  *time = g_date_time_new_utc (2024, 1, 31, 12, 30, 15.5);
}

/**
 * specimens_double:
 * @text: (transfer none): text
 *
 * Returns: (transfer full): twice the text
 */
GString *
specimens_double (GString *text)
{
  GString *twice = g_string_new (text->str);

  return g_string_append_len (twice, text->str, (gssize) text->len);
}

/**
 * specimens_run_maybe:
 * @task: (nullable) (scope notified) (closure user_data) (destroy destroy): what to do
 * @user_data: its data
 * @destroy: frees @user_data
 *
 * Returns: whether all three were %NULL
 */
gboolean
specimens_run_maybe (SpecimensTask  task,
                     gpointer       user_data,
                     GDestroyNotify destroy)
{
  return task == NULL && user_data == NULL && destroy == NULL;
}

/**
 * specimens_table:
 * @key: (nullable): its key
 *
 * Returns: (transfer container) (element-type utf8 GVariant) (nullable): a table with one entry
 */
GHashTable *
specimens_table (const char *key)
{
  static GVariant *value;
  GHashTable *table;

  if (key == NULL)
    return NULL;
  if (value == NULL)
    value = g_variant_ref_sink (g_variant_new_int32 (7));

  table = g_hash_table_new (g_str_hash, g_str_equal);
  g_hash_table_insert (table, (gpointer) g_intern_string (key), value);
  return table;
}

/**
 * specimens_filename:
 * @filename: (type filename): a name
 *
 * Returns: (type filename) (transfer full): the same
 */
char *
specimens_filename (const char *filename)
{
  return g_strdup (filename);
}

/**
 * specimens_object:
 * @object: an object
 */
void
specimens_object (GObject *object G_GNUC_UNUSED)
{
}

/**
 * specimens_gtypes:
 * @types: (array length=n_types): types
 * @n_types: how many
 */
void
specimens_gtypes (const GType *types G_GNUC_UNUSED,
                  gsize        n_types G_GNUC_UNUSED)
{
}

/**
 * specimens_pointer:
 *
 * Returns: (transfer none): a pointer
 */
gpointer
specimens_pointer (void)
{
  return NULL;
}

/**
 * specimens_maybe_object:
 * @text: text
 * @object: (nullable): an object
 *
 * Returns: (transfer full) (nullable): the text, if there is no object
 */
char *
specimens_maybe_object (const char *text,
                        GObject    *object)
{
  return object == NULL ? g_strdup (text) : NULL;
}

/**
 * specimens_floating:
 * @is_floating: whether it is
 *
 * Returns: (transfer none): a variant
 */
GVariant *
specimens_floating (gboolean is_floating)
{
  static GVariant *kept;

  if (is_floating)
    return g_variant_new_string ("floating");
  if (kept == NULL)
    kept = g_variant_ref_sink (g_variant_new_string ("kept"));
  return kept;
}

/**
 * specimens_describe:
 * @value: (nullable): a variant
 *
 * Returns: (transfer full): its text with types
 */
char *
specimens_describe (GVariant *value)
{
  return value != NULL ? g_variant_print (value, TRUE) : g_strdup ("NULL");
}

/**
 * specimens_holes:
 * @n: (out): how many
 *
 * Returns: (array length=n) (transfer full): texts, of which one is %NULL
 */
char **
specimens_holes (gsize *n)
{
  char **texts = g_new0 (char *, 3);

  texts[0] = g_strdup ("a");
  texts[2] = g_strdup ("c");
  *n = 3;
  return texts;
}

/**
 * specimens_narrow:
 *
 * Returns: (transfer full) (element-type gint64): an array whose elements are smaller than it says
 */
GArray *
specimens_narrow (void)
{
  GArray *array = g_array_new (FALSE, FALSE, sizeof (gint16));
  gint16 one = 1;

  return g_array_append_val (array, one);
}

/**
 * specimens_error:
 * @error: an error
 *
 * Returns: (transfer full): the same, with a code that is one more
 */
GError *
specimens_error (const GError *error)
{
  GError *other = g_error_copy (error);

  other->code++;
  return other;
}
