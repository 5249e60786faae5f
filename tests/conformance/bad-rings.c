/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-process.h"

/* What a worker can do to the memory that it shares with its manager.  The manager ends it
 * where it breaks the protocol, and is never the worse for it. */

static MaltWorker *
spawn_rubbish (const char  *mode,
               guint        seed,
               GError     **error)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "programs", "ring-rubbish-worker", NULL);
  g_autofree char *number = g_strdup_printf ("%u", seed);

  malt_launcher_set_program (launcher, program);
  malt_launcher_set_stderr (launcher, MALT_OUTPUT_DISCARD);
  malt_launcher_set_backend_options (launcher, g_variant_new_parsed ("{'ring-size': <uint32 65536>}"));
  malt_launcher_setenv (launcher, "RUBBISH", mode);
  malt_launcher_setenv (launcher, "SEED", number);
  return malt_launcher_spawn (launcher, NULL, error);
}

static const struct
{
  const char *mode;
  const char *pattern;
} breaches[] = {
  { "head", "*counter of the ring is at an impossible place*" },
  { "counters", "*" },
  { "text", "*a frame begins with*" },
  { "slot", "*slot 4096*" },
  { "offset", "*the offset*" },
  { "offset-unaligned", "*the offset 4*" },
  { "size", "*a value in the arena is of 18446744073709551608 bytes (limit *" },
  { "size-over-end", "*16 bytes at the offset*" },
  { "type", "*no type of a value*" },
  { "type-indefinite", "*no type of a value*" },
  { "not-whole", "*a value in the arena is not valid*" },
  { "not-normal", "*a value in the arena is not valid*" },
  { "no-place", "*a body of 5 bytes*" },
};

static gboolean
holds_no_more (gpointer data)
{
  return test_get_holdings ().descriptors <= *(guint *) data;
}

static void
test_breaches (void)
{
  guint n_before = 0;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (breaches); i++)
    {
      g_autoptr (GError) error = NULL;
      MaltWorker *worker = spawn_rubbish (breaches[i].mode, 1, &error);

      g_test_message ("%s", breaches[i].mode);
      g_assert_no_error (error);
      g_assert_null (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_PROTOCOL, breaches[i].pattern);
      g_assert_false (malt_worker_is_running (worker));
      g_object_unref (worker);

      if (i == 0)
        n_before = test_get_holdings ().descriptors;
      else
        test_await (holds_no_more, &n_before);
    }
}

/* Nothing of this keeps anybody from answering. */
static void
test_nuisances (void)
{
  static const char * const modes[] = {
    "flags", "released", "rings", "bells", "socket", "truncates", "changes",
  };
  g_autofree guint8 *large = g_malloc0 (100000);
  gsize i;
  guint n;

  for (i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autoptr (GError) error = NULL;
      MaltWorker *worker = spawn_rubbish (modes[i], 1, &error);

      g_test_message ("%s", modes[i]);
      g_assert_no_error (error);
      for (n = 0; n < 200; n++)
        {
          GVariant *array = g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, large, n % 2 * 100000, TRUE, NULL, NULL);
          g_autoptr (GVariant) value = NULL;

          value = malt_worker_remote_call_fetch (worker, "f", g_variant_new_tuple (&array, 1), NULL,
                                                 MALT_TIMEOUT_NONE, NULL, &error);
          g_assert_no_error (error);
          g_assert_nonnull (value);
        }
      malt_worker_kill (worker, 9);
      g_object_unref (worker);
    }
}

static void
test_death (void)
{
  static const char * const modes[] = { "half-and-exit", "closes", "no-bell" };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (MaltWorker) worker = spawn_rubbish (modes[i], 1, &error);

      g_test_message ("%s", modes[i]);
      g_assert_no_error (error);
      g_assert_null (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
    }
}

/* It says something before the ring is there, or claims to have read what was not sent. */
static void
test_before_and_after (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltWorker) worker = spawn_rubbish ("between", 1, &error);
  guint n;

  /* Whether it comes before the ring is chance; in the ring's place it is of no meaning. */
  if (worker == NULL)
    test_assert_error (error, MALT_ERROR, MALT_ERROR_START, "*does not speak the protocol*");
  else
    malt_worker_kill (worker, 9);
  g_clear_object (&worker);
  g_clear_error (&error);

  worker = spawn_rubbish ("tail", 1, &error);
  g_assert_no_error (error);
  for (n = 0; n < 10000 && error == NULL; n++)
    malt_worker_remote_call_wait (worker, "f", NULL, NULL, 100, NULL, &error);
  g_assert_nonnull (error);
  malt_worker_kill (worker, 9);
}

static void
test_random (void)
{
  guint seed;

  for (seed = 1; seed <= 60; seed++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (MaltWorker) worker = spawn_rubbish ("random", seed, &error);
      g_autoptr (GVariant) value = NULL;

      g_assert_no_error (error);
      value = malt_worker_remote_call_fetch (worker, "f", NULL, NULL, 2000, NULL, &error);
      if (value == NULL && !g_error_matches (error, MALT_ERROR, MALT_ERROR_TIMEOUT))
        g_assert_error (error, MALT_ERROR, MALT_ERROR_PROTOCOL);
      malt_worker_kill (worker, 9);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/conformance/bad-rings/breaches", test_breaches);
  g_test_add_func ("/conformance/bad-rings/nuisances", test_nuisances);
  g_test_add_func ("/conformance/bad-rings/death", test_death);
  g_test_add_func ("/conformance/bad-rings/before-and-after", test_before_and_after);
  g_test_add_func ("/conformance/bad-rings/random", test_random);

  return g_test_run ();
}
