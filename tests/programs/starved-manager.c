/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-gjs-backend.h"

/* starved-manager VARIANT RESOURCE
 *
 * Has a worker, then runs out of descriptors or processes, fails to start another with
 * an error that says so, calls the first all the same, and starts one again when there
 * is enough. */

#define NOBODY 65534

static void
set_soft_limit (int    resource,
                rlim_t limit)
{
  struct rlimit rlimit;

  g_assert_cmpint (getrlimit (resource, &rlimit), ==, 0);
  rlimit.rlim_cur = MIN (limit, rlimit.rlim_max);
  g_assert_cmpint (setrlimit (resource, &rlimit), ==, 0);
}

/* The lowest descriptor that is free. */
static rlim_t
first_free_descriptor (void)
{
  int fd = dup (0);

  g_assert_cmpint (fd, >=, 0);
  close (fd);
  return (rlim_t) fd;
}

/* The limit of processes does not hold for root.  Another user may not be able to read
 * the directory in which this was built, so what root may read stays readable, for the
 * workers too. */
static void
become_nobody (void)
{
  struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct data[2] = { { 0 } };

  data[0].effective = data[0].permitted = data[0].inheritable = 1u << CAP_DAC_READ_SEARCH;

  if (prctl (PR_SET_KEEPCAPS, 1) != 0 ||
      setgid (NOBODY) != 0 || setuid (NOBODY) != 0 ||
      syscall (SYS_capset, &header, data) != 0 ||
      prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0) != 0)
    g_error ("cannot become an unprivileged user: %m");
}

static void
expect_failure (TestCase   *self,
                const char *pattern)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_launcher_spawn (self->launcher, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_START, pattern);
  test_case_assert_usable (self);
}

int
main (int argc, char **argv)
{
  TestCase test = { &test_variants[atoi (argv[1])], NULL, NULL };
  gboolean descriptors = g_str_equal (argv[2], "descriptors");
  int resource = descriptors ? RLIMIT_NOFILE : RLIMIT_NPROC;
  MaltWorker *another;
  rlim_t extra;

  if (!descriptors && geteuid () == 0)
    become_nobody ();

  if (test_case_is (&test, TEST_GJS_BACKEND))
    test_gjs_backend_register ();
  test.launcher = test_case_new_launcher (test.variant);
  test.worker = test_case_spawn (&test);
  test_case_assert_usable (&test);

  if (descriptors)
    {
      rlim_t free_now = first_free_descriptor ();

      /* Whichever step it is that finds none left. */
      for (extra = 0; extra < 4; extra++)
        {
          set_soft_limit (resource, free_now + extra);
          if (extra == 0 || test_case_is (&test, "process"))
            expect_failure (&test, test_case_is (&test, "process") ? "*descriptors*"
                                                                   : "*Too many open files*");
        }
    }
  else
    {
      set_soft_limit (resource, 1);
      expect_failure (&test, test_case_is (&test, "process") ? "*processes*" : "*thread*");
    }

  set_soft_limit (resource, RLIM_INFINITY);
  another = test_case_spawn (&test);
  test_case_retire (another);
  test_case_retire (test.worker);
  g_object_unref (test.launcher);
  return 0;
}
