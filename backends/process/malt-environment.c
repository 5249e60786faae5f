/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-environment.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/auxv.h>

/* The environment of a worker: a few of the manager's variables by name, and what the
 * launcher adds.  All else of the manager's is left behind, be it what would change
 * how the worker's programs run (LD_*, G_*, GIO_*, PYTHON*) or what opens doors (the
 * addresses of buses, displays and agents, tokens). */

#define WORKER_PATH "PATH=/usr/local/bin:/usr/bin:/bin"

/* Who the user is and where their files are: a worker without a sandbox has all rights
 * of its user and is expected to find installed packages, settings and caches as any
 * other program does.  A private HOME and TMPDIR belong to the sandbox profiles, which
 * are what makes them private. */
static const char * const inherited[] = {
  "HOME",
  "LANG",
  "LANGUAGE",
  "LOGNAME",
  "TMPDIR",
  "TZ",
  "USER",
};

/* Our own, so that a worker can have workers. */
static const char * const inherited_for_workers[] = {
  "MALT_DEBUG",
  "MALT_MODULE_PATH",
  "MALT_POLL",
  "MALT_RING",
  "MALT_SPIN",
};

static gboolean
has_name (const char         *entry,
          gsize               name_length,
          const char * const *names,
          gsize               n_names)
{
  gsize i;

  for (i = 0; i < n_names; i++)
    if (strlen (names[i]) == name_length && strncmp (entry, names[i], name_length) == 0)
      return TRUE;

  return FALSE;
}

static gboolean
is_inherited (const char *entry,
              gsize       name_length)
{
  if (g_str_has_prefix (entry, "LC_") && name_length > strlen ("LC_"))
    return TRUE;

  if (has_name (entry, name_length, inherited, G_N_ELEMENTS (inherited)))
    return TRUE;

  /* A program that runs with more rights than its caller has does not trust these. */
  return getauxval (AT_SECURE) == 0 &&
         has_name (entry, name_length,
                   inherited_for_workers, G_N_ELEMENTS (inherited_for_workers));
}

/* Appends an entry, or replaces the one of the same name. */
static void
set_entry (GPtrArray  *entries,
           const char *entry,
           gsize       name_length)
{
  guint i;

  for (i = 0; i < entries->len; i++)
    {
      char **other = (char **) &entries->pdata[i];

      if (strncmp (*other, entry, name_length + 1) == 0)
        {
          g_free (*other);
          *other = g_strdup (entry);
          return;
        }
    }

  g_ptr_array_add (entries, g_strdup (entry));
}

/* Makes the environment of a worker out of the manager's and the launcher's additions,
 * both as "NAME=value".  Of two entries with one name the first of the manager's holds,
 * as for getenv(), and the last of the additions. */
char **
malt_environment_new (const char * const  *manager,
                      const char * const  *additions,
                      GError             **error)
{
  g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func (g_free);
  gsize i;

  g_ptr_array_add (entries, g_strdup (WORKER_PATH));

  /* From the end, so that the first of a name comes last and stays. */
  for (i = manager != NULL ? g_strv_length ((char **) manager) : 0; i > 0; i--)
    {
      const char *entry = manager[i - 1];
      const char *equals = strchr (entry, '=');

      if (equals != NULL && is_inherited (entry, (gsize) (equals - entry)))
        set_entry (entries, entry, (gsize) (equals - entry));
    }

  for (i = 0; additions != NULL && additions[i] != NULL; i++)
    {
      const char *entry = additions[i];
      const char *equals = strchr (entry, '=');

      if (equals == NULL || equals == entry)
        {
          g_autofree char *shown = g_strescape (entry, NULL);

          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                       "'%s' is not an environment variable of the form NAME=value", shown);
          return NULL;
        }

      set_entry (entries, entry, (gsize) (equals - entry));
    }

  g_ptr_array_add (entries, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&entries), FALSE);
}
