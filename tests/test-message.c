/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "malt-limits.h"
#include "malt-message.h"

/* Bodies as bytes, for the tests. */

static gconstpointer
data_of_body (GBytes *body,
              gsize  *size)
{
  *size = 0;

  return body != NULL ? g_bytes_get_data (body, size) : NULL;
}

static GBytes *
new_eval (const char  *module,
          const char  *source,
          gsize        max_size,
          GError     **error)
{
  MaltMessage message;

  return malt_message_write_eval (&message, module, source, max_size, error)
         ? malt_message_take_bytes (&message) : NULL;
}

static GBytes *
new_value (GVariant  *value,
           gsize      max_size,
           GError   **error)
{
  MaltMessage message;

  return malt_message_write_value (&message, value, max_size, error)
         ? malt_message_take_bytes (&message) : NULL;
}

static gboolean
parse_call (GBytes      *body,
            const char **function,
            GVariant   **arguments,
            GVariant   **keywords,
            GError     **error)
{
  gsize size;
  gconstpointer data = data_of_body (body, &size);

  return malt_message_read_call (data, size, body, function, arguments, keywords, error);
}

static gboolean
parse_eval (GBytes      *body,
            const char **module,
            const char **source,
            GError     **error)
{
  gsize size;
  gconstpointer data = data_of_body (body, &size);

  return malt_message_read_eval (data, size, module, source, error);
}

static gboolean
parse_value (GBytes    *body,
             GVariant **value,
             GError   **error)
{
  gsize size;
  gconstpointer data = data_of_body (body, &size);

  return malt_message_read_value (data, size, body, value, error);
}

static GError *
parse_error (GBytes  *body,
             GError **error)
{
  gsize size;
  gconstpointer data = data_of_body (body, &size);

  return malt_message_read_error (data, size, error);
}

#define ROUNDS   20000
#define NO_LIMIT G_MAXSIZE

/* What GVariant makes of the same, which is what goes over the wire. */
static GBytes *
expected (GVariant *body)
{
  g_autoptr (GVariant) own = g_variant_ref_sink (body);

  return g_variant_get_data_as_bytes (own);
}

static void
assert_bytes (GBytes *bytes,
              GBytes *reference)
{
  g_assert_nonnull (bytes);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                   g_bytes_get_data (reference, NULL), g_bytes_get_size (reference));
}

/* The same bytes as a receiver has them: in memory of their own, of just that size. */
static GBytes *
received (GBytes *bytes)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);

  return g_bytes_new_take (g_memdup2 (data, size), size);
}

/* The same, to be looked at only while a function reads them, in memory that begins
 * anywhere. */
static guint8 *
lend (GBytes  *bytes,
      guint8 **begin)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);
  guint8 *block = g_malloc (size + 1);

  *begin = memcpy (block + 1, data, size);
  return block;
}

/* Values of many sizes, so that offsets of each width are met, at begin and end of
 * their ranges, and of each alignment; some in serialised form, some not yet. */

static char *
random_text (GRand *rand)
{
  static const gint32 limits[] = { 1, 9, 40, 270, 70000 };
  gint32 choice = g_rand_int_range (rand, 0, 200);
  gint32 limit = limits[choice == 0 ? 4 : choice % 4];

  return g_strnfill ((gsize) g_rand_int_range (rand, 0, limit), (char) g_rand_int_range (rand, 'a', 'z'));
}

static GVariant *
random_value (GRand *rand,
              guint  depth)
{
  g_autofree char *text = NULL;
  GVariant *value;

  switch (g_rand_int_range (rand, 0, depth > 0 ? 14 : 9))
    {
    case 0:
      return g_variant_new_boolean (g_rand_boolean (rand));
    case 1:
      return g_variant_new_byte ((guint8) g_rand_int (rand));
    case 2:
      return g_variant_new_int16 ((gint16) g_rand_int (rand));
    case 3:
      return g_variant_new_int32 ((gint32) g_rand_int (rand));
    case 4:
      return g_variant_new_double (g_rand_double (rand));
    case 5:
      text = random_text (rand);
      return g_variant_new_string (text);
    case 6:
      return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
    case 7:
      return g_variant_new_array (G_VARIANT_TYPE_STRING, NULL, 0);
    case 8:
      text = random_text (rand);
      return g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, text, strlen (text), 1);
    case 9:
      return g_variant_new_tuple (NULL, 0);
    case 10:
      return g_variant_new_variant (random_value (rand, depth - 1));
    case 11:
      return g_variant_new_maybe (NULL, random_value (rand, depth - 1));
    case 12:
      value = g_variant_new ("(@*@*)", random_value (rand, depth - 1), random_value (rand, depth - 1));
      g_variant_get_data (value);
      return value;
    default:
      return g_variant_new ("(@*y)", random_value (rand, depth - 1), 7);
    }
}

static GVariant *
random_arguments (GRand *rand)
{
  GVariant *children[4];
  guint i, n = (guint) g_rand_int_range (rand, 0, 5);

  for (i = 0; i < n; i++)
    children[i] = random_value (rand, 3);

  return g_variant_new_tuple (children, n);
}

static GVariant *
random_keywords (GRand *rand)
{
  GVariantBuilder builder;
  gint32 n = g_rand_int_range (rand, -2, 4);

  if (n == -2)
    return NULL;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (; n > 0; n--)
    {
      g_autofree char *name = random_text (rand);

      g_variant_builder_add (&builder, "{sv}", name, random_value (rand, 2));
    }

  return g_variant_builder_end (&builder);
}

static void
assert_value (GVariant *value,
              GVariant *reference)
{
  g_assert_cmpvariant (value, reference);
  g_assert_true (g_variant_is_normal_form (value));
}

static void
assert_same (GVariant *value,
             GVariant *reference)
{
  if (reference == NULL)
    g_assert_null (value);
  else
    assert_value (value, reference);
}

static void
check_lent_call (GBytes     *bytes,
                 const char *function,
                 GVariant   *arguments,
                 GVariant   *keywords)
{
  g_autoptr (GVariant) read_arguments = NULL;
  g_autoptr (GVariant) read_keywords = NULL;
  g_autoptr (GError) error = NULL;
  const char *read_function;
  guint8 *begin;
  guint8 *block = lend (bytes, &begin);

  g_assert_true (malt_message_read_call (begin, g_bytes_get_size (bytes), NULL, &read_function,
                                         &read_arguments, &read_keywords, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (read_function, ==, function);
  g_free (block);

  assert_same (read_arguments, arguments);
  assert_same (read_keywords, keywords);
}

static void
check_call (const char *function,
            GVariant   *arguments,
            GVariant   *keywords)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = malt_message_new_call (function, arguments, keywords, NO_LIMIT, &error);
  g_autoptr (GBytes) reference = NULL;
  g_autoptr (GBytes) copy = NULL;
  g_autoptr (GVariant) parsed_arguments = NULL;
  g_autoptr (GVariant) parsed_keywords = NULL;
  const char *parsed_function;

  g_assert_no_error (error);
  reference = expected (g_variant_new ("(sv@a{sv})", function, arguments,
                                       keywords != NULL ? keywords
                                                        : g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)));
  assert_bytes (bytes, reference);

  copy = received (bytes);
  g_assert_true (parse_call (copy, &parsed_function, &parsed_arguments, &parsed_keywords, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (parsed_function, ==, function);

  if (g_variant_n_children (arguments) == 0)
    g_assert_null (parsed_arguments);
  else
    assert_value (parsed_arguments, arguments);
  if (keywords == NULL || g_variant_n_children (keywords) == 0)
    g_assert_null (parsed_keywords);
  else
    assert_value (parsed_keywords, keywords);

  check_lent_call (bytes, function, parsed_arguments, parsed_keywords);
}

static void
test_call (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  guint i;

  for (i = 0; i < ROUNDS; i++)
    {
      g_autofree char *function = random_text (rand);
      g_autoptr (GVariant) arguments = g_variant_ref_sink (random_arguments (rand));
      g_autoptr (GVariant) keywords = random_keywords (rand);

      if (keywords != NULL)
        g_variant_ref_sink (keywords);
      check_call (function, arguments, keywords);
    }
}

/* Every size around those where the offsets get wider. */
static void
test_call_sizes (void)
{
  static const gsize borders[] = { 0, G_MAXUINT8, G_MAXUINT16 };
  gsize i, length;

  for (i = 0; i < G_N_ELEMENTS (borders); i++)
    for (length = borders[i] > 60 ? borders[i] - 60 : 0; length < borders[i] + 20; length++)
      {
        g_autofree char *text = g_strnfill (length, 'x');
        g_autoptr (GVariant) none = g_variant_ref_sink (g_variant_new_tuple (NULL, 0));
        g_autoptr (GVariant) one = g_variant_ref_sink (g_variant_new ("(s)", text));
        g_autoptr (GVariant) keywords = g_variant_ref_sink (g_variant_new_parsed ("{'a': <%s>}", text));

        check_call (text, none, NULL);
        check_call ("f", one, NULL);
        check_call ("f", none, keywords);
      }
}

/* Where it is kept, and that it is let go, shows in a sanitizer. */
static void
test_write (void)
{
  gsize length;

  for (length = 0; length < 2 * MALT_MESSAGE_SMALL; length++)
    {
      g_autofree char *text = g_strnfill (length, 'x');
      g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string (text));
      g_autoptr (GVariant) read = NULL;
      g_autoptr (GError) error = NULL;
      MaltMessage message;

      g_assert_true (malt_message_write_value (&message, value, NO_LIMIT, &error));
      g_assert_no_error (error);
      g_assert_true (malt_message_read_value (message.data, message.size, NULL, &read, &error));
      g_assert_no_error (error);
      assert_value (read, value);
      malt_message_clear (&message);

      g_assert_true (malt_message_write_call (&message, "f", NULL, NULL, NO_LIMIT, &error));
      malt_message_clear (&message);
      g_assert_true (malt_message_write_eval (&message, NULL, text, NO_LIMIT, &error));
      malt_message_clear (&message);
      g_assert_false (malt_message_write_eval (&message, NULL, text, length, &error));
      g_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION);
    }
}

static void
check_eval (const char *module,
            const char *source)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = new_eval (module, source, NO_LIMIT, &error);
  g_autoptr (GBytes) reference = expected (g_variant_new ("(mss)", module, source));
  g_autoptr (GBytes) copy = NULL;
  const char *parsed_module, *parsed_source;

  g_assert_no_error (error);
  assert_bytes (bytes, reference);

  copy = received (bytes);
  g_assert_true (parse_eval (copy, &parsed_module, &parsed_source, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (parsed_module, ==, module);
  g_assert_cmpstr (parsed_source, ==, source);
}

static void
test_eval (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  guint i;

  check_eval (NULL, "");
  check_eval ("", "");
  for (i = 0; i < 600; i++)
    {
      g_autofree char *module = random_text (rand);
      g_autofree char *source = random_text (rand);
      g_autofree char *long_source = g_strnfill (i, 'x');

      check_eval (NULL, source);
      check_eval (module, source);
      check_eval (NULL, long_source);
      check_eval ("m", long_source);
    }
}

static void
check_value (GVariant *value)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = new_value (value, NO_LIMIT, &error);
  g_autoptr (GBytes) reference = expected (g_variant_new_variant (value));
  g_autoptr (GBytes) copy = NULL;
  g_autoptr (GVariant) parsed = NULL;
  g_autoptr (GVariant) lent = NULL;
  guint8 *begin;
  guint8 *block;

  g_assert_no_error (error);
  assert_bytes (bytes, reference);

  copy = received (bytes);
  g_assert_true (parse_value (copy, &parsed, &error));
  g_assert_no_error (error);
  if (g_str_equal (g_variant_get_type_string (value), "mv") && g_variant_n_children (value) == 0)
    g_assert_null (parsed);
  else
    assert_value (parsed, value);

  block = lend (bytes, &begin);
  g_assert_true (malt_message_read_value (begin, g_bytes_get_size (bytes), NULL, &lent, &error));
  g_assert_no_error (error);
  g_free (block);
  assert_same (lent, parsed);
}

static void
test_value (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  g_autoptr (GVariant) nothing = g_variant_ref_sink (g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL));
  g_autoptr (GBytes) bytes = new_value (NULL, NO_LIMIT, NULL);
  g_autoptr (GBytes) reference = expected (g_variant_new_variant (nothing));
  guint i;

  assert_bytes (bytes, reference);
  check_value (nothing);
  for (i = 0; i < ROUNDS; i++)
    {
      g_autoptr (GVariant) value = g_variant_ref_sink (random_value (rand, 4));

      check_value (value);
    }
}

/* What cannot cross is refused where it was made. */

static GVariant *
nested (guint depth)
{
  GVariant *value = g_variant_new_byte (1);

  while (depth-- > 0)
    value = g_variant_new_tuple (&value, 1);

  return value;
}

static GVariant *
not_normal (void)
{
  static const guint8 data[] = { 2 };

  return g_variant_new_from_data (G_VARIANT_TYPE ("(b)"), data, sizeof data, FALSE, NULL, NULL);
}

static GVariant *
of_long_type (guint length)
{
  GVariant *children[MALT_LIMIT_TYPE_STRING];
  guint i;

  for (i = 0; i < length - 2; i++)
    children[i] = g_variant_new_byte (1);

  return g_variant_new_tuple (children, length - 2);
}

static void
check_refused (GVariant   *value,
               const char *call_message,
               const char *value_message)
{
  g_autoptr (GVariant) own = g_variant_ref_sink (value);
  g_autoptr (GError) call_error = NULL;
  g_autoptr (GError) value_error = NULL;

  g_assert_null (malt_message_new_call ("f", own, NULL, 100000, &call_error));
  g_assert_error (call_error, MALT_ERROR, MALT_ERROR_SERIALIZATION);
  g_assert_cmpstr (call_error->message, ==, call_message);

  g_assert_null (new_value (own, 100000, &value_error));
  g_assert_error (value_error, MALT_ERROR, MALT_ERROR_SERIALIZATION);
  g_assert_cmpstr (value_error->message, ==, value_message);
}

static void
test_refused (void)
{
  g_autofree guint8 *zeros = g_malloc0 (100000);
  g_autoptr (GVariant) deepest = g_variant_ref_sink (nested (MALT_LIMIT_DEPTH - 2));
  g_autoptr (GVariant) longest = g_variant_ref_sink (of_long_type (MALT_LIMIT_TYPE_STRING));
  g_autoptr (GError) error = NULL;

  check_call ("f", deepest, NULL);
  check_call ("f", longest, NULL);

  check_refused (nested (MALT_LIMIT_DEPTH),
                 "the call with its arguments cannot cross: a variant inside nests 34 containers (limit 32)",
                 "the value cannot cross: a variant inside nests 33 containers (limit 32)");
  check_refused (not_normal (),
                 "the call with its arguments cannot cross: a boolean at byte 8 is 2",
                 "the value cannot cross: a boolean at byte 0 is 2");
  check_refused (of_long_type (MALT_LIMIT_TYPE_STRING + 1),
                 "the call with its arguments cannot cross: "
                 "the type string of a variant inside is longer than 255 bytes",
                 "the value cannot cross: the type string of a variant inside is longer than 255 bytes");
  check_refused (g_variant_new ("(@ay)", g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, zeros, 100000, 1)),
                 "the call with its arguments is of 100024 bytes (limit 100000)",
                 "the value is of 100005 bytes (limit 100000)");

  g_assert_null (new_eval (NULL, "x = 1", 6, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION);
  g_assert_cmpstr (error->message, ==, "the source is of 7 bytes (limit 6)");
}

/* Malformed bodies: what is a good one with a byte changed, or cut off, is either refused
 * or says what GVariant says. */

static void
parse_bytes (GBytes *bytes)
{
  g_autoptr (GVariant) call = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("(sva{sv})"), bytes, FALSE));
  g_autoptr (GVariant) eval = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("(mss)"), bytes, FALSE));
  g_autoptr (GVariant) boxed = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("v"), bytes, FALSE));
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GVariant) keywords = NULL;
  g_autoptr (GVariant) value = NULL;
  const char *text, *other;

  if (parse_call (bytes, &text, &arguments, &keywords, NULL))
    {
      g_autoptr (GVariant) again = NULL;

      again = g_variant_ref_sink (g_variant_new ("(sv@a{sv})", text,
                                                 arguments != NULL ? arguments : g_variant_new_tuple (NULL, 0),
                                                 keywords != NULL ? keywords
                                                                  : g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)));
      assert_value (call, again);
    }
  else
    {
      g_assert_null (arguments);
      g_assert_null (keywords);
    }

  if (parse_eval (bytes, &text, &other, NULL))
    {
      g_autoptr (GVariant) again = g_variant_ref_sink (g_variant_new ("(mss)", text, other));

      assert_value (eval, again);
    }

  if (parse_value (bytes, &value, NULL))
    {
      g_autoptr (GVariant) again = NULL;

      again = g_variant_ref_sink (g_variant_new_variant (value != NULL ? value
                                                         : g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL)));
      assert_value (boxed, again);
    }
}

static void
check_changed (GBytes *good)
{
  gsize size, i;
  const guint8 *data = g_bytes_get_data (good, &size);

  for (i = 0; i < size; i++)
    {
      static const guint8 changes[] = { 1, 2, 4, 8, 32, 128, 255 };
      g_autoptr (GBytes) cut = g_bytes_new (data, i);
      gsize j;

      parse_bytes (cut);
      for (j = 0; j < G_N_ELEMENTS (changes); j++)
        {
          guint8 *copy = g_memdup2 (data, size);
          g_autoptr (GBytes) changed = NULL;

          copy[i] ^= changes[j];
          changed = g_bytes_new_take (copy, size);
          parse_bytes (changed);
        }
    }
}

static void
test_malformed (void)
{
  g_autoptr (GVariant) arguments = g_variant_ref_sink (g_variant_new_parsed ("(1, 'two', <3.5>, [true])"));
  g_autoptr (GVariant) keywords = g_variant_ref_sink (g_variant_new_parsed ("{'a': <1>, 'b': <'x'>}"));
  g_autoptr (GVariant) none = g_variant_ref_sink (g_variant_new_tuple (NULL, 0));
  g_autoptr (GBytes) call = malt_message_new_call ("math.sqrt", arguments, keywords, NO_LIMIT, NULL);
  g_autoptr (GBytes) short_call = malt_message_new_call ("f", none, NULL, NO_LIMIT, NULL);
  g_autoptr (GBytes) eval = new_eval ("module", "x + 1", NO_LIMIT, NULL);
  g_autoptr (GBytes) value = new_value (keywords, NO_LIMIT, NULL);
  g_autoptr (GBytes) nothing = new_value (NULL, NO_LIMIT, NULL);

  check_changed (call);
  check_changed (short_call);
  check_changed (eval);
  check_changed (value);
  check_changed (nothing);
}

static void
test_empty (void)
{
  GVariant *value, *arguments, *keywords;
  const char *text, *other;
  GError *error = NULL;

  g_assert_false (parse_call (NULL, &text, &arguments, &keywords, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_clear_error (&error);
  g_assert_false (parse_eval (NULL, &text, &other, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_clear_error (&error);
  g_assert_false (parse_value (NULL, &value, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_clear_error (&error);
  g_assert_null (parse_error (NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_clear_error (&error);

  value = malt_message_read_dictionary (NULL, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_n_children (value), ==, 0);
  g_variant_unref (value);
}

/* The arguments of a call are a tuple, whatever the variant could hold. */
static void
test_no_tuple (void)
{
  g_autoptr (GBytes) bytes = expected (g_variant_new ("(sv@a{sv})", "f", g_variant_new_string ("x"),
                                                      g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)));
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GVariant) keywords = NULL;
  g_autoptr (GError) error = NULL;
  const char *function;

  g_assert_false (parse_call (bytes, &function, &arguments, &keywords, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_assert_cmpstr (error->message, ==, "the arguments of a call are of type s instead of a tuple");
}

static void
test_errors (void)
{
  g_autoptr (GError) remote = malt_remote_error_new (MALT_ERROR_REMOTE, "ValueError", "bad value", "line 1");
  g_autoptr (GError) plain = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "enough");
  GError *failures[] = { remote, plain };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (failures); i++)
    {
      g_autoptr (GBytes) bytes = malt_message_new_error (failures[i]);
      g_autoptr (GBytes) copy = received (bytes);
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) parsed = parse_error (copy, &error);

      g_assert_no_error (error);
      g_assert_error (parsed, failures[i]->domain, failures[i]->code);
      g_assert_cmpstr (parsed->message, ==, failures[i]->message);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/message/call", test_call);
  g_test_add_func ("/message/call-sizes", test_call_sizes);
  g_test_add_func ("/message/write", test_write);
  g_test_add_func ("/message/eval", test_eval);
  g_test_add_func ("/message/value", test_value);
  g_test_add_func ("/message/refused", test_refused);
  g_test_add_func ("/message/malformed", test_malformed);
  g_test_add_func ("/message/empty", test_empty);
  g_test_add_func ("/message/no-tuple", test_no_tuple);
  g_test_add_func ("/message/errors", test_errors);

  return g_test_run ();
}
