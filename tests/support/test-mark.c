/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-mark.h"

#include <stdlib.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "test-process.h"

static char *folder;
static int   folder_owner;
static int   last_mark; /* atomic */

/* Removes all of them; happens by itself at the end of the program. */
void
test_mark_clear (void)
{
  int i;

  if (getpid () != folder_owner)
    return;

  for (i = 1; i <= last_mark; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%d", folder, i);

      g_remove (path);
    }
  g_rmdir (folder);
}

/* Returns: (transfer full): the path of a mark that nobody has made yet */
char *
test_mark_new (void)
{
  static gsize initialized;

  if (g_once_init_enter (&initialized))
    {
      folder = g_dir_make_tmp ("malt-test-XXXXXX", NULL);
      g_assert_nonnull (folder);
      folder_owner = getpid ();
      atexit (test_mark_clear);
      g_once_init_leave (&initialized, 1);
    }

  return g_strdup_printf ("%s/%d", folder, 1 + g_atomic_int_add (&last_mark, 1));
}

void
test_mark_make (const char *mark)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (mark, "", 0, &error);
  g_assert_no_error (error);
}

static gboolean
mark_exists (gpointer data)
{
  return access (data, F_OK) == 0;
}

void
test_mark_await (const char *mark)
{
  test_await (mark_exists, (gpointer) mark);
}
