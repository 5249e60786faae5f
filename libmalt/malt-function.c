/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-function.h"

#include <string.h>

/* The functions that the program itself offers to the native runtime.
 *
 * A function stays until the program ends: it may be running on a worker's thread
 * at any time, so there is no moment at which its data could be given back. */

typedef struct
{
  MaltFunction function;
  gpointer     user_data;
} Entry;

static GMutex lock;
/* Guarded by lock: name → Entry, both owned. */
static GHashTable *entries;

static gboolean
add (const char   *name,
     MaltFunction  function,
     gpointer      user_data)
{
  gboolean is_new;

  g_mutex_lock (&lock);

  if (entries == NULL)
    entries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  is_new = !g_hash_table_contains (entries, name);
  if (is_new)
    {
      Entry *entry = g_new (Entry, 1);

      entry->function = function;
      entry->user_data = user_data;
      g_hash_table_insert (entries, g_strdup (name), entry);
    }

  g_mutex_unlock (&lock);

  return is_new;
}

/**
 * malt_register_function:
 * @name: the name by which it is called; UTF-8, not empty, without a colon
 * @function: (scope notified) (closure user_data) (destroy destroy): the function
 * @user_data: what it gets as its `user_data`
 * @destroy: (nullable): frees @user_data
 *
 * Offers a function of the program itself to the `native` runtime.
 *
 * In-process workers of the program can call it at once.  So can workers that are
 * the program started again ([const@Malt.PROGRAM_SELF]), if it is registered before
 * the program calls [func@Malt.run_as_worker].
 *
 * The function runs on the serving thread of whatever worker calls it, so with
 * several in-process workers it runs on several threads.  Because it may be running
 * at any time, it stays until the program ends: it cannot be taken back, and
 * registering a second one of the same name is a programming error, for which
 * @user_data is freed at once.
 *
 * This does not block and may be called from any thread.
 *
 * Since: 1.0
 */
void
malt_register_function (const char     *name,
                        MaltFunction    function,
                        gpointer        user_data,
                        GDestroyNotify  destroy)
{
  g_return_if_fail (name != NULL && *name != '\0');
  g_return_if_fail (g_utf8_validate (name, -1, NULL));
  g_return_if_fail (strchr (name, ':') == NULL);
  g_return_if_fail (function != NULL);

  if (add (name, function, user_data))
    return;

  g_critical ("a function '%s' is already registered", name);
  if (destroy != NULL)
    destroy (user_data);
}

/**
 * malt_lookup_function: (skip)
 * @name: a name
 * @user_data: (out) (optional): where to put what it was registered with
 *
 * Finds a function that was registered with [func@Malt.register_function].
 *
 * This does not block and may be called from any thread.
 *
 * Returns: (nullable): the function, or %NULL if there is none of that name
 *
 * Since: 1.0
 */
MaltFunction
malt_lookup_function (const char *name,
                      gpointer   *user_data)
{
  const Entry *entry;

  g_return_val_if_fail (name != NULL, NULL);

  /* An entry stays as it is for good once it is there. */
  g_mutex_lock (&lock);
  entry = entries != NULL ? g_hash_table_lookup (entries, name) : NULL;
  g_mutex_unlock (&lock);

  if (user_data != NULL)
    *user_data = entry != NULL ? entry->user_data : NULL;

  return entry != NULL ? entry->function : NULL;
}
