/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <string.h>
#include <sys/resource.h>

#include "test-asserts.h"

/* JavaScript that takes more memory than there is. */

#define HEAP_SIZE (G_GUINT64_CONSTANT (64) << 20)

static MaltLauncher *
new_launcher (const char *backend,
              GVariant   *heap_size)
{
  MaltLauncher *launcher = malt_launcher_new (backend, "gjs");
  g_auto (GVariantDict) options = G_VARIANT_DICT_INIT (NULL);

  g_variant_dict_insert_value (&options, "heap-size", heap_size);
  malt_launcher_set_runtime_options (launcher, g_variant_dict_end (&options));
  /* What is expected is not to be seen among what the test prints. */
  if (g_str_equal (backend, "process"))
    malt_launcher_set_stderr (launcher, MALT_OUTPUT_DISCARD);
  return launcher;
}

static MaltWorker *
spawn (void)
{
  g_autoptr (MaltLauncher) launcher = new_launcher ("process", g_variant_new_uint64 (HEAP_SIZE));
  g_autoptr (GError) error = NULL;
  MaltWorker *worker = malt_launcher_spawn (launcher, NULL, &error);

  g_assert_no_error (error);
  return worker;
}

static void
assert_eval (MaltWorker *worker,
             const char *source,
             const char *expected)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = malt_worker_remote_eval_fetch (worker, NULL, source, MALT_TIMEOUT_NONE, NULL, &error);

  g_assert_no_error (error);
  test_assert_value (value, expected);
}

static void
assert_thrown (const GError *error,
               const char   *expected_message)
{
  g_autofree char *type = malt_remote_error_dup_type (error);
  g_autofree char *message = malt_remote_error_dup_message (error);

  g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);
  g_assert_cmpstr (type, ==, "InternalError");
  test_assert_match (message, expected_message);
}

static void
assert_exhausted (MaltWorker *worker,
                  const char *source,
                  const char *expected_message)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_eval_fetch (worker, NULL, source, MALT_TIMEOUT_NONE, NULL, &error));
  assert_thrown (error, expected_message);
}

/* It is an exception, again and again, and all is well after it: also if what was taken is
 * still there, as names of the global object are. */
static void
test_thrown (gconstpointer data)
{
  const char *body = data;
  g_autofree char *kept = g_strdup_printf ("globalThis.kept = []; const all = kept; %s", body);
  g_autofree char *dropped = g_strdup_printf ("(() => { const all = []; %s })()", body);
  g_autofree char *awaited = g_strdup_printf ("await null; (() => { const all = []; %s })()", body);
  g_autoptr (MaltWorker) worker = spawn ();

  assert_exhausted (worker, dropped, "out of memory: JavaScript uses * MB, and may use 67.1 MB");
  assert_exhausted (worker, awaited, "out of memory: JavaScript uses * MB, and may use 67.1 MB");
  assert_exhausted (worker, kept, "out of memory: JavaScript uses * MB, and may use 67.1 MB");
  assert_eval (worker, "1 + 1", "int64 2");
  assert_eval (worker, "kept.length = 0; kept = null", "@mv nothing");
  assert_eval (worker, "new Array(1e6).fill('x').length", "int64 1000000");
}

/* What no memory would be enough for. */
static void
test_too_large (void)
{
  static const struct
  {
    const char *source;
    const char *message;
  } sources[] = {
    { "let s = 'ab'; for (;;) s += s", "allocation size overflow" },
    { "let flat = 'ab'; for (;;) { flat += flat; flat.charCodeAt(1); }", "*" },
    { "'x'.repeat(2 ** 29).split('').length", "*" },
  };
  g_autoptr (MaltWorker) worker = spawn ();
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (sources); i++)
    assert_exhausted (worker, sources[i].source, sources[i].message);
  assert_eval (worker, "1 + 1", "int64 2");
}

/* Garbage is not held against anybody. */
static void
test_garbage (void)
{
  g_autoptr (MaltWorker) worker = spawn ();

  assert_eval (worker, "for (let i = 0; i < 500; i++) new Uint8Array(1 << 20).fill(1); 'done'", "'done'");
  assert_eval (worker, "let held = []; for (let i = 0; i < 1e6; i++) { held.push({}); if (i % 1e4 === 0) held = []; } 'done'",
               "'done'");
}

/* Code can catch it, and then let go of what it has. */
static void
test_caught (void)
{
  g_autoptr (MaltWorker) worker = spawn ();

  assert_eval (worker, "let all = []; try { for (;;) all.push(new Uint8Array(1 << 20)); }"
                       "catch (error) { all = null; [error.name, error instanceof InternalError].join(); }",
               "'InternalError,true'");
  assert_eval (worker, "1 + 1", "int64 2");
}

static void
assert_ended (MaltWorker  *worker,
              GError     **error)
{
  test_assert_error (*error, MALT_ERROR, MALT_ERROR_TERMINATED, "*ended because memory ran out*");
  g_assert_cmpint (malt_exit_info_get_kind (malt_worker_get_exit_info (worker)), ==, MALT_EXIT_KIND_OUT_OF_MEMORY);
  test_assert_match (malt_exit_info_get_stderr (malt_worker_get_exit_info (worker)), "*out of memory: *");
}

/* Code that catches it and only goes on ends its worker. */
static void
test_ended (void)
{
  g_autoptr (MaltWorker) worker = spawn ();
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_eval_fetch (worker, NULL,
                                                "const all = []; for (;;) try { for (;;) all.push(new Uint8Array(1 << 20)); } catch {}",
                                                MALT_TIMEOUT_NONE, NULL, &error));
  assert_ended (worker, &error);
}

/* The system has no more: nobody can tell in which function that is noticed, and not all of
 * them can fail. */
static void
assert_starved (const char *prepare,
                const char *source)
{
  const struct rlimit limit = { 1, 1 };
  g_autoptr (MaltLauncher) launcher = new_launcher ("process", g_variant_new_uint64 (G_GUINT64_CONSTANT (4) << 30));
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltWorker) worker = malt_launcher_spawn (launcher, NULL, &error);

  g_assert_no_error (error);
  assert_eval (worker, prepare, "'ready'");
  g_assert_no_errno (prlimit (malt_worker_get_pid (worker), RLIMIT_DATA, &limit, NULL));
  g_assert_null (malt_worker_remote_eval_fetch (worker, NULL, source, MALT_TIMEOUT_NONE, NULL, &error));
  g_test_message ("%s", error->message);
  if (error->code == MALT_ERROR_REMOTE)
    assert_thrown (error, "out of memory*");
  else if (malt_exit_info_get_exit_code (malt_worker_get_exit_info (worker)) == 127) /* the C library's own end */
    test_assert_match (malt_exit_info_get_stderr (malt_worker_get_exit_info (worker)),
                       "*cannot allocate memory for thread-local data*");
  else
    assert_ended (worker, &error);
}

static void
test_starved (void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_skip ("a sanitizer cannot go on without memory");
  return;
#endif

  /* It is thrown, or it is GLib that has none for the answer. */
  assert_starved ("'ready'", "const all = []; for (;;) all.push({a: [all.length]});");
  assert_starved ("'ready'", "const all = []; for (;;) all.push(new Uint8Array(1 << 16));");
  /* What is young is to be moved by the collector, which has no room. */
  assert_starved ("const young = []; for (let i = 0; i < 1e6; i++) young.push({i}); 'ready'",
                  "imports.system.gc(); for (;;) young.push({});");
}

static void
assert_refused (const char *backend,
                GVariant   *heap_size,
                GQuark      domain,
                int         code,
                const char *message)
{
  g_autoptr (MaltLauncher) launcher = new_launcher (backend, heap_size);
  GError *error = NULL;

  g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
  test_assert_error (error, domain, code, message);
}

static void
test_options (void)
{
  g_autoptr (MaltLauncher) launcher = new_launcher ("process", g_variant_new_double (1e8));
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltWorker) worker = malt_launcher_spawn (launcher, NULL, &error);
  g_auto (GVariantDict) unknown = G_VARIANT_DICT_INIT (NULL);

  /* JavaScript has no other numbers. */
  g_assert_no_error (error);
  assert_eval (worker, "1 + 1", "int64 2");

  assert_refused ("process", g_variant_new_string ("much"), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                  "*'heap-size' of the GJS runtime is 'much', and not a number of bytes from 16777216 on*");
  assert_refused ("process", g_variant_new_int64 (-1), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*is -1, and not*");
  assert_refused ("process", g_variant_new_uint32 (1000), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*is 1000, and not*");
  assert_refused ("inprocess", g_variant_new_uint64 (HEAP_SIZE), MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                  "*'heap-size' of the GJS runtime is for workers that are a process*");

  g_variant_dict_insert (&unknown, "heap", "t", HEAP_SIZE);
  malt_launcher_set_runtime_options (launcher, g_variant_dict_end (&unknown));
  g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*no option 'heap'*");
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    const char *body;
  } thrown[] = {
    { "typed-arrays", "for (;;) all.push(new Uint8Array(8 << 20).fill(1));" },
    { "small-typed-arrays", "for (;;) all.push(new Uint8Array(1 << 16).fill(1));" },
    { "buffers", "for (;;) all.push(new ArrayBuffer(1 << 20));" },
    { "objects", "for (;;) all.push({a: [all.length]});" },
    { "strings", "for (;;) all.push('x'.repeat(1 << 20) + all.length);" },
    { "one-array", "const long = []; all.push(long); for (;;) long.push(1);" },
    { "one-filled-array", "all.push(new Array(2 ** 28).fill(0)); for (;;) ;" },
    { "maps", "for (;;) all.push(new Map([[1, {}]]));" },
  };
  gsize i;

  g_test_init (&argc, &argv, NULL);

  for (i = 0; i < G_N_ELEMENTS (thrown); i++)
    {
      g_autofree char *path = g_strconcat ("/gjs-memory/thrown/", thrown[i].name, NULL);

      g_test_add_data_func (path, thrown[i].body, test_thrown);
    }
  g_test_add_func ("/gjs-memory/too-large", test_too_large);
  g_test_add_func ("/gjs-memory/garbage", test_garbage);
  g_test_add_func ("/gjs-memory/caught", test_caught);
  g_test_add_func ("/gjs-memory/ended", test_ended);
  g_test_add_func ("/gjs-memory/starved", test_starved);
  g_test_add_func ("/gjs-memory/options", test_options);

  return g_test_run ();
}
