/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib.h>
#include <string.h>

#include "fuzz/value-oracle.h"
#include "malt-limits.h"
#include "malt-type-layout.h"
#include "malt-value-scan.h"

/* Bytes written out, without the zero byte that ends the literal. */
typedef struct
{
  const char *type;
  const char *data;
  gsize       size;
  const char *reason; /* a part of it, or NULL when the bytes are good */
} Case;

#define GOOD(type, data)        { type, data, sizeof (data) - 1, NULL }
#define BAD(type, data, reason) { type, data, sizeof (data) - 1, reason }

/* GLib has to be of the same opinion. */
static void
check_cases (const Case *cases,
             gsize       n_cases)
{
  gsize i;

  for (i = 0; i < n_cases; i++)
    {
      g_autofree guint8 *data = g_memdup2 (cases[i].data, cases[i].size);
      g_autofree char *reason = NULL;
      gboolean accepted = malt_value_scan (G_VARIANT_TYPE (cases[i].type), data, cases[i].size, &reason);

      g_assert_cmpint (accepted, ==, reason == NULL);
      if (cases[i].reason == NULL ? !accepted : accepted || strstr (reason, cases[i].reason) == NULL)
        g_test_fail_printf ("case %" G_GSIZE_FORMAT " of type %s: %s instead of %s", i, cases[i].type,
                            accepted ? "good" : reason, cases[i].reason != NULL ? cases[i].reason : "good");

      value_oracle_compare (G_VARIANT_TYPE (cases[i].type), cases[i].data, cases[i].size);
    }
}

/* A handle means nothing without the descriptors that would have to come with it. */
static void
test_handles (void)
{
  static const Case cases[] = {
    BAD ("h", "\0\0\0\0", "a value at byte 0 is of type h, and a handle (h) is good for nothing"),
    BAD ("ah", "", "is of type ah"),
    BAD ("mh", "", "is of type mh"),
    BAD ("(xh)", "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "is of type (xh)"),
    BAD ("v", "\0\0\0\0\0h", "a variant inside at byte 0 is of type h"),
    BAD ("(yv)", "\1\0\0\0\0\0\0\0\0\0\0\0\0ah", "a variant inside at byte 8 is of type ah"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_numbers (void)
{
  static const Case cases[] = {
    GOOD ("y", "\xff"),
    GOOD ("n", "\xff\x80"),
    GOOD ("d", "\xff\xff\xff\xff\xff\xff\xff\xff"), /* not a number */
    BAD ("y", "", "a value at byte 0 is of 0 bytes instead of 1"),
    BAD ("y", "\1\2", "is of 2 bytes instead of 1"),
    BAD ("x", "1234567", "is of 7 bytes instead of 8"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_booleans (void)
{
  static const Case cases[] = {
    GOOD ("b", "\0"),
    GOOD ("b", "\1"),
    BAD ("b", "\2", "a boolean at byte 0 is 2"),
    BAD ("b", "\xff", "a boolean at byte 0 is 255"),
    BAD ("b", "", "is of 0 bytes instead of 1"),
    GOOD ("ab", ""),
    GOOD ("ab", "\0\1\1"),
    BAD ("ab", "\0\1\1\2", "a boolean at byte 3 is 2"),
    GOOD ("(bn)", "\1\0\5\5"),
    BAD ("(bn)", "\3\0\5\5", "a boolean at byte 0 is 3"),
    BAD ("mb", "\2", "a boolean at byte 0 is 2"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_strings (void)
{
  static const Case cases[] = {
    GOOD ("s", "\0"),
    GOOD ("s", "malt\0"),
    GOOD ("s", "\xe2\x82\xac\0"),
    BAD ("s", "", "a string at byte 0 does not end with a zero byte"),
    BAD ("s", "malt", "does not end with a zero byte"),
    BAD ("s", "ma\0lt\0", "has a zero byte inside"),
    BAD ("s", "malt\0\0", "has a zero byte inside"),
    BAD ("s", "\xff\0", "is not valid UTF-8"),
    BAD ("s", "\xe2\x82\0", "is not valid UTF-8"),
    BAD ("s", "\xc0\x80\0", "is not valid UTF-8"),         /* a zero byte, too long */
    BAD ("s", "\xed\xa0\x80\0", "is not valid UTF-8"),     /* a surrogate */
    BAD ("s", "\xf4\x90\x80\x80\0", "is not valid UTF-8"), /* beyond Unicode */
    BAD ("(ys)", "\7malt", "a string at byte 1"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_object_paths (void)
{
  static const Case cases[] = {
    GOOD ("o", "/\0"),
    GOOD ("o", "/org/malt/Worker_1\0"),
    BAD ("o", "", "a string at byte 0"),
    BAD ("o", "\0", "an object path at byte 0 is not valid"),
    BAD ("o", "/org/malt", "a string at byte 0"),
    BAD ("o", "org\0", "an object path at byte 0"),
    BAD ("o", "/org/\0", "an object path at byte 0"),
    BAD ("o", "//\0", "an object path at byte 0"),
    BAD ("o", "/org//malt\0", "an object path at byte 0"),
    BAD ("o", "/a-b\0", "an object path at byte 0"),
    BAD ("o", "/\xc3\xa4\0", "an object path at byte 0"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_signatures (void)
{
  static const Case cases[] = {
    GOOD ("g", "\0"),
    GOOD ("g", "a{sv}(ii)as\0"),
    GOOD ("g", "()\0"),
    GOOD ("g", "{sv}\0"),
    BAD ("g", "", "a string at byte 0"),
    BAD ("g", "s", "a string at byte 0"),
    BAD ("g", "ms\0", "a signature at byte 0 is not valid"),
    BAD ("g", "a?\0", "a signature at byte 0"),
    BAD ("g", "r\0", "a signature at byte 0"),
    BAD ("g", "(i\0", "a signature at byte 0"),
    BAD ("g", "a\0", "a signature at byte 0"),
    BAD ("g", "{vs}\0", "a signature at byte 0"),
    BAD ("g", "s s\0", "a signature at byte 0"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_maybes (void)
{
  static const Case cases[] = {
    GOOD ("mi", ""),
    GOOD ("mi", "1234"),
    BAD ("mi", "123", "is of 3 bytes instead of 4"),
    BAD ("mi", "1234\0", "is of 5 bytes instead of 4"),
    GOOD ("ms", ""),
    GOOD ("ms", "x\0\0"),
    BAD ("ms", "x\0", "a string at byte 0"), /* the last byte is the maybe's */
    BAD ("ms", "x\0\1", "the padding at byte 2 is not zero"),
    BAD ("ms", "\0", "a string at byte 0"),
    GOOD ("may", "\0"),
    GOOD ("may", "\1\0"),
    GOOD ("mmi", ""),
    GOOD ("mmi", "\0"),
    GOOD ("mmi", "1234\0"),
    BAD ("mmi", "1234", "the padding at byte 3 is not zero"),
    GOOD ("mmms", "\0\0"),
    GOOD ("mv", ""),
    GOOD ("mv", "1\0y\0"),
    GOOD ("m()", "\0"),
    BAD ("m()", "\1", "the padding at byte 0 is not zero"),
    GOOD ("m(yn)", "\1\0\2\2"),
    BAD ("m(yn)", "\1\1\2\2", "the padding at byte 1 is not zero"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_fixed_arrays (void)
{
  static const Case cases[] = {
    GOOD ("ay", ""),
    GOOD ("ay", "\1\2\3"),
    GOOD ("ax", "\xff\xff\xff\xff\xff\xff\xff\xff"),
    BAD ("ai", "12345", "an array at byte 0 is of 5 bytes and its elements of 4"),
    BAD ("ax", "1234567", "is of 7 bytes and its elements of 8"),
    GOOD ("a(iu)", "1234567887654321"),
    GOOD ("a(ny)", "\1\1\1\0\2\2\2\0"),
    BAD ("a(ny)", "\1\1\1\0\2\2\2\1", "the padding at byte 7 is not zero"),
    BAD ("a(ny)", "\1\1\1\0\2\2\2", "is of 7 bytes and its elements of 4"),
    GOOD ("a(yn)", "\1\0\1\1\2\0\2\2"),
    BAD ("a(yn)", "\1\0\1\1\2\2\2\2", "the padding at byte 5 is not zero"),
    GOOD ("a()", "\0\0\0"),
    BAD ("a()", "\0\1\0", "the padding at byte 1 is not zero"),
    GOOD ("a{yx}", "\1\0\0\0\0\0\0\0" "12345678"),
    BAD ("a{yx}", "\1\0\0\0\0\0\0\1" "12345678", "the padding at byte 7"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_arrays (void)
{
  static const Case cases[] = {
    GOOD ("as", ""),
    GOOD ("as", "a\0b\0\2\4"),
    BAD ("as", "\0", "a string at byte 0"), /* one, of no bytes */
    BAD ("as", "\1", "an array at byte 0 has no whole number of offsets"), /* no element, but an array */
    BAD ("as", "\2", "has no whole number of offsets"),
    BAD ("as", "a\0b\0\4\2", "the offset at byte 2 is out of order"),
    BAD ("as", "a\0b\0\0\4", "a string at byte 0 does not end"),
    BAD ("as", "a\0b\0\4\4", "has a zero byte inside"),
    BAD ("as", "a\0b\0\5\4", "the offset at byte 4 is out of order"),
    BAD ("as", "a\0b\5\2\3", "the offset at byte 3 is out of order"),
    GOOD ("aay", "\0"),
    GOOD ("aay", "\0\0\0"),
    GOOD ("aay", "\1\2\0\2\2"),
    /* Elements are aligned, after zeros. */
    GOOD ("av", "1\0y\0\0\0\0\0" "2\0y" "\3\013"),
    BAD ("av", "1\0y\0\0\0\1\0" "2\0y" "\3\013", "the padding at byte 6 is not zero"),
    BAD ("av", "1\0y" "2\0y" "\3\6", "the padding at byte 3 is cut off"),
    GOOD ("a(xay)", "12345678" "12345678" "\10\20"),
    BAD ("a(xay)", "12345678" "12345678" "\7\20", "a tuple at byte 0 is too short"),
    GOOD ("amx", "\0\0"),
    BAD ("amx", "\0\1", "is of 1 bytes instead of 8"),
    GOOD ("a{sv}", "a\0\0\0\0\0\0\0" "1\0y" "\2" "\014"),
    /* The padding before an empty element is there too. */
    GOOD ("amv", "1\0y\0\0\0\0\0" "\4\10"),
    BAD ("amv", "1\0y\0" "\4\4", "the padding at byte 4 is cut off"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_tuples (void)
{
  static const Case cases[] = {
    GOOD ("()", "\0"),
    BAD ("()", "", "is of 0 bytes instead of 1"),
    BAD ("()", "\1", "the padding at byte 0 is not zero"),
    GOOD ("(())", "\0"),
    GOOD ("(()y())", "\0\1\0"),
    BAD ("(()y())", "\0\1\1", "the padding at byte 2"),
    GOOD ("(yn)", "\1\0\1\1"),
    BAD ("(yn)", "\1\1\1\1", "the padding at byte 1 is not zero"),
    BAD ("(yn)", "\1\0\1", "is of 3 bytes instead of 4"),
    GOOD ("(ny)", "\1\1\1\0"),
    BAD ("(ny)", "\1\1\1\1", "the padding at byte 3 is not zero"),
    GOOD ("(s)", "a\0"),
    GOOD ("(ss)", "a\0b\0\2"),
    GOOD ("(sss)", "a\0b\0c\0\4\2"),
    BAD ("(sss)", "a\0b\0c\0\2\4", "a string at byte 0 has a zero byte inside"),
    BAD ("(ss)", "a\0b\0\6", "the offset at byte 4 is out of order"),
    BAD ("(ss)", "a\0b\0\5", "the offset at byte 4 is out of order"),
    BAD ("(ss)", "", "a string at byte 0"),
    /* The last member needs an offset when what follows is of fixed size. */
    GOOD ("(sy)", "a\0\1\2"),
    BAD ("(sy)", "a\0\1\1", "does not end with a zero byte"),
    BAD ("(sy)", "a\0\1\4", "the offset at byte 3 is out of order"),
    BAD ("(sy)", "a\0\1\1\2", "a tuple at byte 0 has unused bytes"),
    GOOD ("(ys)", "\1a\0"),
    BAD ("(ysy)", "\1", "a tuple at byte 0 is too short"),
    BAD ("(yx)", "\1", "is of 1 bytes instead of 16"),
    BAD ("(ays)", "\0", "a string at byte 0"),
    BAD ("(xs)", "1234567", "a tuple at byte 0 is too short"),
    GOOD ("(yv)", "\1\0\0\0\0\0\0\0" "\1\0y"),
    BAD ("(yv)", "\1\0\0\1\0\0\0\0" "\1\0y", "the padding at byte 3 is not zero"),
    BAD ("(yv)", "\1\0\0\0\0", "the padding at byte 1 is cut off"),
    GOOD ("(ayay)", "\0"),
    GOOD ("(ayay)", ""), /* GLib takes this too, though it does not make it */
    GOOD ("(ay)", ""),
    GOOD ("((((ay))))", ""),
    BAD ("(ayay)", "\1", "the offset at byte 0 is out of order"),
    BAD ("(ayy)", "\1\0\0", "a tuple at byte 0 has unused bytes"),
    GOOD ("{sv}", "a\0\0\0\0\0\0\0" "1\0y" "\2"),
    BAD ("{sv}", "a\0\0\0\0\0\0\1" "1\0y" "\2", "the padding at byte 7 is not zero"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

static void
test_variants (void)
{
  static const Case cases[] = {
    GOOD ("v", "1\0y"),
    GOOD ("v", "\0\0()"),
    GOOD ("v", "\0as"),
    GOOD ("v", "\0ms"),
    GOOD ("v", "a\0\0s"),
    GOOD ("v", "1\0y\0v\0v"),
    BAD ("v", "", "a variant at byte 0 has no type"),
    BAD ("v", "\0", "the type string of a variant inside is not valid"),
    BAD ("v", "y", "a variant at byte 0 has no type"),
    BAD ("v", "\0y", "a value at byte 0 is of 0 bytes instead of 1"),
    BAD ("v", "12\0y", "a value at byte 0 is of 2 bytes instead of 1"),
    BAD ("v", "\0s", "a string at byte 0"),
    BAD ("v", "1\0yy", "the type string of a variant inside is not valid"),
    BAD ("v", "1\0y\0", "the type string of a variant inside is not valid"),
    BAD ("v", "1\0a", "is not valid"),
    BAD ("v", "1\0m", "is not valid"),
    BAD ("v", "1\0(", "is not valid"),
    BAD ("v", "1\0(y", "is not valid"),
    BAD ("v", "1\0(y}", "is not valid"),
    BAD ("v", "1\0y)", "is not valid"),
    BAD ("v", "1\0a)", "is not valid"),
    BAD ("v", "1\0(a)", "is not valid"),
    BAD ("v", "\0a{}", "is not valid"),
    BAD ("v", "\0a{s}", "is not valid"),
    BAD ("v", "\0a{vs}", "is not valid"),
    BAD ("v", "\0a{(s)s}", "is not valid"),
    BAD ("v", "\0a{sss}", "is not valid"),
    GOOD ("v", "\0a{ss}"),
    BAD ("v", "\0a*", "is not valid"),
    BAD ("v", "\0a?", "is not valid"),
    BAD ("v", "\0r", "is not valid"),
    BAD ("v", "\0ar", "is not valid"),
    BAD ("v", "\0&s", "is not valid"),
    BAD ("v", "\0a\xff", "is not valid"),
    BAD ("v", "\2\0b", "a boolean at byte 0 is 2"),
  };

  check_cases (cases, G_N_ELEMENTS (cases));
}

/* The wider offsets would do as well, were there not one normal form only. */
static void
test_offset_size (void)
{
  static const char * const types[] = { "as", "(ss)", "a(ss)", "aay", "v", "a{ss}" };
  guint length;
  guint i;

  for (length = 240; length < 270; length++)
    {
      g_autofree char *text = g_strnfill (length, 'x');
      g_autofree char *narrow = g_strdup_printf ("%s%c%c", text, '\0', (int) (length + 1));
      g_autofree char *wide = g_strdup_printf ("%s%c%c%c", text, '\0', (int) ((length + 1) & 0xff), (int) ((length + 1) >> 8));

      g_assert_cmpint (value_oracle_compare (G_VARIANT_TYPE ("as"), narrow, length + 2), ==, length + 2 <= 255);
      g_assert_cmpint (value_oracle_compare (G_VARIANT_TYPE ("as"), wide, length + 3), ==, length + 2 > 255);
      g_assert_cmpint (value_oracle_compare (G_VARIANT_TYPE ("(say)"), narrow, length + 2), ==, length + 2 <= 255);
      g_assert_cmpint (value_oracle_compare (G_VARIANT_TYPE ("(say)"), wide, length + 3), ==, length + 2 > 255);

      /* All lies about where things end. */
      for (i = 0; i < G_N_ELEMENTS (types); i++)
        {
          value_oracle_compare (G_VARIANT_TYPE (types[i]), narrow, length + 2);
          value_oracle_compare (G_VARIANT_TYPE (types[i]), wide, length + 3);
        }
    }

  for (length = 65520; length < 65545; length++)
    {
      g_autofree char *text = g_strnfill (length, 'x');
      g_autoptr (GVariant) array = g_variant_ref_sink (g_variant_new_strv ((const char * const *) &text, 1));
      gsize size = g_variant_get_size (array);

      g_assert_cmpuint (size, ==, length + 1 + (length + 3 <= 65535 ? 2 : 4));
      g_assert_true (value_oracle_compare (G_VARIANT_TYPE ("as"), g_variant_get_data (array), size));
    }
}

static char *
repeat (const char *text,
        guint       times,
        const char *end)
{
  GString *string = g_string_new (NULL);
  guint i;

  for (i = 0; i < times; i++)
    g_string_append (string, text);

  return g_string_free (g_string_append (string, end), FALSE);
}

static void
check_scan (const char    *type,
            gconstpointer  data,
            gsize          size,
            const char    *expected_reason)
{
  g_autofree char *reason = NULL;

  g_assert_cmpint (malt_value_scan (G_VARIANT_TYPE (type), data, size, &reason), ==, expected_reason == NULL);
  g_assert_cmpstr (reason, ==, expected_reason);
}

/* A variant without a byte for its value. */
static char *
empty_variant (const char *type)
{
  char *data = g_strconcat ("?", type, NULL);

  data[0] = '\0';
  return data;
}

static void
test_limit_type_string (void)
{
  g_autofree char *members = repeat ("s", MALT_LIMIT_TYPE_STRING - 2, "");
  g_autofree char *longest = g_strdup_printf ("(%s)", members);
  g_autofree char *longer = g_strdup_printf ("(%ss)", members);
  g_autofree char *longest_variant = empty_variant (longest);
  g_autofree char *longer_variant = empty_variant (longer);
  g_autofree char *no_type = g_strnfill (MALT_LIMIT_TYPE_STRING + 1, 'y');

  g_assert_cmpuint (strlen (longest), ==, MALT_LIMIT_TYPE_STRING);

  check_scan (longest, NULL, 0, "a string at byte 0 does not end with a zero byte");
  check_scan (longer, NULL, 0, "the type string of a value is longer than 255 bytes");

  check_scan ("v", longest_variant, 1 + MALT_LIMIT_TYPE_STRING,
              "a string at byte 0 does not end with a zero byte");
  check_scan ("v", longer_variant, 1 + MALT_LIMIT_TYPE_STRING + 1,
              "the type string of a variant inside is longer than 255 bytes");

  check_scan ("v", no_type, MALT_LIMIT_TYPE_STRING, "a variant at byte 0 has no type");
  check_scan ("v", no_type, MALT_LIMIT_TYPE_STRING + 1, "a variant at byte 0 has no type");
}

/* Variants around a byte. */
static GVariant *
nest_variants (guint n_variants)
{
  GVariant *value = g_variant_new_byte (7);
  guint i;

  for (i = 0; i < n_variants; i++)
    value = g_variant_new_variant (value);

  return g_variant_ref_sink (value);
}

static void
test_limit_depth (void)
{
  static const char * const wrappers[] = { "a", "m" };
  g_autofree char *open = repeat ("(", MALT_LIMIT_DEPTH - 1, "");
  g_autofree char *close = repeat (")", MALT_LIMIT_DEPTH - 1, "");
  g_autofree char *deepest_tuple = g_strdup_printf ("%say%s", open, close);
  g_autofree char *deeper_tuple = g_strdup_printf ("(%say%s)", open, close);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (wrappers); i++)
    {
      g_autofree char *deepest = repeat (wrappers[i], MALT_LIMIT_DEPTH, "s");
      g_autofree char *deeper = repeat (wrappers[i], MALT_LIMIT_DEPTH + 8, "s");
      g_autofree char *with_variant = repeat (wrappers[i], MALT_LIMIT_DEPTH, "v");
      g_autofree char *deepest_variant = empty_variant (deepest);

      check_scan (deepest, NULL, 0, NULL);
      check_scan (deeper, NULL, 0, "a value nests 40 containers (limit 32)");
      check_scan (with_variant, NULL, 0, "a value nests 33 containers (limit 32)");

      check_scan ("v", deepest_variant, 1 + strlen (deepest), "a variant inside nests 33 containers (limit 32)");
      deepest_variant[1] = '\0';
      check_scan ("v", deepest_variant + 1, strlen (deepest), NULL);
    }

  check_scan (deepest_tuple, NULL, 0, NULL);
  check_scan (deeper_tuple, NULL, 0, "a value nests 33 containers (limit 32)");

  for (i = 1; i < MALT_LIMIT_DEPTH + 3; i++)
    {
      g_autoptr (GVariant) value = nest_variants (i);
      const char *reason = i > MALT_LIMIT_DEPTH ? "a variant inside nests 33 containers (limit 32)" : NULL;

      check_scan ("v", g_variant_get_data (value), g_variant_get_size (value), reason);
      g_assert_cmpint (value_oracle_compare (G_VARIANT_TYPE ("v"), g_variant_get_data (value),
                                             g_variant_get_size (value)), ==, i <= MALT_LIMIT_DEPTH);
    }
}

/* As much as can be kept at one time: variants of long types inside each other. */
static void
test_limit_parsed_types (void)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_byte (7));
  guint level;

  for (level = 0; level < MALT_LIMIT_DEPTH / 2; level++)
    {
      GVariant *members[MALT_LIMIT_TYPE_STRING - 2];
      g_autoptr (GVariant) inner = g_steal_pointer (&value);
      guint i;

      for (i = 0; i < G_N_ELEMENTS (members); i++)
        members[i] = i == 7 || i == 200 ? g_variant_new_variant (level < 4 || i == 7 ? inner : g_variant_new_int16 (1))
                                        : g_variant_new_byte (1);

      value = g_variant_ref_sink (g_variant_new_tuple (members, G_N_ELEMENTS (members)));
    }

  g_assert_cmpuint (strlen (g_variant_get_type_string (value)), ==, MALT_LIMIT_TYPE_STRING);
  check_scan (g_variant_get_type_string (value), g_variant_get_data (value), g_variant_get_size (value), NULL);
}

static void
test_limit_values (void)
{
  gsize size = MALT_LIMIT_VALUES;
  g_autofree guint8 *data = g_malloc0 (size);
  guint i;

  /* The array counts as well. */
  check_scan ("ab", data, size - 1, NULL);
  check_scan ("ab", data, size, "there are more than 4194304 values");

  check_scan ("a()", data, size - 1, NULL);
  check_scan ("a()", data, size, "there are more than 4194304 values");

  /* These do not. */
  check_scan ("ay", data, size, NULL);
  check_scan ("(aya(yyyy))", data, 0, NULL);
  check_scan ("a(yyyy)", data, size, NULL);
  check_scan ("a(xi(nn))", data, size, NULL);
  check_scan ("a(yyyyb)", data, size / 10 * 5, NULL);
  check_scan ("a(yb)", data, size, "there are more than 4194304 values");

  /* One budget for all: a hundred arrays that each keep within it. */
  {
    g_autoptr (GVariant) booleans = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BOOLEAN, data, size / 64, 1));
    GVariant *arrays[65];
    g_autoptr (GVariant) value = NULL;

    for (i = 0; i < G_N_ELEMENTS (arrays); i++)
      arrays[i] = booleans;

    value = g_variant_ref_sink (g_variant_new_array (NULL, arrays, 63));
    check_scan ("aab", g_variant_get_data (value), g_variant_get_size (value), NULL);
    g_clear_pointer (&value, g_variant_unref);
    value = g_variant_ref_sink (g_variant_new_array (NULL, arrays, 64));
    check_scan ("aab", g_variant_get_data (value), g_variant_get_size (value), "there are more than 4194304 values");
  }
}

/* What costs GLib seconds or memory: the counts and limits end it. */
static void
test_hostile (void)
{
  gsize size = 2 * 1024 * 1024;
  g_autofree char *open = repeat ("(", 30, "");
  g_autofree char *close = repeat (")", 30, "");
  g_autofree char *nested = g_strdup_printf ("a%say%s", open, close);
  g_autofree char *too_deep = g_strdup_printf ("a%s%say%s%s", open, open, close, close);
  g_autofree char *wide = repeat ("ay", 126, ")");
  g_autofree char *wide_type = g_strconcat ("a(", wide, NULL);
  g_autofree guint8 *data = g_malloc0 (size);
  gsize i;

  /* Elements without a byte, of 31 values each. */
  check_scan (nested, data, 255, NULL);
  check_scan (nested, data, 65534, NULL);
  check_scan (too_deep, data, 255, "a value nests 62 containers (limit 32)");

  {
    /* Big enough for the offsets of four bytes: all elements but the last empty. */
    gsize last = size / 2;

    for (i = last; i < size; i += 4)
      {
        guint32 offset = GUINT32_TO_LE ((guint32) last);

        memcpy (data + i, &offset, sizeof offset);
      }

    check_scan (nested, data, size, "there are more than 4194304 values");
    check_scan (wide_type, data, size, "there are more than 4194304 values");
  }

  /* A type of two million members. */
  memset (data, 'y', size);
  data[0] = 0;
  data[1] = '(';
  data[size - 1] = ')';
  check_scan ("v", data, size, "the type string of a variant inside is longer than 255 bytes");

  /* Brackets only. */
  memset (data, '(', size);
  data[size - 256] = 0;
  check_scan ("v", data, size, "the type string of a variant inside is not valid");

  /* A signature of that kind. */
  data[size - 256] = '(';
  data[size - 1] = 0;
  check_scan ("g", data, size, "a signature at byte 0 is not valid");
}

static void
test_no_reason (void)
{
  g_assert_true (malt_value_scan (G_VARIANT_TYPE_BYTE, "7", 1, NULL));
  g_assert_false (malt_value_scan (G_VARIANT_TYPE_STRING, "7", 1, NULL));
}

/* A type string of a few characters, mostly not a type. */
static char *
random_type_string (GRand *rand)
{
  static const char alphabet[] = "ybnqiuxthdsogvam(){}(a*?r";
  guint length = (guint) g_rand_int_range (rand, 0, 10);
  GString *string = g_string_new (NULL);
  guint i;

  for (i = 0; i < length; i++)
    g_string_append_c (string, alphabet[g_rand_int_range (rand, 0, sizeof alphabet - 1)]);

  return g_string_free (string, FALSE);
}

static void
append_random_type (GRand   *rand,
                    GString *string,
                    guint    depth)
{
  static const char simple[] = "ybnqiuxtdsogvsv";
  static const char basic[] = "ybnqiuxtdsog";
  guint choice = (guint) g_rand_int_range (rand, 0, depth > 0 ? 10 : 4);
  guint n_members;
  guint i;

  switch (choice)
    {
    case 4:
    case 5:
      g_string_append_c (string, 'a');
      append_random_type (rand, string, depth - 1);
      break;

    case 6:
      g_string_append_c (string, 'm');
      append_random_type (rand, string, depth - 1);
      break;

    case 7:
    case 8:
      n_members = (guint) g_rand_int_range (rand, 0, 5);
      g_string_append_c (string, '(');
      for (i = 0; i < n_members; i++)
        append_random_type (rand, string, depth - 1);
      g_string_append_c (string, ')');
      break;

    case 9:
      g_string_append_c (string, '{');
      g_string_append_c (string, basic[g_rand_int_range (rand, 0, sizeof basic - 1)]);
      append_random_type (rand, string, depth - 1);
      g_string_append_c (string, '}');
      break;

    default:
      g_string_append_c (string, simple[g_rand_int_range (rand, 0, sizeof simple - 1)]);
      break;
    }
}

static char *
random_type (GRand *rand,
             guint  depth)
{
  GString *string = g_string_new (NULL);

  append_random_type (rand, string, depth);
  return g_string_free (string, FALSE);
}

static GVariant *random_value (GRand              *rand,
                               const GVariantType *type,
                               guint               depth);

static GVariant *
random_text (GRand              *rand,
             const GVariantType *type)
{
  static const char * const strings[] = { "", "a", "malt", "\xe2\x82\xac", "/", "s" };
  static const char * const paths[] = { "/", "/a", "/a/b_1" };
  static const char * const signatures[] = { "", "s", "a{sv}", "(yx)ai" };

  switch (*g_variant_type_peek_string (type))
    {
    case 'o':
      return g_variant_new_object_path (paths[g_rand_int_range (rand, 0, G_N_ELEMENTS (paths))]);
    case 'g':
      return g_variant_new_signature (signatures[g_rand_int_range (rand, 0, G_N_ELEMENTS (signatures))]);
    default:
      if (g_rand_int_range (rand, 0, 50) == 0)
        {
          g_autofree char *text = g_strnfill ((gsize) g_rand_int_range (rand, 240, 260), 'x');

          return g_variant_new_string (text);
        }
      return g_variant_new_string (strings[g_rand_int_range (rand, 0, G_N_ELEMENTS (strings))]);
    }
}

static GVariant *
random_basic (GRand              *rand,
              const GVariantType *type)
{
  switch (*g_variant_type_peek_string (type))
    {
    case 'b':
      return g_variant_new_boolean (g_rand_boolean (rand));
    case 'y':
      return g_variant_new_byte ((guint8) g_rand_int (rand));
    case 'n':
      return g_variant_new_int16 ((gint16) g_rand_int (rand));
    case 'q':
      return g_variant_new_uint16 ((guint16) g_rand_int (rand));
    case 'i':
      return g_variant_new_int32 ((gint32) g_rand_int (rand));
    case 'u':
      return g_variant_new_uint32 (g_rand_int (rand));
    case 'x':
      return g_variant_new_int64 (g_rand_int (rand));
    case 't':
      return g_variant_new_uint64 (g_rand_int (rand));
    case 'd':
      return g_variant_new_double (g_rand_double (rand));
    default:
      return random_text (rand, type);
    }
}

static GVariant *
random_members (GRand              *rand,
                const GVariantType *type,
                guint               depth)
{
  const GVariantType *member;
  GVariant *members[8];
  guint n_members = 0;

  for (member = g_variant_type_first (type); member != NULL; member = g_variant_type_next (member))
    members[n_members++] = random_value (rand, member, depth);

  if (g_variant_type_is_dict_entry (type))
    return g_variant_new_dict_entry (members[0], members[1]);

  return g_variant_new_tuple (members, n_members);
}

/* @depth is for the types of the variants inside. */
static GVariant *
random_value (GRand              *rand,
              const GVariantType *type,
              guint               depth)
{
  if (g_variant_type_is_basic (type))
    return random_basic (rand, type);

  if (g_variant_type_equal (type, G_VARIANT_TYPE_VARIANT))
    {
      g_autofree char *inner = random_type (rand, depth);

      return g_variant_new_variant (random_value (rand, G_VARIANT_TYPE (inner), depth > 0 ? depth - 1 : 0));
    }

  if (g_variant_type_is_maybe (type))
    {
      const GVariantType *element = g_variant_type_element (type);

      return g_variant_new_maybe (element, g_rand_boolean (rand) ? random_value (rand, element, depth) : NULL);
    }

  if (g_variant_type_is_array (type))
    {
      const GVariantType *element = g_variant_type_element (type);
      GVariant *elements[4];
      guint n_elements = (guint) g_rand_int_range (rand, 0, 5);
      guint i;

      for (i = 0; i < n_elements; i++)
        elements[i] = random_value (rand, element, depth);

      return g_variant_new_array (element, elements, n_elements);
    }

  return random_members (rand, type, depth);
}

/* Small changes, of the kind that keep most of a value good. */
static void
change (GRand      *rand,
        GByteArray *bytes)
{
  static const guint8 favourites[] = { 0, 1, 2, 3, 4, 8, 0xff, 'y', 's', 'v', '(', ')', 'a' };
  guint8 byte = favourites[g_rand_int_range (rand, 0, G_N_ELEMENTS (favourites))];
  guint position = bytes->len > 0 ? (guint) g_rand_int_range (rand, 0, (gint32) bytes->len) : 0;

  switch (g_rand_int_range (rand, 0, 6))
    {
    case 0:
      g_byte_array_append (bytes, &byte, 1);
      break;

    case 1:
      if (bytes->len > 0)
        g_byte_array_remove_index (bytes, position);
      break;

    case 2:
      g_byte_array_set_size (bytes, position);
      break;

    case 3:
      if (bytes->len > 0)
        bytes->data[position] ^= (guint8) (1 << g_rand_int_range (rand, 0, 8));
      break;

    case 4:
      if (bytes->len > 0)
        bytes->data[position] += (guint8) (g_rand_boolean (rand) ? 1 : 0xff);
      break;

    default:
      if (bytes->len > 0)
        bytes->data[position] = byte;
      break;
    }
}

static void
test_random_values (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (20231);
  guint n_accepted = 0;
  guint n_rejected = 0;
  guint i, j;

  g_test_summary ("Says of random values, and of small changes of these, what GLib says");

  for (i = 0; i < 6000; i++)
    {
      g_autofree char *type = random_type (rand, 4);
      g_autoptr (GVariant) value = g_variant_ref_sink (random_value (rand, G_VARIANT_TYPE (type), 3));
      gconstpointer data = g_variant_get_data (value);
      gsize size = g_variant_get_size (value);

      g_assert_true (value_oracle_compare (G_VARIANT_TYPE (type), data, size));

      for (j = 0; j < 8; j++)
        {
          g_autoptr (GByteArray) bytes = g_byte_array_new ();

          g_byte_array_append (bytes, data, (guint) size);
          change (rand, bytes);
          if (g_rand_int_range (rand, 0, 4) == 0)
            change (rand, bytes);

          if (value_oracle_compare (G_VARIANT_TYPE (type), bytes->data, bytes->len))
            n_accepted++;
          else
            n_rejected++;
        }
    }

  g_test_message ("%u changed values accepted, %u rejected", n_accepted, n_rejected);
  g_assert_cmpuint (n_accepted, >, 5000);
  g_assert_cmpuint (n_rejected, >, 5000);
}

static void
test_random_bytes (void)
{
  static const guint8 alphabet[] = { 0, 0, 0, 1, 1, 2, 3, 4, 5, 8, 'y', 's', 'v', 'a', '/', 0xff };
  g_autoptr (GRand) rand = g_rand_new_with_seed (20232);
  guint n_accepted = 0;
  guint i, j;

  g_test_summary ("Says of random bytes of random types what GLib says");

  for (i = 0; i < 60000; i++)
    {
      g_autofree char *type = random_type (rand, 3);
      guint8 data[24];
      guint size = (guint) g_rand_int_range (rand, 0, g_rand_boolean (rand) ? 6 : G_N_ELEMENTS (data) + 1);

      for (j = 0; j < size; j++)
        data[j] = alphabet[g_rand_int_range (rand, 0, G_N_ELEMENTS (alphabet))];

      n_accepted += value_oracle_compare (G_VARIANT_TYPE (type), data, size);
    }

  g_test_message ("%u accepted", n_accepted);
  g_assert_cmpuint (n_accepted, >, 1000);
}

static void
test_random_types (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (20233);
  guint n_valid = 0;
  guint i;

  g_test_summary ("Takes for a type what GLib takes for a definite type");

  for (i = 0; i < 200000; i++)
    {
      g_autofree char *string = i % 2 == 0 ? random_type_string (rand) : random_type (rand, 4);
      MaltTypeCell cells[MALT_LIMIT_TYPE_STRING];
      guint depth;
      gboolean valid;

      if (strlen (string) > MALT_LIMIT_TYPE_STRING)
        continue;

      valid = g_variant_type_string_is_valid (string) && g_variant_type_is_definite (G_VARIANT_TYPE (string));
      g_assert_cmpint (malt_type_layout_parse (string, strlen (string), cells, &depth), ==, valid);
      if (valid)
        g_assert_cmpuint (cells[0].length, ==, strlen (string));
      n_valid += valid;
    }

  g_assert_cmpuint (n_valid, >, 100000);
}

/* The types that the scanner looks at in a shorter way, and what is next to them. */
static void
test_random_plain (void)
{
  static const char * const types[] = {
    "y", "b", "q", "i", "x", "d", "s", "()", "mv", "mx", "my", "ms", "ay", "ax", "an", "ab", "(y)", "(xx)", "(iiyyq)",
    "(yi)", "(iy)", "(xy)", "(s)", "(xs)", "(yys)", "(ys)", "(iys)", "(sy)", "(ss)", "(b)", "(bs)", "(o)", "(xiqys)",
    "{ys}", "{xy}", "v",
  };
  g_autoptr (GRand) rand = g_rand_new_with_seed (20744);
  guint n_good = 0;
  guint i;

  for (i = 0; i < 200000; i++)
    {
      const char *type = types[i % G_N_ELEMENTS (types)];
      gsize size = (gsize) g_rand_int_range (rand, 0, 26);
      guint8 data[26];
      gsize j;

      for (j = 0; j < size; j++)
        data[j] = (guint8) g_rand_int_range (rand, 0, 300) % 256 | (g_rand_boolean (rand) ? 0 : 'a');
      if (size > 0 && g_rand_boolean (rand))
        data[size - 1] = 0;
      if (*type == 'v' && size > 4 && g_rand_boolean (rand))
        {
          const char *inner = types[g_rand_int_range (rand, 0, G_N_ELEMENTS (types))];

          memcpy (data + size - MIN (strlen (inner), 4), inner, MIN (strlen (inner), 4));
          data[size - MIN (strlen (inner), 4) - 1] = 0;
        }

      n_good += value_oracle_compare (G_VARIANT_TYPE (type), data, size);
    }

  g_assert_cmpuint (n_good, >, 10000);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/value-scan/numbers", test_numbers);
  g_test_add_func ("/value-scan/handles", test_handles);
  g_test_add_func ("/value-scan/booleans", test_booleans);
  g_test_add_func ("/value-scan/strings", test_strings);
  g_test_add_func ("/value-scan/object-paths", test_object_paths);
  g_test_add_func ("/value-scan/signatures", test_signatures);
  g_test_add_func ("/value-scan/maybes", test_maybes);
  g_test_add_func ("/value-scan/fixed-arrays", test_fixed_arrays);
  g_test_add_func ("/value-scan/arrays", test_arrays);
  g_test_add_func ("/value-scan/tuples", test_tuples);
  g_test_add_func ("/value-scan/variants", test_variants);
  g_test_add_func ("/value-scan/offset-size", test_offset_size);
  g_test_add_func ("/value-scan/limits/type-string", test_limit_type_string);
  g_test_add_func ("/value-scan/limits/depth", test_limit_depth);
  g_test_add_func ("/value-scan/limits/parsed-types", test_limit_parsed_types);
  g_test_add_func ("/value-scan/limits/values", test_limit_values);
  g_test_add_func ("/value-scan/hostile", test_hostile);
  g_test_add_func ("/value-scan/no-reason", test_no_reason);
  g_test_add_func ("/value-scan/random/values", test_random_values);
  g_test_add_func ("/value-scan/random/bytes", test_random_bytes);
  g_test_add_func ("/value-scan/random/types", test_random_types);
  g_test_add_func ("/value-scan/random/plain", test_random_plain);

  return g_test_run ();
}
