/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <string.h>

#include "test-asserts.h"
#include "test-runtime.h"
#include "test-watchdog.h"

/* What JavaScript's values become, and what they come from: docs/values.md. */

static const struct
{
  const char *source;
  const char *value;
} made[] = {
  { "null", "@mv nothing" },
  { "undefined", "@mv nothing" },
  { "true", "true" },
  { "7", "int64 7" },
  { "7.5", "7.5" },
  { "0 * -1", "-0.0" },
  { "1e100", "1e+100" },
  { "2 ** 53 - 1", "int64 9007199254740991" },
  { "2 ** 53", "9007199254740992.0" },
  { "5n", "int64 5" },
  { "2n ** 63n - 1n", "int64 9223372036854775807" },
  { "0n - 2n ** 63n", "int64 -9223372036854775808" },
  { "2n ** 64n - 1n", "uint64 18446744073709551615" },
  { "'text'", "'text'" },
  { "'\\u00fc\\u{1f600}'", "'\303\274\360\237\230\200'" },
  { "[]", "@av []" },
  { "[1, 2]", "[int64 1, 2]" },
  { "[1, 2.5]", "[1.0, 2.5]" },
  { "[1n, 2]", "[int64 1, 2]" },
  { "[2n ** 63n]", "[uint64 9223372036854775808]" },
  { "[true, false]", "[true, false]" },
  { "['a', 'b']", "['a', 'b']" },
  { "[1, 'a']", "[<int64 1>, <'a'>]" },
  { "[[1], [2, 3]]", "[[int64 1], [2, 3]]" },
  { "[[1], ['a']]", "[<[int64 1]>, <['a']>]" },
  { "[1, , 2]", "[<int64 1>, <@mv nothing>, <int64 2>]" },
  { "[null]", "[@mv nothing]" },
  { "({})", "@a{sv} {}" },
  { "({a: 1, b: {c: 'd'}})", "{'a': <int64 1>, 'b': <{'c': <'d'>}>}" },
  { "({2: 'x', 1: 'y'})", "{'1': <'y'>, '2': <'x'>}" },
  { "({a: undefined})", "{'a': <@mv nothing>}" },
  { "class P { constructor() { this.x = 1; } get y() { return 2; } }; new P()", "{'x': <int64 1>}" },
  { "Object.create({inherited: 1})", "@a{sv} {}" },
  { "new Proxy({a: 1}, {})", "{'a': <int64 1>}" },
  { "new Map([['a', 1], ['b', 'c']])", "{'a': <int64 1>, 'b': <'c'>}" },
  { "new Map([[1, 'x'], [2n, 'y']])", "{int64 1: <'x'>, 2: <'y'>}" },
  { "new Set(['a', 'b'])", "['a', 'b']" },
  { "new Date(0)", "'1970-01-01T00:00:00.000Z'" },
  { "new Number(5)", "int64 5" },
  { "new String('s')", "'s'" },
  { "new Uint8Array([1, 255])", "[byte 0x01, 0xff]" },
  { "new Uint8ClampedArray([300])", "[byte 0xff]" },
  { "new Int8Array([-1])", "[int16 -1]" },
  { "new Int16Array([-1])", "[int16 -1]" },
  { "new Uint16Array([1])", "[uint16 1]" },
  { "new Int32Array([-1])", "[-1]" },
  { "new Uint32Array([1])", "[uint32 1]" },
  { "new Float32Array([1.5])", "[1.5]" },
  { "new Float64Array([1])", "[1.0]" },
  { "new BigInt64Array([-1n])", "[int64 -1]" },
  { "new BigUint64Array([1n])", "[uint64 1]" },
  { "new Uint8Array([0, 1, 2, 3]).subarray(1, 3)", "[byte 0x01, 0x02]" },
  { "new Uint8Array([1, 2]).buffer", "[byte 0x01, 0x02]" },
  { "new DataView(new Uint8Array([1, 2]).buffer, 1)", "[byte 0x02]" },
  { "new Uint8Array(0)", "@ay []" },
  { "new imports.gi.GLib.Bytes([1, 2])", "[byte 0x01, 0x02]" },
  { "new imports.gi.GLib.Variant('(suay)', ['a', 1, [2]])", "('a', uint32 1, [byte 0x02])" },
  { "[new imports.gi.GLib.Variant('n', 1)]", "[int16 1]" },
};

static void
test_to_variant (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (made); i++)
    test_runtime_assert_eval (made[i].source, made[i].value);
}

/* "\303\274" is ü. */
#define TEN "\303\274\303\274\303\274\303\274\303\274\303\274\303\274\303\274\303\274\303\274"
#define SIXTY TEN TEN TEN TEN TEN TEN

static const struct
{
  const char *source;
  const char *message;
} refused[] = {
  { "function f() {}; f", "*cannot convert the function 'f'" },
  { "[1, [2, () => 1]]", "*item 1, item 1: cannot convert a function" },
  { "({a: [1, Symbol()]})", "*key 'a', item 1: cannot convert a symbol" },
  { "const loop = {}; loop.a = [loop]; loop", "*key 'a', item 0: cannot convert an object that contains itself" },
  { "({['\\u00fc'.repeat(60)]: Symbol()})", "*key '" SIXTY "': cannot convert a symbol" },
  { "({['\\u00fc'.repeat(61)]: Symbol()})", "*key '" SIXTY "\342\200\246': cannot convert a symbol" },
  { "'a\\ud800'", "*cannot convert a string with a lone surrogate, at 1" },
  { "['\\udc00b']", "*item 0: cannot convert a string with a lone surrogate, at 0" },
  { "'ab\\0'", "*cannot convert a string with a NUL character, at 2" },
  { "({'a\\0': 1})", "*cannot convert a key with a NUL character, at 1" },
  { "2n ** 64n", "*cannot convert a BigInt of more than 64 bits" },
  { "new Map([[1, 2], ['a', 3]])", "*cannot convert a Map whose keys*" },
  { "new Map([[{}, 2]])", "*cannot convert a Map whose keys*" },
  { "new Date(NaN)", "*cannot convert a Date that is none" },
  { "new Error('given')", "*cannot convert an object of the class 'Error'" },
  { "Math", "*cannot convert an object of the class 'Math'" },
  { "imports.gi.GLib", "*cannot convert an object of the class 'GIRepositoryNamespace'" },
  { "/x/", "*cannot convert an object of the class 'RegExp'" },
  { "new WeakMap()", "*cannot convert an object of the class 'WeakMap'" },
  { "new malt.Channel(1)", "*cannot convert an object of the class 'Channel'" },
  { "imports.gi.Gio.File.new_for_path('/')", "*cannot convert an object of the class *" },
  { "new Array(4294967295)", "*cannot convert an array of 4294967295 elements" },
  { "new Array(5e6)", "*cannot convert more than 4194304 values" },
  { "const many = new Array(4e6).fill('x'); ({a: [new Array(2e5).fill('y'), many]})",
    "*key 'a', item 1: cannot convert more than 4194304 values" },
  { "let deep = 1; for (let i = 0; i < 50; i++) deep = [deep]; deep",
    "*item 0, item 0: cannot convert a value that is 32 containers deep (limit 31;*JSON.stringify()*" },
  { "const endless = () => new Proxy({}, {ownKeys: () => ['a'], get: endless,"
    "  getOwnPropertyDescriptor: () => ({value: 1, enumerable: true, configurable: true})}); [[0], [[endless()]]]",
    "*item 1, item 0, item 0, key 'a', key 'a', *: cannot convert a value that is 33 containers deep*" },
};

static void
test_refused (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      GError *error = test_runtime_eval_error (NULL, refused[i].source);

      test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, refused[i].message);
    }
  test_runtime_assert_eval ("1", "int64 1");
}

/* What makes a value deeper, by how much, and where it gets too deep. */
static const struct
{
  const char *source;
  guint       depth;
  const char *place;
} growing[] = {
  { "{key: v}", 3, "key 'key'" },
  { "{n: 1, key: v, 5: 'text'}", 3, "key 'key'" },
  { "new Map([['key', v]])", 3, "key 'key'" },
  { "new Map([[7, v]])", 3, "key '7'" },
  { "new Proxy({key: v}, {})", 3, "key 'key'" },
  { "[v]", 1, "item 0" },
  { "[byte, v]", 2, "item 1" },
  { "new Set([v])", 1, "item 0" },
  { "new Set([byte, v])", 2, "item 1" },
  { "{list: [v, byte]}", 5, "key 'list', item 0" },
};

/* What is innermost, and how deep it is on its own. */
static const struct
{
  const char *source;
  guint       depth;
} innermost[] = {
  { "'text'", 0 },
  { "1.5", 0 },
  { "new Date(0)", 0 },
  { "null", 2 },
  { "undefined", 2 },
  { "[]", 2 },
  { "[1, 2]", 1 },
  { "['a']", 1 },
  { "[1, 'a']", 2 },
  { "[null, 1]", 4 },
  { "({})", 3 },
  { "({a: null})", 5 },
  { "new Map()", 3 },
  { "new Set()", 2 },
  { "new Uint8Array(3)", 1 },
  { "new Float32Array(3)", 1 },
  { "new ArrayBuffer(3)", 1 },
  { "new imports.gi.GLib.Bytes([1])", 1 },
  { "new imports.gi.GLib.Variant('s', 'a')", 0 },
  { "new imports.gi.GLib.Variant('(yaay)', [1, []])", 3 },
  { "new imports.gi.GLib.Variant('a{sv}', {})", 3 },
  { "new imports.gi.GLib.Variant('(sa{sv})', ['a', {b: new imports.gi.GLib.Variant('mai', null)}])", 6 },
  { "new imports.gi.GLib.Variant('a{sv}', {a: byte, b: new imports.gi.GLib.Variant('v', byte), c: byte})", 4 },
  { "new imports.gi.GLib.Variant('a(ymv)', [[1, null], [2, new imports.gi.GLib.Variant('ai', [1])]])", 5 },
};

/* The deepest value that can be a result, and one that is deeper by one. */
static void
test_depth (void)
{
  gsize i, j;

  /* No other value has the type of this one, and it is no container. */
  g_variant_unref (test_runtime_eval (NULL, "globalThis.byte = new imports.gi.GLib.Variant('y', 1)"));

  for (i = 0; i < G_N_ELEMENTS (growing); i++)
    for (j = 0; j < G_N_ELEMENTS (innermost); j++)
      {
        g_autofree char *source = g_strdup_printf ("{ let v = %s; let n = 31 - %u;"
                                                   "  while (n >= %u) { v = %s; n -= %u; }"
                                                   "  for (; n > 0; n--) v = [v];"
                                                   "  globalThis.deep = v; } ",
                                                   innermost[j].source, innermost[j].depth, growing[i].depth,
                                                   growing[i].source, growing[i].depth);
        g_autofree char *fitting = g_strconcat (source, "deep", NULL);
        g_autofree char *deeper = g_strconcat (source, "[deep]", NULL);
        g_autofree char *message = g_strdup_printf ("*item 0*%s*: cannot convert a value that is 32 containers deep (limit 31;*",
                                                    growing[i].place);
        GError *error;

        g_test_message ("%s around %s", growing[i].source, innermost[j].source);
        g_variant_unref (test_runtime_eval (NULL, fitting));
        error = test_runtime_eval_error (NULL, deeper);
        test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, message);
      }
  test_runtime_assert_eval ("1", "int64 1");
}

/* Who does not want the value does not care whether it could cross. */
static void
test_unwanted (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (malt_worker_remote_eval_wait (test_runtime_worker, NULL, "() => 1", MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_no_error (error);
}

/* Code that runs while its value is converted. */
static void
test_during_conversion (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *type = NULL;

  error = test_runtime_eval_error (NULL, "({get a() { throw new RangeError('trapped'); }})");
  g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);
  type = malt_remote_error_dup_type (error);
  g_assert_cmpstr (type, ==, "RangeError");
  g_clear_error (&error);

  error = test_runtime_eval_error (NULL, "new Proxy({}, {ownKeys() { throw new Error('trapped'); }})");
  g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);
  test_runtime_assert_eval ("const shrinking = [{get a() { shrinking.length = 0; return 1; }}, 2]; shrinking",
                            "[<{'a': <int64 1>}>, <int64 2>]");
}

/* What arrives in JavaScript: a value, and what is true of it there. */
static const struct
{
  const char *value;
  const char *condition;
} arriving[] = {
  { "@mv nothing", "v === null" },
  { "true", "v === true" },
  { "byte 0xff", "v === 255" },
  { "int16 -3", "v === -3" },
  { "uint32 4294967295", "v === 4294967295" },
  { "int64 9007199254740991", "v === 9007199254740991" },
  { "int64 9007199254740992", "v === 9007199254740992n" },
  { "int64 -9223372036854775808", "v === -(2n ** 63n)" },
  { "uint64 18446744073709551615", "v === 2n ** 64n - 1n" },
  { "0.5", "v === 0.5" },
  { "'t\303\274\360\237\230\200'", "v === 't\\u00fc\\u{1f600}'" },
  { "objectpath '/a'", "v === '/a'" },
  { "@ay [1, 2]", "v instanceof Uint8Array && v.join() === '1,2'" },
  { "@ay []", "v instanceof Uint8Array && v.length === 0" },
  { "@an [-1]", "v instanceof Int16Array && v[0] === -1" },
  { "@aq [1]", "v instanceof Uint16Array && v[0] === 1" },
  { "@ai [-1]", "v instanceof Int32Array && v[0] === -1" },
  { "@au [1]", "v instanceof Uint32Array && v[0] === 1" },
  { "@ax [1, 9007199254740993]", "Array.isArray(v) && v[0] === 1 && v[1] === 9007199254740993n" },
  { "@at [1]", "Array.isArray(v) && v[0] === 1" },
  { "@ad [1.0, 2.5]", "Array.isArray(v) && v[1] === 2.5" },
  { "@ab [true, false]", "Array.isArray(v) && v[0] === true && v[1] === false" },
  { "@as ['a']", "Array.isArray(v) && v[0] === 'a'" },
  { "@av []", "Array.isArray(v) && v.length === 0" },
  { "('a', 1, [true])", "Array.isArray(v) && v.length === 3 && v[2][0] === true" },
  { "{'a': <1>, '__proto__': <2>}", "Object.keys(v).join() === 'a,__proto__' && v.a === 1" },
  { "@a{ss} {'a': 'b'}", "v.a === 'b'" },
  { "@a{xv} {1: <'x'>}", "v instanceof Map && v.get(1) === 'x'" },
  { "<<5>>", "v === 5" },
  { "@ms 'there'", "v === 'there'" },
};

static void
test_from_variant (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (arriving); i++)
    {
      g_autofree char *source = g_strdup_printf ("function check(v) { return %s; }", arriving[i].condition);
      g_autofree char *arguments = g_strdup_printf ("(%s,)", arriving[i].value);
      g_autoptr (GVariant) value = NULL;

      g_variant_unref (test_runtime_eval (NULL, source));
      value = test_runtime_call ("check", arguments);
      if (!g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN) || !g_variant_get_boolean (value))
        g_error ("of %s it is not true that %s", arriving[i].value, arriving[i].condition);
    }
}

static void
test_handle (void)
{
  GError *error = test_runtime_call_error ("Math.abs", "(handle 0,)");

  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "* ?h? *");
}

/* Megabytes, which are copied as a whole. */
static void
test_large (void)
{
  const gsize size = 5 * 1000 * 1000;
  g_autofree guint8 *data = g_malloc (size);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;
  gconstpointer back;
  gsize n, i;

  for (i = 0; i < size; i++)
    data[i] = (guint8) (i * 7);
  g_variant_unref (test_runtime_eval (NULL, "function echo(a) { return a; }"));
  value = malt_worker_remote_call_fetch (test_runtime_worker, "echo",
                                         g_variant_new ("(@ay)", g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, size, 1)),
                                         NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  back = g_variant_get_fixed_array (value, &n, 1);
  g_assert_cmpmem (back, n, data, size);
}

/* There and back. */
static void
test_many_keys (void)
{
  const gint64 n = test_runtime_is_process () && !TEST_SANITIZED ? 1000000 : 100000;
  g_autofree char *source = g_strdup_printf ("const keys = {}; for (let i = 0; i < %" G_GINT64_FORMAT "; i++) keys['k' + i] = i;"
                                             "function sum(all) { let result = 0; for (const key in all) result += all[key]; return result; }"
                                             "keys", n);
  g_autofree char *expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, n * (n - 1) / 2);
  g_autoptr (GVariant) value = test_runtime_eval (NULL, source);
  g_autoptr (GError) error = NULL;
  GVariant *sum;

  g_assert_cmpstr (g_variant_get_type_string (value), ==, "a{sv}");
  g_assert_cmpuint (g_variant_n_children (value), ==, n);

  sum = malt_worker_remote_call_fetch (test_runtime_worker, "sum", g_variant_new ("(@a{sv})", value), NULL,
                                       MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  test_assert_value (sum, expected);
}

/* Dictionaries of all sizes for which it matters, in and out: how GVariant notes where a part
 * ends depends on it. */
static void
test_dictionaries (void)
{
  static const struct
  {
    int from;
    int to;
  } sizes[] = { { 0, 40 }, { 60, 260 }, { 65250, 65540 } };
  gsize i;
  int n;

  test_runtime_assert_eval (
    "const of = n => ({['k'.repeat(n % 11 + 1)]: 'v'.repeat(n), '\u00e9\u4e2d': n, 5: [n, 'a', null], none: null, half: n / 2,"
    "  more: n > 100, large: 2n ** 60n, bytes: new Uint8Array(n % 5), empty: {}, '': [],"
    "  map: new Map([[-1, 'x'.repeat(n)], [2 ** 40, {n}]]), texts: new Map([['a', n], ['b', null]])});"
    "function equal(a, b) {"
    "  if (a instanceof Map) return equal(Object.fromEntries(a), b instanceof Map ? Object.fromEntries(b) : b);"
    "  if (a === null || typeof a !== 'object') return a === b;"
    "  const keys = Object.keys(a);"
    "  return keys.length === Object.keys(b).length && keys.every(key => equal(a[key], b[key]));"
    "}"
    "const isOf = (n, value) => equal(of(n), value), alone = n => n > 0 ? {[n]: 'v'.repeat(n)} : {},"
    "  isAlone = (n, value) => equal(alone(n), value)", "@mv nothing");

  for (i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (n = sizes[i].from; n <= sizes[i].to; n++)
      {
        static const char * const names[][2] = { { "of", "isOf" }, { "alone", "isAlone" } };
        gsize j;

        for (j = 0; j < G_N_ELEMENTS (names); j++)
          {
            g_autoptr (GVariant) value = NULL, unseen = NULL, same = NULL;
            g_autoptr (GBytes) bytes = NULL;
            g_autoptr (GError) error = NULL;

            value = malt_worker_remote_call_fetch (test_runtime_worker, names[j][0], g_variant_new ("(i)", n), NULL,
                                                   MALT_TIMEOUT_NONE, NULL, &error);
            g_assert_no_error (error);
            bytes = g_variant_get_data_as_bytes (value);
            unseen = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, bytes, FALSE));
            g_assert_true (g_variant_is_normal_form (unseen));

            same = malt_worker_remote_call_fetch (test_runtime_worker, names[j][1],
                                                  g_variant_new ("(i@a{sv})", n, value), NULL,
                                                  MALT_TIMEOUT_NONE, NULL, &error);
            g_assert_no_error (error);
            g_assert_true (g_variant_get_boolean (same));
          }
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  test_runtime_add ("gjs", "gjs-values", "to-variant", NULL, test_to_variant);
  test_runtime_add ("gjs", "gjs-values", "refused", NULL, test_refused);
  test_runtime_add ("gjs", "gjs-values", "depth", NULL, test_depth);
  test_runtime_add ("gjs", "gjs-values", "unwanted", NULL, test_unwanted);
  test_runtime_add ("gjs", "gjs-values", "during-conversion", NULL, test_during_conversion);
  test_runtime_add ("gjs", "gjs-values", "from-variant", NULL, test_from_variant);
  test_runtime_add ("gjs", "gjs-values", "handle", NULL, test_handle);
  test_runtime_add ("gjs", "gjs-values", "large", NULL, test_large);
  test_runtime_add ("gjs", "gjs-values", "dictionaries", NULL, test_dictionaries);
  test_runtime_add ("gjs", "gjs-values", "many-keys", NULL, test_many_keys);

  return g_test_run ();
}
