/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <float.h>
#include <glib.h>
#include <math.h>

#include "malt-json-read.h"
#include "malt-json-write.h"

/* The forms that docs/command.md gives to values in JSON. */

/* A value in GVariant's text format, and its JSON. */
static const struct
{
  const char *value;
  const char *json;
}
written[] =
{
  { "true", "true" },
  { "false", "false" },
  { "byte 0xff", "255" },
  { "int16 -32768", "-32768" },
  { "uint16 65535", "65535" },
  { "int32 -5", "-5" },
  { "uint32 4294967295", "4294967295" },
  { "int64 -9223372036854775808", "-9223372036854775808" },
  { "uint64 18446744073709551615", "18446744073709551615" },

  { "1.0", "1.0" },
  { "-0.0", "-0.0" },
  { "0.1", "0.1" },
  { "0.30000000000000004", "0.30000000000000004" },
  { "1e22", "1e+22" },
  { "1e15", "1e+15" },
  { "123456.0", "123456.0" },
  { "1.7976931348623157e308", "1.7976931348623157e+308" },

  { "''", "\"\"" },
  { "'text'", "\"text\"" },
  { "'\"\\\\/'", "\"\\\"\\\\/\"" },
  { "'a\\nb\\tc'", "\"a\\nb\\tc\"" },
  { "'\\u0001\\u001b\\u007f\\u009b\\u00a0'", "\"\\u0001\\u001b\\u007f\\u009b\xc2\xa0\"" },
  { "'\u00e9\u20ac\U0001f600'", "\"\u00e9\u20ac\U0001f600\"" },
  { "objectpath '/a/b'", "\"/a/b\"" },
  { "signature 'a{sv}'", "\"a{sv}\"" },

  { "@mv nothing", "null" },
  { "@ms nothing", "null" },
  { "@ms 'some'", "\"some\"" },
  { "@mms just nothing", "null" },
  { "<'inside'>", "\"inside\"" },
  { "<<int64 1>>", "1" },
  { "<@mv nothing>", "null" },

  { "@ax []", "[]" },
  { "[int64 1, 2, 3]", "[1,2,3]" },
  { "[0.5, 1]", "[0.5,1.0]" },
  { "['a', 'b']", "[\"a\",\"b\"]" },
  { "[true, false]", "[true,false]" },
  { "[<1>, <'a'>, <@mv nothing>]", "[1,\"a\",null]" },
  { "[[1], []]", "[[1],[]]" },
  { "()", "[]" },
  { "(1, 'a')", "[1,\"a\"]" },
  { "{1, 'a'}", "[1,\"a\"]" },

  { "@ay []", "{\"$bytes\":\"\"}" },
  { "b'hello'", "{\"$bytes\":\"aGVsbG8A\"}" },
  { "[byte 0, 255, 16]", "{\"$bytes\":\"AP8Q\"}" },
  { "[@ay [], [1]]", "[{\"$bytes\":\"\"},{\"$bytes\":\"AQ==\"}]" },

  { "@a{sv} {}", "{}" },
  { "{'b': <1>, 'a': <'x'>}", "{\"b\":1,\"a\":\"x\"}" },
  { "{'\"': 1}", "{\"\\\"\":1}" },
  { "{objectpath '/a': 1}", "{\"/a\":1}" },
  { "@a{xs} {}", "{\"$dict\":[]}" },
  { "{int64 1: 'a', 2: 'b'}", "{\"$dict\":[[1,\"a\"],[2,\"b\"]]}" },
  { "{true: 1.5}", "{\"$dict\":[[true,1.5]]}" },
  { "{'$bytes': 'AQ=='}", "{\"$dict\":[[\"$bytes\",\"AQ==\"]]}" },
  { "{'$dict': 1}", "{\"$dict\":[[\"$dict\",1]]}" },
  { "{'$bytes': 1, 'a': 2}", "{\"$bytes\":1,\"a\":2}" },
};

static void
test_write (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (written); i++)
    {
      g_autoptr (GVariant) value = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *json = NULL;

      value = g_variant_parse (NULL, written[i].value, NULL, NULL, &error);
      g_assert_no_error (error);
      json = malt_json_write (value);
      g_assert_cmpstr (json, ==, written[i].json);
    }
}

static void
test_write_not_finite (void)
{
  static const double numbers[] = { NAN, INFINITY, -INFINITY };
  g_autoptr (GVariant) value = NULL;
  g_autofree char *json = NULL;

  value = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_DOUBLE, numbers,
                                                         G_N_ELEMENTS (numbers), sizeof (double)));
  json = malt_json_write (value);
  g_assert_cmpstr (json, ==, "[\"NaN\",\"Infinity\",\"-Infinity\"]");
}

/* As GVariant text gives the type only where it is not the default one, with it. */
static const struct
{
  const char *json;
  const char *value;
}
read_values[] =
{
  { "1", "int64 1" },
  { "-0", "int64 0" },
  { " \t\r\n1 ", "int64 1" },
  { "9223372036854775807", "int64 9223372036854775807" },
  { "-9223372036854775808", "int64 -9223372036854775808" },
  { "1.0", "1.0" },
  { "-0.5e-1", "-0.050000000000000003" },
  { "1E2", "100.0" },
  { "100000000000000000000.0", "1e+20" },
  { "true", "true" },
  { "false", "false" },
  { "null", "@mv nothing" },
  { "\"\"", "''" },
  { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "'\"\\\\/\\b\\f\\n\\r\\t'" },
  { "\"\\u00e9\xc3\xa9\\ud83d\\ude00\"", "'\u00e9\u00e9\U0001f600'" },
  { "\"// no comment\"", "'// no comment'" },

  { "[]", "@av []" },
  { "[1, 2]", "[int64 1, 2]" },
  { "[1.5, 2.0]", "[1.5, 2.0]" },
  { "[\"a\"]", "['a']" },
  { "[true]", "[<true>]" },
  { "[1, 2.5]", "[<int64 1>, <2.5>]" },
  { "[1, null]", "[<int64 1>, <@mv nothing>]" },
  { "[[1], []]", "[<[int64 1]>, <@av []>]" },

  { "{}", "@a{sv} {}" },
  { "{\"a\": 1, \"b\": {\"c\": [null]}}", "{'a': <int64 1>, 'b': <{'c': <[<@mv nothing>]>}>}" },
  { "{\"a\": 1, \"a\": 2}", "{'a': <int64 2>}" },
  { "{\"\": \"\"}", "{'': <''>}" },
  { "{\"$bytes\": \"\"}", "@ay []" },
  { "{\"$bytes\": \"AP8Q\"}", "[byte 0x00, 0xff, 0x10]" },
  { "[{\"$bytes\": \"AQ==\"}]", "[<[byte 0x01]>]" },
  { "{\"$bytes\": 1, \"a\": 2}", "{'$bytes': <int64 1>, 'a': <int64 2>}" },
};

static void
test_read (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (read_values); i++)
    {
      g_autoptr (GVariant) value = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *text = NULL;

      value = malt_json_read (read_values[i].json, &error);
      g_assert_no_error (error);
      g_variant_ref_sink (value);
      text = g_variant_print (value, TRUE);
      g_assert_cmpstr (text, ==, read_values[i].value);
    }
}

static const struct
{
  const char *json;
  const char *message;
}
refused[] =
{
  { "", "is not valid JSON, expected a value at byte 1" },
  { "  ", "is not valid JSON, expected a value at byte 3" },
  { "text", "is not valid JSON, expected a value at byte 1" },
  { "'text'", "is not valid JSON, expected a value at byte 1" },
  { "NaN", "is not valid JSON, expected a value at byte 1" },
  { "tru", "is not valid JSON, expected a value at byte 1" },
  { "nullx", "is not valid JSON, expected nothing more at byte 5" },
  { "1 2", "is not valid JSON, expected nothing more at byte 3" },
  { "// no\n1", "is not valid JSON, expected a value at byte 1" },
  { "var x = 1", "is not valid JSON, expected a value at byte 1" },

  { "-", "is not valid JSON, expected a digit at byte 2" },
  { "+1", "is not valid JSON, expected a value at byte 1" },
  { ".5", "is not valid JSON, expected a value at byte 1" },
  { "1.", "is not valid JSON, expected a digit at byte 3" },
  { "1e", "is not valid JSON, expected a digit at byte 3" },
  { "1e+", "is not valid JSON, expected a digit at byte 4" },
  { "01", "is not valid JSON, expected nothing more at byte 2" },
  { "0x10", "is not valid JSON, expected nothing more at byte 2" },
  { "9223372036854775808", "has an integer that does not fit 64 bits at byte 1" },
  { "[1, -9223372036854775809]", "has an integer that does not fit 64 bits at byte 5" },
  { "1e400", "has a number that is too large for a double at byte 1" },

  { "\"a", "is not valid JSON, expected the end of the string at byte 3" },
  { "\"a\\", "is not valid JSON, expected an escape sequence of JSON at byte 4" },
  { "\"\\x41\"", "is not valid JSON, expected an escape sequence of JSON at byte 3" },
  { "\"\\u12g4\"", "is not valid JSON, expected four hexadecimal digits at byte 4" },
  { "\"\\u12", "is not valid JSON, expected four hexadecimal digits at byte 4" },
  { "\"\\u0000\"", "has a string with a null character at byte 8" },
  { "\"\\ud83d\"", "is not valid JSON, there is half a surrogate pair at byte 8" },
  { "\"\\ude00\"", "is not valid JSON, there is half a surrogate pair at byte 8" },
  { "\"\\ud83d\\u0041\"", "is not valid JSON, there is half a surrogate pair at byte 14" },
  { "\"a\nb\"", "is not valid JSON, there is a control character in a string at byte 3" },
  { "\"\xff\"", "is not valid JSON, expected UTF-8 at byte 2" },

  { "[1", "is not valid JSON, expected ',' or ']' at byte 3" },
  { "[1,]", "is not valid JSON, expected a value at byte 4" },
  { "[1 2]", "is not valid JSON, expected ',' or ']' at byte 4" },
  { "[", "is not valid JSON, expected a value at byte 2" },
  { "{", "is not valid JSON, expected a string at byte 2" },
  { "{a: 1}", "is not valid JSON, expected a string at byte 2" },
  { "{\"a\" 1}", "is not valid JSON, expected ':' at byte 6" },
  { "{\"a\": 1,}", "is not valid JSON, expected a string at byte 9" },
  { "{\"a\": 1]", "is not valid JSON, expected ',' or '}' at byte 8" },

  { "{\"$bytes\": 1}", "has a \"$bytes\" that is not a string in base64" },
  { "{\"$bytes\": \"AQ=\"}", "has a \"$bytes\" that is not a string in base64" },
  { "{\"$bytes\": \"A===\"}", "has a \"$bytes\" that is not a string in base64" },
  { "{\"$bytes\": \"A-_=\"}", "has a \"$bytes\" that is not a string in base64" },
};

static void
test_read_refused (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (GError) error = NULL;
      GVariant *value = malt_json_read (refused[i].json, &error);

      g_assert_null (value);
      g_assert_nonnull (error);
      g_assert_cmpstr (error->message, ==, refused[i].message);
    }
}

static char *
nest (guint depth)
{
  GString *json = g_string_new (NULL);
  guint i;

  for (i = 0; i < depth; i++)
    g_string_append_c (json, '[');
  for (i = 0; i < depth; i++)
    g_string_append_c (json, ']');

  return g_string_free (json, FALSE);
}

static void
test_read_depth (void)
{
  g_autofree char *shallow = nest (32);
  g_autofree char *deep = nest (1000000);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  value = malt_json_read (shallow, &error);
  g_assert_no_error (error);
  g_variant_ref_sink (value);

  g_assert_null (malt_json_read (deep, &error));
  g_assert_cmpstr (error->message, ==, "has an array or object inside too many others at byte 33");
}

/* What is written reads as the same value again. */
static void
test_round_trip (void)
{
  static const double numbers[] =
    { 0.1, 1.0 / 3, DBL_MIN, DBL_MAX, DBL_EPSILON, 4.9406564584124654e-324, 1e16, 123456789.125, -2.5e-7 };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_double (numbers[i]));
      g_autofree char *json = malt_json_write (value);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) again = malt_json_read (json, &error);

      g_assert_no_error (error);
      g_variant_ref_sink (again);
      g_assert_cmpfloat (g_variant_get_double (again), ==, numbers[i]);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/json/write", test_write);
  g_test_add_func ("/json/write-not-finite", test_write_not_finite);
  g_test_add_func ("/json/read", test_read);
  g_test_add_func ("/json/read-refused", test_read_refused);
  g_test_add_func ("/json/read-depth", test_read_depth);
  g_test_add_func ("/json/round-trip", test_round_trip);

  return g_test_run ();
}
