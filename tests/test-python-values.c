/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <string.h>

#include "test-python.h"

/* The conversions of docs/values.md between Python and GVariant, in a worker. */

static GVariant *
eval (const char  *source,
      GError     **error)
{
  return malt_worker_remote_eval_fetch (test_python_worker, NULL, source, MALT_TIMEOUT_NONE, NULL, error);
}

/* What an expression becomes. */
static const struct
{
  const char *source;
  const char *type;
  const char *value;
} sent[] = {
  { "None", "mv", "@mv nothing" },
  { "True", "b", "true" },
  { "-2**63", "x", "int64 -9223372036854775808" },
  { "2**63", "t", "uint64 9223372036854775808" },
  { "1.5", "d", "1.5" },
  { "'gr\xc3\xbcn'", "s", "'gr\xc3\xbcn'" },
  { "b'a\\0'", "ay", "[byte 0x61, 0x00]" },
  { "b''", "ay", "@ay []" },
  { "bytearray(b'ab')", "ay", "[byte 0x61, 0x62]" },
  { "memoryview(b'abcd')[::2]", "ay", "[byte 0x61, 0x63]" },
  { "[]", "av", "@av []" },
  { "[1, -2]", "ax", "[int64 1, -2]" },
  { "[2**63, 2**64 - 1]", "at", "[uint64 9223372036854775808, 18446744073709551615]" },
  { "[1, 2**63]", "av", "[<int64 1>, <uint64 9223372036854775808>]" },
  { "[1.5, 2.0]", "ad", "[1.5, 2.0]" },
  { "[1, 2.0]", "av", "[<int64 1>, <2.0>]" },
  { "[True, False]", "ab", "[true, false]" },
  { "[True, 1]", "av", "[<true>, <int64 1>]" },
  { "['a', '', 'gr\xc3\xbcn']", "as", "['a', '', 'gr\xc3\xbcn']" },
  { "['a', 1]", "av", "[<'a'>, <int64 1>]" },
  { "[None, None]", "amv", "[@mv nothing, nothing]" },
  { "[[1], [2, 3]]", "aax", "[[int64 1], [2, 3]]" },
  { "[[], [1]]", "av", "[<@av []>, <[int64 1]>]" },
  { "[(1, 'a'), (2, 'b')]", "a(xs)", "[(int64 1, 'a'), (2, 'b')]" },
  { "[b'a', b'']", "aay", "[[byte 0x61], []]" },
  { "()", "()", "()" },
  { "(1, 'a', None)", "(xsmv)", "(int64 1, 'a', @mv nothing)" },
  { "{}", "a{sv}", "@a{sv} {}" },
  { "{'a': 1, 'b': None}", "a{sv}", "{'a': <int64 1>, 'b': <@mv nothing>}" },
  { "{5: 'a'}", "a{xv}", "{int64 5: <'a'>}" },
  { "[{'a': 1}, {}]", "aa{sv}", "[{'a': <int64 1>}, {}]" },
  { "__import__('enum').IntEnum('E', 'A B').B", "x", "int64 2" },
  { "[__import__('enum').IntEnum('E', 'A B').B, 7]", "ax", "[int64 2, 7]" },
  { "__import__('array').array('b', [-1, 2])", "an", "[int16 -1, 2]" },
  { "__import__('array').array('B', [255])", "ay", "[byte 0xff]" },
  { "__import__('array').array('h', [-1])", "an", "[int16 -1]" },
  { "__import__('array').array('H', [1])", "aq", "[uint16 1]" },
  { "__import__('array').array('i', [-1])", "ai", "[-1]" },
  { "__import__('array').array('I', [1])", "au", "[uint32 1]" },
  { "__import__('array').array('l', [-1])", "ax", "[int64 -1]" },
  { "__import__('array').array('Q', [1])", "at", "[uint64 1]" },
  { "__import__('array').array('f', [0.5])", "ad", "[0.5]" },
  { "__import__('array').array('d', [0.25, 0.5])", "ad", "[0.25, 0.5]" },
  { "__import__('array').array('d', [])", "ad", "@ad []" },
  { "memoryview(bytes([0, 1, 2])).cast('?')", "ab", "[false, true, true]" },
  { "memoryview(__import__('array').array('d', range(6))).cast('B').cast('d', (2, 3))", "aad",
    "[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]" },
  { "memoryview(bytes(range(8))).cast('B', (2, 2, 2))", "aaay",
    "[[[byte 0x00, 0x01], [0x02, 0x03]], [[0x04, 0x05], [0x06, 0x07]]]" },
  { "memoryview(__import__('array').array('i', range(5)))[::-2]", "ai", "[4, 2, 0]" },
  { "__import__('ctypes').c_int(7)", "x", "int64 7" },
  { "__import__('ctypes').c_double(0.5)", "d", "0.5" },
  { "(__import__('ctypes').c_uint32 * 2)(1, 2)", "au", "[uint32 1, 2]" },
  { "type('I', (), {'__index__': lambda self: 9})()", "x", "int64 9" },
};

static void
test_sent (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (sent); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = eval (sent[i].source, &error);
      g_autofree char *text = NULL;

      g_test_message ("%s", sent[i].source);
      g_assert_no_error (error);
      g_assert_cmpstr (g_variant_get_type_string (value), ==, sent[i].type);
      g_assert_true (g_variant_is_normal_form (value));
      text = g_variant_print (value, TRUE);
      if (g_strcmp0 (sent[i].type, "ay") != 0 && strstr (sent[i].type, "ay") == NULL)
        g_assert_cmpstr (text, ==, sent[i].value);
      else
        {
          g_autoptr (GVariant) expected = g_variant_parse (G_VARIANT_TYPE (sent[i].type), sent[i].value,
                                                           NULL, NULL, &error);

          g_assert_no_error (error);
          g_assert_cmpvariant (value, expected);
        }
    }
}

static const struct
{
  const char *source;
  const char *message;
} refused[] = {
  { "2**64", "an integer of more than 64 bits" },
  { "-2**63 - 1", "an integer below" },
  { "'\\ud800'", "lone surrogate" },
  { "['a', 'b\\0']", "NUL character at [1]" },
  { "lambda: 1", "a value of type 'function'" },
  { "[1, {'key': (2, print)}]", "a value of type 'builtin_function_or_method' at [1]['key'][1]" },
  { "{1.5: 1}", "a key of type 'float'" },
  { "{True: 1}", "a key of type 'bool'" },
  { "{'a': 1, 2: 2}", "keys of different types" },
  { "{2**63: 1}", "integer key" },
  { "{7: [print]}", "at [7][0]" },
  { "{1, 2}", "a value of type 'set'" },
  { "1j", "a value of type 'complex'" },
  { "tuple(range(300))", "a tuple of 300 values" },
  { "a = []; a.append(a); a", "contains itself" },
  { "a = {}; a['a'] = a; a", "contains itself" },
  { "a = (1, []); a[1].append(a); a", "contains itself" },
  { "a = 1\nfor i in range(11): a = {'a': a}\na",
    "a value that is 33 containers deep (limit 31; a dictionary counts as three, a list of different types and None "
    "as two; text, such as json.dumps() makes, has no such limit)" },
  { "memoryview(b'abc')[:0].cast('B').release() or (lambda m: (m.release(), m)[1])(memoryview(b'a'))", "released" },
  { "__import__('array').array('u', 'ab')", "format 'w'|format 'u'" },
  { "__import__('ctypes').c_int32.__ctype_be__(1)", "format '>i'" },
};

static void
test_refused (void)
{
  gsize i, j;

  for (i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (GStrv) any_of = g_strsplit (refused[i].message, "|", -1);
      gboolean found = FALSE;

      g_assert_null (eval (refused[i].source, &error));
      g_test_message ("%s: %s", refused[i].source, error->message);
      g_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION);
      for (j = 0; any_of[j] != NULL; j++)
        found |= strstr (error->message, any_of[j]) != NULL;
      g_assert_true (found);
    }
}

/* What the code of a value raises is that code's exception. */
static void
test_raising (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (eval ("type('I', (), {'__index__': lambda self: 1/0})()", &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);
  g_assert_nonnull (strstr (error->message, "ZeroDivisionError"));
}

/* What a GVariant becomes, by its repr(). */
static const struct
{
  const char *value;
  const char *repr;
} received[] = {
  { "true", "True" },
  { "byte 0xff", "255" },
  { "int16 -1", "-1" },
  { "uint16 65535", "65535" },
  { "int32 -1", "-1" },
  { "uint32 4294967295", "4294967295" },
  { "int64 -9223372036854775808", "-9223372036854775808" },
  { "uint64 18446744073709551615", "18446744073709551615" },
  { "0.1", "0.1" },
  { "'gr\xc3\xbcn'", "'gr\xc3\xbcn'" },
  { "objectpath '/a'", "'/a'" },
  { "signature 'as'", "'as'" },
  { "<<int64 1>>", "1" },
  { "@ms nothing", "None" },
  { "@ms 'a'", "'a'" },
  { "@mmx just nothing", "None" },
  { "@ay [0x61, 0x00]", "b'a\\x00'" },
  { "@ab [true, false]", "[True, False]" },
  { "@an [-1]", "[-1]" },
  { "@aq [1]", "[1]" },
  { "@ai [-1]", "[-1]" },
  { "@au [4294967295]", "[4294967295]" },
  { "@ax [-1]", "[-1]" },
  { "@at [18446744073709551615]", "[18446744073709551615]" },
  { "[0.5, 1.5]", "[0.5, 1.5]" },
  { "['a', 'b']", "['a', 'b']" },
  { "@as []", "[]" },
  { "[<1>, <'a'>]", "[1, 'a']" },
  { "@aax [[1], []]", "[[1], []]" },
  { "@a(sx) [('a', 1)]", "[('a', 1)]" },
  { "{'a': <1>}", "{'a': 1}" },
  { "@a{us} {1: 'a'}", "{1: 'a'}" },
  { "@{sx} {'a', 1}", "('a', 1)" },
  { "()", "()" },
  { "(1, 'a', @mv nothing)", "(1, 'a', None)" },
};

static void
test_received (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (received); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = g_variant_parse (NULL, received[i].value, NULL, NULL, &error);
      g_autoptr (GVariant) result = NULL;

      g_assert_no_error (error);
      result = malt_worker_remote_call_fetch (test_python_worker, "builtins.repr", g_variant_new_tuple (&value, 1), NULL,
                                              MALT_TIMEOUT_NONE, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (g_variant_get_string (result, NULL), ==, received[i].repr);
    }
}

static void
test_handle (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_call_fetch (test_python_worker, "repr", g_variant_new ("(h)", 0), NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION);
}

/* The form of an "as" is made by hand, with offsets of every size. */
static void
test_many_texts (void)
{
  static const guint counts[] = { 1, 50, 62, 63, 64, 127, 128, 129, 5000, 13107, 13108, 21845, 21846, 30000, 100000 };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *source = g_strdup_printf ("[str(i) for i in range(%u)]", counts[i]);
      g_autoptr (GVariant) value = eval (source, &error);
      g_autofree const char **texts = NULL;
      gsize n, j;

      g_assert_no_error (error);
      g_assert_true (g_variant_is_normal_form (value));
      texts = g_variant_get_strv (value, &n);
      g_assert_cmpuint (n, ==, counts[i]);
      for (j = 0; j < n; j++)
        {
          g_autofree char *expected = g_strdup_printf ("%" G_GSIZE_FORMAT, j);

          g_assert_cmpstr (texts[j], ==, expected);
        }
    }
}

static void
test_large (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = eval ("list(range(1000000))", &error);
  const gint64 *numbers;
  gsize n;

  g_assert_no_error (error);
  numbers = g_variant_get_fixed_array (value, &n, sizeof (gint64));
  g_assert_cmpuint (n, ==, 1000000);
  g_assert_cmpint (numbers[999999], ==, 999999);
}

/* Buffers that are large enough not to be copied on their way, and what is done to them
 * afterwards. */
static void
test_buffers (void)
{
  static const struct { const char *source, *type; gsize n; } buffers[] = {
    { "bytes(n)", "ay", 100000 },
    { "b", "ay", 100000 },
    { "a", "ad", 100000 },
    { "memoryview(a)[::2]", "ad", 50000 },
    { "memoryview(a).cast('B').cast('d', (100, n // 100))", "aad", 100 },
    { "[b, b'small', bytes(n)]", "aay", 3 },
    { "(a, [b], {'k': b})", "(adaaya{sv})", 3 },
    { "memoryview(b).cast('?')", "ab", 100000 },
  };
  guint i, round;

  for (i = 0; i < G_N_ELEMENTS (buffers); i++)
    for (round = 0; round < 3; round++)
      {
        g_autoptr (GError) error = NULL;
        g_autoptr (GVariant) value = NULL;

        g_variant_unref (eval ("import array\n"
                               "n = 100000\n"
                               "a, b = array.array('d', range(n)), bytearray(n)\n"
                               "None", &error));
        g_assert_no_error (error);
        value = eval (buffers[i].source, &error);
        g_assert_no_error (error);
        g_assert_cmpstr (g_variant_get_type_string (value), ==, buffers[i].type);
        g_assert_cmpuint (g_variant_n_children (value), ==, buffers[i].n);

        /* Nothing holds on to them. */
        g_variant_unref (eval ("a.append(1); b.append(1); b[0] = 7\nNone", &error));
        g_assert_no_error (error);
        if (g_str_equal (buffers[i].type, "ad"))
          {
            gsize n;
            const double *numbers = g_variant_get_fixed_array (value, &n, sizeof (double));

            g_assert_cmpfloat (numbers[40000], ==, 40000.0 * 100000 / (double) buffers[i].n);
          }
        else if (g_str_equal (buffers[i].type, "ay"))
          {
            g_assert_cmpuint (((const guint8 *) g_variant_get_data (value))[0], ==, 0);
          }
      }
}

/* What numbers become with the option "buffers". */
static void
test_views (void)
{
  static const struct { const char *arguments, *expected; } views[] = {
    { "(@ay [],)", "'B 1 []'" },
    { "([byte 1, 2],)", "'B 1 [1, 2]'" },
    { "(@ad [],)", "'d 8 []'" },
    { "([0.5, 1],)", "'d 8 [0.5, 1.0]'" },
    { "([true, false],)", "'? 1 [True, False]'" },
    { "([int16 -1],)", "'h 2 [-1]'" },
    { "([uint16 1],)", "'H 2 [1]'" },
    { "([-1],)", "'i 4 [-1]'" },
    { "([uint32 1],)", "'I 4 [1]'" },
    { "([int64 -1],)", "'q 8 [-1]'" },
    { "([uint64 1],)", "'Q 8 [1]'" },
    { "(<[uint64 1]>,)", "'Q 8 [1]'" },
  };
  g_autoptr (GVariant) kept = NULL, sum = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  guint i;

  g_variant_unref (eval ("def show(v):\n"
                         "  assert v.readonly and v.contiguous and v.ndim == 1\n"
                         "  return f'{v.format} {v.itemsize} {v.tolist()}'\n"
                         "def keep(v):\n"
                         "  global kept; kept = v\n"
                         "def numpy(v):\n"
                         "  try:\n"
                         "    import numpy\n"
                         "  except ImportError:\n"
                         "    return 'missing'\n"
                         "  a = numpy.asarray(v)\n"
                         "  assert numpy.shares_memory(a, numpy.asarray(v)) and not a.flags.writeable\n"
                         "  return f'{a.dtype} {a.sum()}'\n"
                         "None", &error));
  g_assert_no_error (error);

  for (i = 0; i < G_N_ELEMENTS (views); i++)
    {
      g_autoptr (GVariant) value = malt_worker_remote_call_fetch (test_python_worker, "show",
                                                                  g_variant_new_parsed (views[i].arguments),
                                                                  NULL, MALT_TIMEOUT_NONE, NULL, &error);
      g_autofree char *printed = NULL;

      g_assert_no_error (error);
      printed = g_variant_print (value, FALSE);
      g_assert_cmpstr (printed, ==, views[i].expected);
    }

  /* It outlives the call, and can be sent back. */
  malt_worker_remote_call_wait (test_python_worker, "keep", g_variant_new_parsed ("([0.5, 1.5],)"), NULL,
                                MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  kept = eval ("kept", &error);
  g_assert_no_error (error);
  text = g_variant_print (kept, FALSE);
  g_assert_cmpstr (text, ==, "[0.5, 1.5]");

#if !defined(__SANITIZE_ADDRESS__) /* NumPy keeps what it has made once */
  sum = malt_worker_remote_call_fetch (test_python_worker, "numpy", g_variant_new_parsed ("([0.5, 1.5],)"), NULL,
                                        MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  if (!g_str_equal (g_variant_get_string (sum, NULL), "missing"))
    g_assert_cmpstr (g_variant_get_string (sum, NULL), ==, "float64 2.0");
#endif
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  test_python_add ("python-values", "sent", NULL, test_sent);
  test_python_add ("python-values", "refused", NULL, test_refused);
  test_python_add ("python-values", "raising", NULL, test_raising);
  test_python_add ("python-values", "received", NULL, test_received);
  test_python_add ("python-values", "handle", NULL, test_handle);
  test_python_add ("python-values", "many-texts", NULL, test_many_texts);
  test_python_add ("python-values", "large", NULL, test_large);
  test_python_add ("python-values", "buffers", NULL, test_buffers);
  test_python_add ("python-values", "views", "{'buffers': <'view'>}", test_views);

  return g_test_run ();
}
