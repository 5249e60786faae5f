/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/resource.h>

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-process.h"
#include "test-watchdog.h"

/* Workers that write into the memory that they share with the manager what they like, when
 * they like.  The worst that they get is an end of themselves: whoever called them hears
 * of it, and the manager has lost nothing and is as quick for others as before. */

static MaltLauncher *
new_launcher (const char *mode)
{
  MaltLauncher *launcher = malt_launcher_new ("process", "native");
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "programs", "ring-rubbish-worker", NULL);
  g_autoptr (GVariant) options = g_variant_ref_sink (g_variant_new_parsed ("{'ring-size': <uint32 65536>}"));

  malt_launcher_set_program (launcher, program);
  malt_launcher_set_stderr (launcher, MALT_OUTPUT_DISCARD);
  malt_launcher_set_cancel_timeout (launcher, 20);
  malt_launcher_set_interrupt_timeout (launcher, 20);
  malt_launcher_setenv (launcher, "RUBBISH", mode);
  malt_launcher_set_backend_options (launcher, options);
  return launcher;
}

static MaltWorker *
spawn_rubbish (const char *mode)
{
  g_autoptr (MaltLauncher) launcher = new_launcher (mode);
  g_autoptr (GError) error = NULL;
  MaltWorker *worker = malt_launcher_spawn (launcher, NULL, &error);

  g_assert_no_error (error);
  return worker;
}

/* Somebody else's worker, which is not to notice anything. */
static MaltWorker *other;

static void
assert_other_works (void)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_call_fetch (other, "native-functions:add",
                                         g_variant_new ("(xx)", G_GINT64_CONSTANT (40), G_GINT64_CONSTANT (2)),
                                         NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  test_assert_value (value, "int64 42");
}

/* Gives how many descriptors there are with it. */
static guint
spawn_other (void)
{
  g_autoptr (MaltLauncher) launcher = test_case_new_launcher (&test_variants[0]);
  g_autoptr (GError) error = NULL;
  TestHoldings holdings;
  GVariant *value;

  other = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  assert_other_works ();

  /* What GLib keeps is made when it is first used. */
  value = test_answer_wait (test_answer_call (other, "native-functions:add",
                                              g_variant_new ("(xx)", G_GINT64_CONSTANT (1), G_GINT64_CONSTANT (2)),
                                              MALT_TIMEOUT_NONE, NULL),
                            &error);
  g_assert_no_error (error);
  test_assert_value (value, "int64 3");
  holdings = test_get_holdings ();
  return holdings.descriptors;
}

static gint64
used_usec (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static gboolean
has_descriptors (gpointer data)
{
  return test_get_holdings ().descriptors <= *(guint *) data;
}

static gboolean
is_idle (gpointer data)
{
  gint64 begin = used_usec ();

  g_usleep (20 * 1000);
  return used_usec () - begin < 15 * 1000;
}

/* Ends the worker, if it has not ended yet; then nothing of it is left, and nobody stays busy
 * with it. */
static void
bury (MaltWorker *worker,
      guint       descriptors)
{
  g_autoptr (GError) error = NULL;

  malt_worker_stop (worker, 20, 20, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (malt_worker_is_running (worker));
  g_object_unref (worker);

  assert_other_works ();
  test_await (has_descriptors, &descriptors);
  test_await (is_idle, NULL);
}

static TestAnswer *
start_eval (MaltWorker *worker,
            gsize       size,
            int         timeout_msec)
{
  g_autofree char *source = g_strnfill (size, ' ');

  return test_answer_eval (worker, NULL, source, timeout_msec, NULL);
}

static GVariant *
eval (MaltWorker  *worker,
      gsize        size,
      int          timeout_msec,
      GError     **error)
{
  g_autofree char *source = g_strnfill (size, ' ');

  return malt_worker_remote_eval_fetch (worker, NULL, source, timeout_msec, NULL, error);
}

/* ---- What breaks the protocol ---- */

static const struct
{
  const char *mode;
  gsize       size;    /* of the requests */
  const char *pattern;
} breaches[] = {
  { "head", 10, "a counter of the ring is at an impossible place" },
  { "head-back", 10, "a counter of the ring is at an impossible place" },
  { "tail", 100 * 1000, "a counter of the ring is at an impossible place" },
  { "head-moves", 10, "a frame begins with 0x00000000*" },
  { "tail-moves", 100 * 1000, "a counter of the ring is at an impossible place" },
  { "counters", 10, "*" },
  { "garbage", 10, "a frame begins with *" },
  { "ring-frame", 10, "a worker may not send a frame of type ring now" },
  { "no-place", 10, "a body of 0 bytes says where a value is" },
  { "short-place", 10, "a body of 23 bytes says where a value is" },
  { "garbage-place", 10, "the type of a value in the arena has * characters" },
  { "slot", 10, "a value in the arena has the slot 4096*" },
  { "offset", 10, "a value in the arena has the offset *" },
  { "offset-odd", 10, "a value in the arena has the offset 4, not a multiple of 8" },
  { "size", 10, "a value in the arena has 16 bytes at the offset *" },
  { "size-limit", 10, "a value in the arena is of 1073741825 bytes (limit *)" },
  { "type", 10, "the type of a value in the arena is no type of a value" },
  { "type-size", 10, "a value in the arena is not valid: *" },
  { "not-normal", 10, "a value in the arena is not valid: *" },
  { "bool", 10, "a value in the arena is not valid: *" },
  { "wrong-id", 10, "a frame of type value answers request *, which is not under way" },
};

/* Of a request to a worker that breaks the protocol.  One that came early may have an answer,
 * where the counters are right now and then; one that came late is told only that the worker
 * is gone. */
static gboolean
take_breach (GVariant   *value,
             GError     *error,
             const char *pattern)
{
  g_autofree char *whole = g_strdup_printf ("*%s*", pattern);
  gboolean is_breach = g_error_matches (error, MALT_ERROR, MALT_ERROR_PROTOCOL);

  if (value != NULL)
    {
      test_assert_value (value, "int64 42");
      return FALSE;
    }
  if (is_breach)
    test_assert_match (error->message, whole);
  else
    g_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED);
  g_error_free (error);

  return is_breach;
}

static void
test_breaches (void)
{
  guint descriptors;
  gsize i;

  descriptors = spawn_other ();

  for (i = 0; i < G_N_ELEMENTS (breaches); i++)
    {
      MaltWorker *worker = spawn_rubbish (breaches[i].mode);
      TestAnswer *answers[3];
      GError *error = NULL;
      GVariant *value;
      MaltExitInfo *exit_info;
      guint n_breaches = 0, j;

      g_test_message ("%s", breaches[i].mode);
      for (j = 0; j < G_N_ELEMENTS (answers); j++)
        answers[j] = start_eval (worker, breaches[i].size, MALT_TIMEOUT_NONE);
      do
        {
          value = eval (worker, breaches[i].size, MALT_TIMEOUT_NONE, &error);
          n_breaches += take_breach (value, error, breaches[i].pattern);
        }
      while (value != NULL);
      for (j = 0; j < G_N_ELEMENTS (answers); j++)
        {
          error = NULL;
          value = test_answer_wait (answers[j], &error);
          n_breaches += take_breach (value, error, breaches[i].pattern);
        }
      g_assert_cmpuint (n_breaches, >, 0);

      g_assert_false (malt_worker_is_running (worker));
      exit_info = malt_worker_get_exit_info (worker);
      g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_CONNECTION_LOST);
      test_assert_match (malt_exit_info_get_reason (exit_info), breaches[i].pattern);
      bury (worker, descriptors);
    }

  test_case_retire (g_steal_pointer (&other));
}

/* Bytes before the ring is there are not for it. */
static void
test_early (void)
{
  g_autoptr (MaltLauncher) launcher = new_launcher ("early-frame");
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_START, "*something came between its hello and the ring*");
}

/* ---- What only ends ---- */

static const struct
{
  const char *mode;
  const char *pattern;
} ends[] = {
  { "closes-socket", "*closed its connection*" },
  { "closes-bell", "*closed its connection*" },
  { "closes-all", "*closed its connection*" },
  { "dies", "*code 0*" },
  { "half-and-dies", "*code 0*" },
  { "half-header-and-dies", "*code 0*" },
  { "leaves-a-child", "*code 0*" },
};

static void
take_end (GVariant   *value,
          GError     *error,
          const char *mode,
          const char *pattern)
{
  g_assert_null (value);
  /* The child may have been found out before the worker died. */
  if (!g_str_equal (mode, "leaves-a-child") || !g_error_matches (error, MALT_ERROR, MALT_ERROR_PROTOCOL))
    test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, pattern);
  g_clear_error (&error);
}

static void
test_ends (void)
{
  guint descriptors;
  gsize i;

  descriptors = spawn_other ();

  for (i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      MaltWorker *worker = spawn_rubbish (ends[i].mode);
      TestAnswer *answer = start_eval (worker, 10, MALT_TIMEOUT_NONE);
      GError *error = NULL;
      GVariant *value;

      g_test_message ("%s", ends[i].mode);
      value = eval (worker, 10, MALT_TIMEOUT_NONE, &error);
      take_end (value, error, ends[i].mode, ends[i].pattern);
      error = NULL;
      value = test_answer_wait (answer, &error);
      take_end (value, error, ends[i].mode, ends[i].pattern);
      bury (worker, descriptors);
    }

  test_case_retire (g_steal_pointer (&other));
}

/* ---- What is silent ---- */

static const struct
{
  const char *mode;
  gsize       size;
} silences[] = {
  { "silent", 10 },
  { "does-not-read", 300 * 1000 },
  { "byte-by-byte", 3000 * 1000 },
};

static void
test_silences (void)
{
  guint descriptors;
  gsize i;

  descriptors = spawn_other ();

  for (i = 0; i < G_N_ELEMENTS (silences); i++)
    {
      MaltWorker *worker = spawn_rubbish (silences[i].mode);
      TestAnswer *answers[3];
      GError *error = NULL;
      guint j;

      g_test_message ("%s", silences[i].mode);
      for (j = 0; j < G_N_ELEMENTS (answers); j++)
        answers[j] = start_eval (worker, silences[i].size, 50);
      assert_other_works ();
      g_assert_null (eval (worker, silences[i].size, 50, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
      for (j = 0; j < G_N_ELEMENTS (answers); j++)
        {
          g_assert_null (test_answer_wait (answers[j], &error));
          test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
        }
      g_assert_true (malt_worker_is_running (worker));
      bury (worker, descriptors);
    }

  test_case_retire (g_steal_pointer (&other));
}

/* ---- What is of no use to anybody ---- */

static const char * const vanities[] = {
  "flags", "released", "blocking", "bell-flood", "socket-flood", "descriptors", "truncates",
  "changes-numbers",
};

static void
test_vanities (void)
{
  guint descriptors;
  gsize i;

  descriptors = spawn_other ();

  for (i = 0; i < G_N_ELEMENTS (vanities); i++)
    {
      MaltWorker *worker = spawn_rubbish (vanities[i]);
      gboolean is_42 = !g_str_equal (vanities[i], "changes-numbers");
      GError *error = NULL;
      guint j;

      g_test_message ("%s", vanities[i]);
      for (j = 0; j < 50; j++)
        {
          TestAnswer *answer = start_eval (worker, 10, MALT_TIMEOUT_NONE);
          GVariant *value = eval (worker, 10, MALT_TIMEOUT_NONE, &error);
          GVariant *other_value = test_answer_wait (answer, &error);

          g_assert_no_error (error);
          if (is_42)
            {
              test_assert_value (value, "int64 42");
              test_assert_value (other_value, "int64 42");
            }
          else
            {
              gsize n;

              g_assert_nonnull (g_variant_get_fixed_array (value, &n, sizeof (gint64)));
              g_assert_cmpuint (n, ==, 8);
              g_variant_unref (value);
              g_variant_unref (other_value);
            }
          if (j % 10 == 0)
            assert_other_works ();
        }
      g_assert_true (malt_worker_is_running (worker));
      bury (worker, descriptors);
    }

  test_case_retire (g_steal_pointer (&other));
}

/* A large request to a worker whose counters are right while its flags are anything: it
 * arrives or its time passes, and nothing else. */
static void
test_lost_room (void)
{
  MaltWorker *worker;
  guint descriptors, i;

  descriptors = spawn_other ();
  worker = spawn_rubbish ("flags");
  for (i = 0; i < 5; i++)
    {
      GError *error = NULL;
      GVariant *value = eval (worker, 200 * 1000, 100, &error);

      if (value != NULL)
        test_assert_value (value, "int64 42");
      else
        test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
    }
  bury (worker, descriptors);
  test_case_retire (g_steal_pointer (&other));
}

/* Whatever was read is a value, or a breach. */
static void
test_changes (void)
{
  guint descriptors, n_values = 0, n_breaches = 0;

  descriptors = spawn_other ();

  while (n_breaches < 5 && n_values < 500)
    {
      MaltWorker *worker = spawn_rubbish ("changes-strings");
      GError *error = NULL;
      GVariant *value;

      while ((value = eval (worker, 10, MALT_TIMEOUT_NONE, &error)) != NULL && n_values++ < 500)
        {
          g_assert_true (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING_ARRAY));
          g_assert_true (g_variant_is_normal_form (value));
          g_variant_unref (value);
        }

      if (value == NULL)
        {
          test_assert_error (error, MALT_ERROR, MALT_ERROR_PROTOCOL, "*a value in the arena is not valid: *");
          n_breaches++;
        }
      else
        g_variant_unref (value);
      bury (worker, descriptors);
    }

  g_test_message ("%u values, %u breaches", n_values, n_breaches);
  test_case_retire (g_steal_pointer (&other));
}

/* ---- Anything ---- */

static void
test_random (void)
{
  guint n_seeds = g_test_slow () ? 1000 : 60, n_values = 0, descriptors, i;

  descriptors = spawn_other ();

  for (i = 0; i < n_seeds; i++)
    {
      guint seed = (guint) g_test_rand_int_range (1, G_MAXINT32), j;
      g_autofree char *mode = g_strdup_printf ("random:%u", seed);
      MaltWorker *worker = spawn_rubbish (mode);
      TestAnswer *answers[3];

      for (j = 0; j < G_N_ELEMENTS (answers); j++)
        answers[j] = start_eval (worker, 10, 500);
      for (j = 0; j < G_N_ELEMENTS (answers); j++)
        {
          g_autoptr (GError) error = NULL;
          g_autoptr (GVariant) value = test_answer_wait (answers[j], &error);

          if (value != NULL)
            {
              g_assert_true (g_variant_is_normal_form (value));
              n_values++;
            }
          else if (error->domain == MALT_ERROR)
            g_assert_true (error->code == MALT_ERROR_PROTOCOL || error->code == MALT_ERROR_TIMEOUT ||
                           error->code == MALT_ERROR_REMOTE || error->code == MALT_ERROR_TERMINATED);
        }
      bury (worker, descriptors);
    }

  g_test_message ("%u values", n_values);
  test_case_retire (g_steal_pointer (&other));
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "bad-rings");

  test_case_add_once ("breaches", test_breaches);
  test_case_add_once ("early", test_early);
  test_case_add_once ("ends", test_ends);
  test_case_add_once ("silences", test_silences);
  test_case_add_once ("vanities", test_vanities);
  test_case_add_once ("lost-room", test_lost_room);
  test_case_add_once ("changes", test_changes);
  test_case_add_once ("random", test_random);

  return g_test_run ();
}
