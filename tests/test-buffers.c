/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <string.h>

/* Large values: there and back in every form, in place and copied, and made where they
 * need no copy.  The workers are this program itself. */

#define SIZE (1024 * 1024)

/* (ay, …) → t, the sum of the bytes */
static GVariant *
sum (MaltRequest   *request,
     GVariant      *arguments,
     GCancellable  *cancellable,
     gpointer       user_data,
     GError       **error)
{
  g_autoptr (GVariant) array = g_variant_get_child_value (arguments, 0);
  guint64 result = 0;
  const guint8 *bytes;
  gsize i, n;

  bytes = g_variant_get_fixed_array (array, &n, 1);
  for (i = 0; i < n; i++)
    result += bytes[i];

  return g_variant_new_uint64 (result);
}

/* (tt) → ay: so many bytes, each of them that one, made where they need no copy */
static GVariant *
make (MaltRequest   *request,
      GVariant      *arguments,
      GCancellable  *cancellable,
      gpointer       user_data,
      GError       **error)
{
  g_autoptr (GBytes) bytes = NULL;
  guint64 size, byte;
  gpointer data;

  g_variant_get (arguments, "(tt)", &size, &byte);
  bytes = malt_request_new_buffer (request, (gsize) size, &data);
  memset (data, (int) byte, (gsize) size);

  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
}

/* (*) → the argument */
static GVariant *
echo (MaltRequest   *request,
      GVariant      *arguments,
      GCancellable  *cancellable,
      gpointer       user_data,
      GError       **error)
{
  return g_variant_get_child_value (arguments, 0);
}

static MaltWorker *
spawn (gconstpointer backend)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (backend, "native");
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  if (g_str_equal (backend, "process"))
    malt_launcher_set_program (launcher, MALT_PROGRAM_SELF);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  return worker;
}

static GVariant *
call (MaltWorker *worker,
      const char *function,
      GVariant   *arguments)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = malt_worker_remote_call_fetch (worker, function, arguments, NULL, MALT_TIMEOUT_NONE, NULL, &error);

  g_assert_no_error (error);
  return value;
}

static void
assert_bytes (GVariant *value,
              gsize     size,
              guint8    byte)
{
  gsize i, n;
  const guint8 *bytes = g_variant_get_fixed_array (value, &n, 1);

  g_assert_cmpuint (n, ==, size);
  for (i = 0; i < n; i++)
    if (bytes[i] != byte)
      g_error ("byte %" G_GSIZE_FORMAT " is %u instead of %u", i, bytes[i], byte);
}

static GBytes *
make_argument (MaltWorker *worker,
               gsize       size,
               guint8      byte)
{
  gpointer data;
  GBytes *bytes = malt_worker_new_buffer (worker, size, &data);

  g_assert_cmpuint ((gsize) data % 8, ==, 0);
  g_assert_true (g_bytes_get_data (bytes, NULL) == data || size == 0);
  memset (data, byte, size);
  return bytes;
}

static void
test_argument (gconstpointer backend)
{
  static const gsize sizes[] = { 0, 1, 1000, 16 * 1024, 100001, SIZE };
  g_autoptr (MaltWorker) worker = spawn (backend);
  gsize i, round;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GBytes) bytes = make_argument (worker, sizes[i], 3);
      g_autoptr (GVariant) array = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));

      for (round = 0; round < 3; round++)
        {
          g_autoptr (GVariant) only = call (worker, "sum", g_variant_new_tuple (&array, 1));
          g_autoptr (GVariant) among = call (worker, "sum", g_variant_new ("(@ayx)", array, G_GINT64_CONSTANT (1)));

          g_assert_cmpuint (g_variant_get_uint64 (only), ==, 3 * sizes[i]);
          g_assert_cmpuint (g_variant_get_uint64 (among), ==, 3 * sizes[i]);
        }
    }
}

/* One that was made for a worker can be sent to another, also when the first has ended. */
static void
test_other_worker (gconstpointer backend)
{
  g_autoptr (MaltWorker) first = spawn (backend);
  g_autoptr (MaltWorker) second = spawn (backend);
  g_autoptr (GBytes) bytes = make_argument (first, SIZE, 1);
  g_autoptr (GVariant) array = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) later = NULL;
  g_autoptr (GBytes) without = NULL;
  g_autoptr (GError) error = NULL;

  value = call (second, "sum", g_variant_new_tuple (&array, 1));
  g_assert_cmpuint (g_variant_get_uint64 (value), ==, SIZE);

  malt_worker_stop (first, -1, -1, NULL, &error);
  g_assert_no_error (error);
  later = call (second, "sum", g_variant_new_tuple (&array, 1));
  g_assert_cmpuint (g_variant_get_uint64 (later), ==, SIZE);

  without = make_argument (first, SIZE, 2);
  g_assert_cmpuint (g_bytes_get_size (without), ==, SIZE);
}

static void
test_value (gconstpointer backend)
{
  static const gsize sizes[] = { 0, 1, 16 * 1024, 100001, SIZE };
  g_autoptr (MaltWorker) worker = spawn (backend);
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GVariant) value = call (worker, "make", g_variant_new ("(tt)", (guint64) sizes[i], (guint64) 9));

      assert_bytes (value, sizes[i], 9);
    }
}

/* Values hold their room, and what they hold stays what it was, also after the worker. */
static void
test_held (gconstpointer backend)
{
  g_autoptr (MaltWorker) worker = spawn (backend);
  GVariant *values[300];
  g_autoptr (GError) error = NULL;
  gsize i, round;

  for (round = 0; round < 2; round++)
    {
      for (i = 0; i < G_N_ELEMENTS (values); i++)
        values[i] = call (worker, i % 2 == 0 ? "make" : "echo",
                          i % 2 == 0 ? g_variant_new ("(tt)", (guint64) 50000, (guint64) i % 251)
                                     : g_variant_new_tuple (&values[i - 1], 1));
      if (round == 1)
        {
          malt_worker_stop (worker, -1, -1, NULL, &error);
          g_assert_no_error (error);
        }
      for (i = 0; i < G_N_ELEMENTS (values); i++)
        {
          assert_bytes (values[i], 50000, (guint8) ((i - i % 2) % 251));
          g_variant_unref (values[i]);
        }
    }
}

static GVariant *
repeat (const char *type,
        const char *element)
{
  g_autoptr (GVariant) child = g_variant_ref_sink (g_variant_new_parsed (element));
  GVariantBuilder builder;
  gsize i;

  g_variant_builder_init (&builder, G_VARIANT_TYPE (type));
  for (i = 0; i < 20000; i++)
    g_variant_builder_add_value (&builder, child);

  return g_variant_builder_end (&builder);
}

static void
test_types (gconstpointer backend)
{
  static const struct { const char *type, *element; } types[] = {
    { "ay", "byte 1" }, { "an", "int16 -2" }, { "aq", "uint16 3" }, { "ai", "-4" }, { "au", "uint32 5" },
    { "ax", "int64 -6" }, { "at", "uint64 7" }, { "ad", "8.5" }, { "ab", "true" }, { "as", "'text'" },
    { "a(yx)", "(byte 1, int64 2)" }, { "av", "<1>" }, { "aad", "[1.0, 2.0]" }, { "a{sv}", "{'key', <'value'>}" },
    { "ams", "just 'maybe'" },
  };
  g_autoptr (MaltWorker) worker = spawn (backend);
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (GVariant) sent = g_variant_ref_sink (repeat (types[i].type, types[i].element));
      g_autoptr (GVariant) alone = call (worker, "echo", g_variant_new_tuple (&sent, 1));
      g_autoptr (GVariant) pair = call (worker, "echo", g_variant_new ("((@*@*))", sent, sent));
      g_autoptr (GVariant) half = g_variant_get_child_value (pair, 1);

      g_assert_true (g_variant_equal (alone, sent));
      g_assert_true (g_variant_equal (half, sent));
    }
}

/* A value over the limit is refused before anything is sent. */
static void
test_limit (gconstpointer backend)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (backend, "native");
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) small = NULL;

  malt_launcher_set_program (launcher, MALT_PROGRAM_SELF);
  malt_launcher_set_max_value_size (launcher, 100000);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  value = malt_worker_remote_call_fetch (worker, "make", g_variant_new ("(tt)", (guint64) 100001, (guint64) 1),
                                         NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION);
  g_assert_null (value);
  g_clear_error (&error);

  value = malt_worker_remote_call_fetch (worker, "echo", g_variant_new ("(@as)", repeat ("as", "'12345'")),
                                         NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION);
  g_assert_null (value);

  small = call (worker, "make", g_variant_new ("(tt)", (guint64) 100000, (guint64) 1));
  assert_bytes (small, 100000, 1);
}

int
main (int    argc,
      char **argv)
{
  malt_register_function ("sum", sum, NULL, NULL);
  malt_register_function ("make", make, NULL, NULL);
  malt_register_function ("echo", echo, NULL, NULL);
  malt_run_as_worker (argc, argv);

  g_test_init (&argc, &argv, NULL);

  g_test_add_data_func ("/buffers/process/argument", "process", test_argument);
  g_test_add_data_func ("/buffers/process/other-worker", "process", test_other_worker);
  g_test_add_data_func ("/buffers/process/value", "process", test_value);
  g_test_add_data_func ("/buffers/process/held", "process", test_held);
  g_test_add_data_func ("/buffers/process/types", "process", test_types);
  g_test_add_data_func ("/buffers/process/limit", "process", test_limit);
  g_test_add_data_func ("/buffers/inprocess/argument", "inprocess", test_argument);
  g_test_add_data_func ("/buffers/inprocess/other-worker", "inprocess", test_other_worker);
  g_test_add_data_func ("/buffers/inprocess/value", "inprocess", test_value);
  g_test_add_data_func ("/buffers/inprocess/types", "inprocess", test_types);

  return g_test_run ();
}
