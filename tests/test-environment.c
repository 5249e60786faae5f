/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <gio/gio.h>
#include <string.h>

#include "malt-environment.h"

static int
compare_strings (gconstpointer a,
                 gconstpointer b)
{
  return strcmp (*(char * const *) a, *(char * const *) b);
}

static void
assert_environment (const char * const *manager,
                    const char * const *additions,
                    const char * const *expected)
{
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) environment = malt_environment_new (manager, additions, &error);
  g_auto(GStrv) sorted = g_strdupv ((char **) expected);

  g_assert_no_error (error);
  g_assert_nonnull (environment);

  qsort (environment, g_strv_length (environment), sizeof (char *), compare_strings);
  qsort (sorted, g_strv_length (sorted), sizeof (char *), compare_strings);
  g_assert_cmpstrv (environment, sorted);
}

static void
test_empty (void)
{
  const char * const nothing[] = { NULL };
  const char * const expected[] = { "PATH=/usr/local/bin:/usr/bin:/bin", NULL };

  assert_environment (NULL, NULL, expected);
  assert_environment (nothing, nothing, expected);
}

static void
test_allowed (void)
{
  const char * const manager[] = {
    "PATH=/home/user/bin", "HOME=/home/user", "USER=user", "LOGNAME=user", "TMPDIR=/var/tmp",
    "LANG=de_DE.UTF-8", "LANGUAGE=de:en", "LC_ALL=C", "LC_TIME=en_GB.UTF-8", "TZ=Europe/Berlin",
    "MALT_MODULE_PATH=/a:/b", "MALT_DEBUG=wire", NULL
  };
  const char * const expected[] = {
    "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/user", "USER=user", "LOGNAME=user", "TMPDIR=/var/tmp",
    "LANG=de_DE.UTF-8", "LANGUAGE=de:en", "LC_ALL=C", "LC_TIME=en_GB.UTF-8", "TZ=Europe/Berlin",
    "MALT_MODULE_PATH=/a:/b", "MALT_DEBUG=wire", NULL
  };

  assert_environment (manager, NULL, expected);
}

static void
test_left_behind (void)
{
  const char * const manager[] = {
    "LD_PRELOAD=/evil.so", "LD_LIBRARY_PATH=/evil", "G_DEBUG=fatal-warnings", "G_MESSAGES_DEBUG=all",
    "GIO_MODULE_DIR=/evil", "GI_TYPELIB_PATH=/evil", "PYTHONPATH=/evil", "PYTHONSTARTUP=/evil.py",
    "VIRTUAL_ENV=/evil", "NODE_OPTIONS=--evil", "JULIA_DEPOT_PATH=/evil", "GJS_PATH=/evil",
    "DBUS_SESSION_BUS_ADDRESS=unix:path=/bus", "DISPLAY=:0", "WAYLAND_DISPLAY=wayland-0",
    "XDG_RUNTIME_DIR=/run/user/1000", "SSH_AUTH_SOCK=/agent", "GPG_AGENT_INFO=/agent",
    "SECRET_TOKEN=token", "PWD=/secret", "SHELL=/bin/sh",
    /* Like the allowed ones, but not them. */
    "LC_=x", "LC=x", "LANGUAGES=x", "HOMEX=x", "HOM=x", "home=x", "MALT_OTHER=x", "TZDIR=x",
    /* Not variables. */
    "HOME", "", "=x", NULL
  };
  const char * const expected[] = { "PATH=/usr/local/bin:/usr/bin:/bin", NULL };

  assert_environment (manager, NULL, expected);
}

static void
test_additions (void)
{
  const char * const manager[] = { "HOME=/home/user", "LANG=C", NULL };
  const char * const additions[] = {
    "HOME=/elsewhere", "PATH=/opt/bin", "LD_PRELOAD=/mine.so", "EMPTY=", "EQUALS=a=b", "TWICE=1", "TWICE=2",
    "NOT_UTF_8=\xff", NULL
  };
  const char * const expected[] = {
    "HOME=/elsewhere", "LANG=C", "PATH=/opt/bin", "LD_PRELOAD=/mine.so", "EMPTY=", "EQUALS=a=b", "TWICE=2",
    "NOT_UTF_8=\xff", NULL
  };

  assert_environment (manager, additions, expected);
}

static void
test_duplicates (void)
{
  const char * const manager[] = { "LANG=first", "LANG=second", "LANG=third", NULL };
  const char * const expected[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=first", NULL };

  assert_environment (manager, NULL, expected);
}

static void
test_bad_additions (void)
{
  const char * const bad[] = { "NAME", "", "=value", "NEW\nLINE" };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      const char * const additions[] = { "GOOD=1", bad[i], NULL };
      g_autoptr(GError) error = NULL;
      g_auto(GStrv) environment = malt_environment_new (NULL, additions, &error);

      g_assert_null (environment);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_assert_null (strchr (error->message, '\n'));
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/environment/empty", test_empty);
  g_test_add_func ("/environment/allowed", test_allowed);
  g_test_add_func ("/environment/left-behind", test_left_behind);
  g_test_add_func ("/environment/additions", test_additions);
  g_test_add_func ("/environment/duplicates", test_duplicates);
  g_test_add_func ("/environment/bad-additions", test_bad_additions);

  return g_test_run ();
}
