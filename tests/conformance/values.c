/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"

/* Values that go to a worker and come back. */

/* Those that every worker gives back as they were. */
static const char * const unchanged[] = {
  "true",
  "int64 -1",
  "int64 9223372036854775807",
  "0.1",
  "''",
  "'text with \xc3\xbc and \xf0\x9f\x98\x80'",
  "@ax [1, 2, 3]",
  "[1.5, -2.5]",
  "['one', 'two']",
  "@ay [0x00, 0xff, 0x7f]",
  "{'a': <int64 1>, 'b': <'two'>, 'c': <@ax [3]>}",
  "[<int64 1>, <'two'>, <3.5>]",
};

/* Those that are told apart by their GVariant types alone. */
static const char * const exact[] = {
  "byte 0xff",
  "int16 -3",
  "uint16 3",
  "3",
  "uint32 3",
  "uint64 18446744073709551615",
  "('tuple', 3, [true, false])",
  "@a(sx) [('one', 1), ('two', 2)]",
  "@ms 'there'",
  "@ms nothing",
  "@mmx just nothing",
  "@a{us} {1: 'one'}",
  "<<<'deep'>>>",
  "objectpath '/a/b'",
  "signature 'a{sv}'",
  "@a(sv) []",
  "()",
};

static void
test_unchanged (TestCase *self)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (unchanged); i++)
    {
      g_autoptr (GError) error = NULL;
      GVariant *value = g_variant_parse (NULL, unchanged[i], NULL, NULL, &error);
      g_autoptr (GVariant) arguments = NULL;
      g_autofree char *text = NULL;

      g_assert_no_error (error);
      text = g_variant_print (value, TRUE);
      arguments = g_variant_ref_sink (g_variant_new_tuple (&value, 1));
      g_variant_unref (value);
      test_assert_value (test_case_call (self, "echo", arguments), text);
    }
}

static void
test_exact (TestCase *self)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (exact); i++)
    {
      g_autoptr (GError) error = NULL;
      GVariant *value = g_variant_parse (NULL, exact[i], NULL, NULL, &error);
      g_autoptr (GVariant) arguments = NULL;
      g_autofree char *text = NULL;

      g_assert_no_error (error);
      text = g_variant_print (value, TRUE);
      arguments = g_variant_ref_sink (g_variant_new_tuple (&value, 1));
      g_variant_unref (value);
      test_assert_value (test_case_call (self, "echo", arguments), text);
    }
}

/* A GVariant as deep as the limit crosses; a deeper one is refused where it is sent. */
static GVariant *
nested (guint depth)
{
  GVariant *value = g_variant_new_int64 (7);
  guint i;

  for (i = 0; i < depth; i++)
    value = g_variant_new_variant (value);
  return value;
}

static void
test_depth (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  g_variant_unref (test_case_call (self, "echo", g_variant_new ("(@v)", nested (12))));

  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "echo"),
                                                g_variant_new ("(@v)", nested (60)), NULL,
                                                MALT_TIMEOUT_DEFAULT, NULL, &error));
  /* Whoever converts it first says so. */
  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*containers*(limit *");
  test_case_assert_usable (self);
}

/* Values that one language makes; what they become is in docs/values.md. */
typedef struct
{
  const char *source;
  const char *value;
} Made;

static const Made javascript_made[] = {
  { "null", "@mv nothing" },
  { "true", "true" },
  { "7", "int64 7" },
  { "7.5", "7.5" },
  { "2n ** 64n - 1n", "uint64 18446744073709551615" },
  { "'text'", "'text'" },
  { "new Uint8Array ([97, 98])", "[byte 0x61, 0x62]" },
  { "[1, 2]", "[int64 1, 2]" },
  { "[1, 2.5]", "[1.0, 2.5]" },
  { "['a', 'b']", "['a', 'b']" },
  { "[1, 'a']", "[<int64 1>, <'a'>]" },
  { "({ a: 1, b: 'c' })", "{'a': <int64 1>, 'b': <'c'>}" },
  { "new Map ([[1, 'x']])", "{int64 1: <'x'>}" },
  { "new Date (0)", "'1970-01-01T00:00:00.000Z'" },
  { NULL, NULL },
};

static const Made python_made[] = {
  { "True", "true" },
  { "7", "int64 7" },
  { "7.5", "7.5" },
  { "'text'", "'text'" },
  { "b'ab'", "b'ab'" },
  { "[1, 2]", "[int64 1, 2]" },
  { "[1.0, 2.0]", "[1.0, 2.0]" },
  { "['a', 'b']", "['a', 'b']" },
  { "[1, 'a']", "[<int64 1>, <'a'>]" },
  { "(1, 'a')", "(int64 1, 'a')" },
  { "{'a': 1, 'b': 'c'}", "{'a': <int64 1>, 'b': <'c'>}" },
  { NULL, NULL },
};

static void
test_made (TestCase *self)
{
  const Made *made;

  for (made = test_case_is (self, "gjs") ? javascript_made : python_made; made->source != NULL; made++)
    {
      g_autoptr (GVariant) value = test_case_eval (self, made->source);

      if (g_str_equal (made->source, "b'ab'"))
        {
          g_assert_cmpstr (g_variant_get_type_string (value), ==, "ay");
          g_assert_cmpuint (g_variant_n_children (value), ==, 2);
        }
      else
        test_assert_value (g_variant_ref (value), made->value);
    }
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "values");

  test_case_add ("unchanged", TEST_NEEDS_NOTHING, test_unchanged);
  test_case_add ("exact", TEST_NEEDS_EXACT, test_exact);
  test_case_add ("depth", TEST_NEEDS_PROCESS, test_depth);
  test_case_add ("made", TEST_NEEDS_CONVERSION, test_made);

  return g_test_run ();
}
