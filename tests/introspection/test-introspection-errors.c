/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "introspected-worker.h"
#include "test-asserts.h"

/* Introspected functions that are not there, cannot be called, or are called wrongly: each has its
 * error, and the worker goes on. */

typedef struct
{
  const char *function;
  const char *arguments;
  const char *pattern;
} Case;

static void
expect_errors (Introspected *fixture,
               const Case   *cases,
               gsize         n,
               GQuark        domain,
               int           code)
{
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s %s", cases[i].function, cases[i].arguments);
      g_assert_null (introspected_call (fixture->worker, cases[i].function, cases[i].arguments, &error));
      test_assert_error (error, domain, code, cases[i].pattern);
    }

  introspected_expect (fixture->worker, "Specimens.join", "('a', 'b')", "'a,b'");
}

static void
test_not_found (Introspected  *fixture,
                gconstpointer  data)
{
  static const Case cases[] = {
    { "Nowhere.function", "()", "*no function 'Nowhere.function', and there is no namespace Nowhere: *" },
    { "Nowhere@1.0.function", "()", "*there is no namespace Nowhere of version 1.0: *" },
    { "Broken.function", "()", "*the namespace Broken cannot be loaded: *" },
    { "Broken@1.0.function", "()", "*the namespace Broken of version 1.0 cannot be loaded: *" },
    { "Broken@2.0.function", "()", "*there is no namespace Broken of version 2.0 (there is version 1.0): *" },
    { "Specimens@3.0.get_version", "()", "*version 3.0 of the namespace Specimens cannot be used in this worker, "
                                         "which uses version 2.0 of it" },
    { "Specimens.nothing", "()", "*the namespace Specimens 2.0 has no function 'nothing'" },
    { "Specimens.Nothing.get", "()", "*the namespace Specimens 2.0 has no type 'Nothing'" },
    { "Specimens.Point.get", "()", "*the type Specimens.Point 2.0 has no function 'get'" },
    { "Specimens.Task.get", "()", "*the type Specimens.Task 2.0 has no function 'get'" },
    { "Specimens.Point", "()", "*Specimens.Point in the namespace Specimens 2.0 is not a function" },
    { "Specimens.get_versions", "()", "*the namespace Specimens 2.0 has no function 'get_versions'; "
                                      "there is 'get_version'" },
    { "Specimens.specimens_join", "()", "*the namespace Specimens 2.0 has no function 'specimens_join'" },
    { "GLib.g_base64_encode", "()", "*has no function 'g_base64_encode'; there is 'base64_encode'" },
    { "GLib.Datetime.new_now", "()", "*has no type 'Datetime'; there is 'DateTime'" },
    { "GLib.DateTime.newNowUtc", "()", "*the type GLib.DateTime 2.0 has no function 'newNowUtc'; there is 'new_now_utc'" },
    { "Specimens.get_version.again", "()", "*has no function 'again'" },
    { "Specimens@1.0.get_version", "()", "*version 1.0 of the namespace Specimens cannot be used in this worker, "
                                         "which uses version 2.0 of it" },
    { "Specimens.", "()", "*'Specimens.' is not the name of an introspected function" },
    { ".get_version", "()", "*not the name of an introspected function" },
    { "Specimens..get_version", "()", "*not the name of an introspected function" },
    { "Specimens.Point.get.more", "()", "*not the name of an introspected function" },
    { "Specimens@.get_version", "()", "*not the name of an introspected function" },
    { "Specimens@x.get_version", "()", "*not the name of an introspected function" },
    { "Specimens@1.0", "()", "*not the name of an introspected function" },
    { "../Specimens.get_version", "()", "*not the name of an introspected function" },
    { "native-functions.add", "()", "*not the name of an introspected function" },
  };

  introspected_expect (fixture->worker, "Specimens@2.0.get_version", "()", "1");
  expect_errors (fixture, cases, G_N_ELEMENTS (cases), MALT_ERROR, MALT_ERROR_NOT_FOUND);
}

/* Before any version of it was used. */
static void
test_version (Introspected  *fixture,
              gconstpointer  data)
{
  static const Case absent = {
    "Specimens@3.0.get_version", "()", "*no namespace Specimens of version 3.0 (there is version *.0, *.0): *"
  };

  if (g_strcmp0 (data, "process") == 0)
    expect_errors (fixture, &absent, 1, MALT_ERROR, MALT_ERROR_NOT_FOUND);
}

static void
test_not_callable (Introspected  *fixture,
                   gconstpointer  data)
{
  static const Case cases[] = {
    { "Specimens.object", "()", "*Specimens.object cannot be called: argument 1 (object) is an object (GObject.Object)" },
    { "Specimens.gtypes", "()", "*argument 1 (types) is an array of what has no value: a GType" },
    { "Specimens.pointer", "()", "*its result is an untyped pointer" },
    { "Specimens.fill", "()", "*argument 1 (buffer) is to be filled by the function, and nobody says how much *" },
    { "GLib.idle_add", "()", "*argument 2 (function) is a callback (GLib.SourceFunc)" },
    { "GLib.MainLoop.run", "()", "*argument 1 (self) is a structure without a value (GLib.MainLoop)" },
    { "GLib.atomic_int_get", "()", "*argument 1 (atomic) is a pointer to gint32" },
    { "GLib.Bytes.unref", "(b'x',)", "*it frees argument 1 (self), which is a copy that is freed anyway" },
    { "GLib.Date.free", "()", "*it frees argument 1 (*" },
    { "Gio.File.new_for_path", "('/',)", "*its result is an object (Gio.File)" },
    { "Gio.Cancellable.cancel", "()", "*argument 1 (self) is an object (Gio.Cancellable)" },
    { "Gio.Cancellable.get_current", "()", "*its result is an object (Gio.Cancellable)" },
  };

  expect_errors (fixture, cases, G_N_ELEMENTS (cases), MALT_ERROR, MALT_ERROR_NOT_SUPPORTED);
}

static void
test_arguments (Introspected  *fixture,
                gconstpointer  data)
{
  static const Case cases[] = {
    { "Specimens.join", "()", "*argument 1 (first) of Specimens.join (first, [second], [separator]) is missing" },
    { "Specimens.join", "('a', 'b', 'c', 'd')",
      "*4 arguments are too many for Specimens.join (first, [second], [separator])" },
    { "Specimens.join", "(@mv nothing,)", "*Specimens.join: argument 1 (first): nothing was given, and not text" },
    { "Specimens.join", "(1,)", "*argument 1 (first): 1 of the type i is not text" },
    { "Specimens.join", "(['a'],)", "*argument 1 (first): ['a'] of the type as is not text" },
    { "Specimens.join", "('a', true)", "*argument 2 (second): true of the type b is not text" },
    { "Specimens.maybe_object", "('a', 'b')",
      "*argument 2 (object): it is an object (GObject.Object), and can only be nothing" },
    { "Specimens.run_maybe", "('a',)", "*argument 1 (task): it is a callback (Specimens.Task), and can only be nothing" },
    { "Specimens.dot", "([1.0], [1.0, 2.0])",
      "*argument 2 (b): an array of 2 elements is not as long as the one before it, of 1" },
    { "Specimens.dot", "([<1.0>, <'x'>], [1.0])", "*argument 1 (a): element 1: 'x' of the type s is not gdouble" },
    { "Specimens.dot", "({'a': 1.0}, [1.0])", "*argument 1 (a): {'a': 1.0} of the type a{sd} is not an array of gdouble" },
    { "Specimens.dot", "(1.0, [1.0])", "*argument 1 (a): 1.0 of the type d is not an array of gdouble" },
    { "Specimens.weigh", "([1.0], [1.0, 2.0])", "*argument 2 (values): an array of 2 elements is not as long *" },
    { "Specimens.product", "([2, 0, 3],)", "*argument 1 (numbers): element 1 is zero, where the array would end" },
    { "Specimens.product", "([2, 0],)", "*argument 1 (numbers): element 1 is zero, where the array would end" },
    { "GLib.Variant.new_bytestring", "([byte 0x61, 0, 0],)", "*argument 1 (string): element 1 is zero, *" },
    { "Specimens.sum_points", "([{'x': 1.0, 'z': 2.0}],)",
      "*argument 1 (points): element 0: Specimens.Point has no field \"z\"" },
    { "Specimens.sum_points", "([{'x': 'a'}],)", "*element 0: x: 'a' of the type s is not gdouble" },
    { "Specimens.mirror", "(5,)", "*argument 1 (point): 5 of the type i is not a dictionary with the fields of a *" },
    { "Specimens.colour_number", "('blue',)", "*Specimens.Colour has no value \"blue\"" },
    { "Specimens.colour_number", "('dark-red|green',)", "*has no value \"dark-red|green\"" },
    { "Specimens.colour_number", "(['green'],)", "*['green'] of the type as is not Specimens.Colour" },
    { "Specimens.colour_number", "(int64 5000000000,)", "*argument 1 (colour): 5000000000 does not fit in Specimens.Colour" },
    { "Specimens.colour_number", "(5.5,)", "*5.5 does not fit in Specimens.Colour" },
    { "Specimens.parts_bits", "('head|legs',)", "*Specimens.Parts has no value \"legs\"" },
    { "Specimens.parts_bits", "('head||tail',)", "*Specimens.Parts has no value \"\"" },
    { "Specimens.parts_bits", "([<1>],)", "*1 of the type i is not the nick of a flag" },
    { "Specimens.parts", "(int64 5000000000,)", "*argument 1 (bits): 5000000000 does not fit in guint32" },
    { "Specimens.parts", "(-1,)", "*argument 1 (bits): -1 does not fit in guint32" },
    { "Specimens.parts", "(1.5,)", "*argument 1 (bits): 1.5 does not fit in guint32" },
    { "Specimens.parts", "(true,)", "*argument 1 (bits): true of the type b is not guint32" },
    { "Specimens.parts", "(1e300,)", "*does not fit in guint32" },
    { "Specimens.floating", "(1,)", "*1 of the type i is not a boolean" },
    { "Specimens.filename", "([byte 0x61, 0, 0x62],)", "*argument 1 (filename): a file name with a zero byte in it" },
    { "Specimens.fill_some", "(uint64 18446744073709551615,)", "*there can be no array of -1 elements for argument 'buffer'" },
    { "Specimens.fill_some", "(uint64 4611686018427387904,)", "*there can be no array of 4611686018427387904 elements *" },
    { "Specimens.error", "(('', 1, 'x'),)", "*the domain of an error is empty" },
    { "Specimens.error", "('x',)", "*'x' of the type s is not an error (domain, code, message)" },
    { "Specimens.double", "(b'x',)", "*of the type ay is not text" },
    { "Specimens.words", "(5,)", "*5 of the type i is not an array of bytes" },
    { "GLib.Date.get_day", "('2023-02-29',)", "*\"2023-02-29\" is not a date in the form of ISO 8601" },
    { "GLib.Date.get_day", "('2023-01-01x',)", "*\"2023-01-01x\" is not a date in the form of ISO 8601" },
    { "GLib.DateTime.get_year", "('now',)", "*\"now\" is not a time in the form of ISO 8601" },
    { "GLib.DateTime.new_now", "('Nowhere/Nothing',)", "*\"Nowhere/Nothing\" is not a time zone" },
    { "GLib.Variant.parse", "('a', '1')", "*argument 1 (type): \"a\" is not the type of a GVariant" },
    { "GLib.unichar_isalpha", "('ab',)", "*text of 2 characters is not one character" },
    { "GLib.unichar_isalpha", "(0x110000,)", "*1114112 is not the number of a character" },
    { "GLib.random_int_range", "(0, int64 5000000000)", "*argument 2 (end): 5000000000 does not fit in gint32" },
  };

  expect_errors (fixture, cases, G_N_ELEMENTS (cases), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}

static void
test_gi_arguments (Introspected  *fixture,
                   gconstpointer  data)
{
  static const Case cases[] = {
    { "GIMarshallingTests.array_fixed_int_in", "([1, 2, 3],)", "*an array of 3 elements is not one of 4" },
    { "GIMarshallingTests.int8_in_max", "(128,)", "*argument 1 (v): 128 does not fit in gint8" },
    { "GIMarshallingTests.uint64_in", "(-1,)", "*-1 does not fit in guint64" },
    { "GIMarshallingTests.float_in", "(1e300,)", "*1.0000000000000001e+300 does not fit in gfloat" },
    { "GIMarshallingTests.array_in", "([1, int64 5000000000],)", "*element 1: 5000000000 does not fit in gint32" },
    { "GIMarshallingTests.array_in", "('text',)", "*'text' of the type s is not an array of gint32" },
    { "GIMarshallingTests.array_in", "(@mv nothing,)", "*nothing was given, and not an array of gint32" },
    { "GIMarshallingTests.array_zero_terminated_in", "([<'a'>, <@mv nothing>],)",
      "*element 1: nothing was given, and not text" },
    { "GIMarshallingTests.garray_utf8_full_inout", "([<'a'>, <1>],)", "*element 1: 1 of the type i is not text" },
    { "GIMarshallingTests.gptrarray_utf8_full_inout", "([<'a'>, <1>],)", "*element 1: 1 of the type i is not text" },
    { "GIMarshallingTests.glist_utf8_full_inout", "([<'a'>, <1>],)", "*element 1: 1 of the type i is not text" },
    { "GIMarshallingTests.gslist_utf8_full_inout", "([<1>, <'a'>],)", "*element 0: 1 of the type i is not text" },
    { "GIMarshallingTests.ghashtable_utf8_full_inout", "({'a': <'b'>, 'c': <1>},)",
      "*argument 1 (hash_table): entry 'c': 1 of the type i is not text" },
    { "GIMarshallingTests.ghashtable_utf8_none_in", "({1: 'b'},)", "*entry 1: 1 of the type i is not text" },
    { "GIMarshallingTests.ghashtable_utf8_none_in", "(['a'],)", "*is not a GHashTable of utf8 and utf8" },
    { "GIMarshallingTests.bytearray_none_in", "([1, 256],)", "*element 1: 256 does not fit in guint8" },
  };
  g_autoptr (GVariant) many = NULL;
  g_autofree char *arguments = NULL;
  guint8 zeros[256 * sizeof (gint32)] = { 0 };
  Case too_many = { "GIMarshallingTests.array_in_guint8_len", NULL, "*argument 1 (ints): 256 does not fit in guint8" };

  if (!TEST_HAVE_GI_TESTS)
    {
      g_test_skip ("the sources of GObject Introspection's tests are not installed");
      return;
    }

  expect_errors (fixture, cases, G_N_ELEMENTS (cases), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);

  many = g_variant_ref_sink (g_variant_new ("(@ai)", g_variant_new_fixed_array (G_VARIANT_TYPE_INT32, zeros, 256,
                                                                                sizeof (gint32))));
  too_many.arguments = arguments = g_variant_print (many, TRUE);
  expect_errors (fixture, &too_many, 1, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}

static void
test_keywords (Introspected  *fixture,
               gconstpointer  data)
{
  static const Case cases[] = {
    { "{'first': <'a'>, 'separator': <'-'>, 'second': <'b'>}", "()", "'a-b'" },
    { "{'second': <'b'>}", "('a',)", "'a,b'" },
    { "{'separator': <@mv nothing>}", "('a', 'b')", "'a,b'" },
    { "{'colour': <'red'>}", "('a',)", "error *Specimens.join (*) has no argument 'colour'" },
    { "{'first': <'a'>}", "('a',)", "error *Specimens.join (*) got the argument 'first' twice" },
    { "{'second': <'b'>}", "()", "error *argument 1 (first) of * is missing" },
    { "{'second': <5>}", "('a',)", "error *Specimens.join: argument 2 (second): 5 of the type i is not text" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      GVariant *value;

      value = malt_worker_remote_call_fetch (fixture->worker, "Specimens.join",
                                             g_variant_new_parsed (cases[i].arguments),
                                             g_variant_new_parsed (cases[i].function),
                                             MALT_TIMEOUT_DEFAULT, NULL, &error);
      if (g_str_has_prefix (cases[i].pattern, "error "))
        {
          g_assert_null (value);
          test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, cases[i].pattern + strlen ("error "));
        }
      else
        {
          g_assert_no_error (error);
          test_assert_value (value, cases[i].pattern);
        }
    }
}

static void
test_results (Introspected  *fixture,
              gconstpointer  data)
{
  static const Case cases[] = {
    { "Specimens.latin1", "()", "*Specimens.latin1: its result is text that is not UTF-8 from byte 3 on" },
    { "Specimens.narrow", "()", "*its result is a GArray with elements of 2 bytes, which cannot be gint64" },
    { "GLib.Date.new", "()", "*GLib.Date.new: its result is a date that is none" },
  };

  expect_errors (fixture, cases, G_N_ELEMENTS (cases), MALT_ERROR, MALT_ERROR_SERIALIZATION);
}

/* What a function reports is the remote end's, also if its domain is one of the library's. */
static void
test_gerrors (Introspected  *fixture,
              gconstpointer  data)
{
  static const struct
  {
    const char *function;
    const char *arguments;
    const char *type;
    const char *message;
  } cases[] = {
    { "Specimens.fail", "('a-domain', -5, 'on purpose')", "a-domain(-5)", "on purpose" },
    { "Specimens.fail", "('malt-error-quark', 1, 'on purpose')", "malt-error-quark(1)", "on purpose" },
    { "Specimens.fail", "('g-io-error-quark', 19, 'on purpose')", "g-io-error-quark(19)", "on purpose" },
    { "Specimens.fail", "('a-domain', 0, '')", "a-domain(0)", "" },
    { "GLib.file_get_contents", "('/no/such/file',)", "g-file-error-quark(4)", "*/no/such/file*" },
    { "GLib.Variant.parse", "(@mv nothing, '[1,')", "g-variant-parse-error-quark(*)", "*" },
    { "GLib.filename_to_uri", "('relative',)", "g_convert_error(*)", "*relative*" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *type = NULL;
      g_autofree char *message = NULL;

      g_assert_null (introspected_call (fixture->worker, cases[i].function, cases[i].arguments, &error));
      type = malt_remote_error_dup_type (error);
      message = malt_remote_error_dup_message (error);
      test_assert_match (type, cases[i].type);
      test_assert_match (message, cases[i].message);
      test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*");
    }
  introspected_expect (fixture->worker, "Specimens.join", "('a',)", "'a'");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  introspected_add ("not-found", test_not_found);
  introspected_add ("version", test_version);
  introspected_add ("not-callable", test_not_callable);
  introspected_add ("arguments", test_arguments);
  introspected_add ("gi-arguments", test_gi_arguments);
  introspected_add ("keywords", test_keywords);
  introspected_add ("results", test_results);
  introspected_add ("gerrors", test_gerrors);

  return g_test_run ();
}
