/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Maps a function over numbers with two workers, tells of each, and sees one fail.
 *
 * cc pool.c $(pkg-config --cflags --libs malt-1) */

#include <malt.h>

static void
item_cb (MaltPool     *pool,
         guint         index,
         GVariant     *value,
         const GError *error,
         gpointer      user_data)
{
  g_autofree char *text = value != NULL ? g_variant_print (value, FALSE) : malt_remote_error_dup_type (error);

  g_print ("%u: %s\n", index, text);
}

int
main (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "python");
  g_autoptr (MaltPool) pool = malt_pool_new (launcher, 2);
  g_autoptr (GVariant) values = NULL;
  g_autoptr (GError) error = NULL;

  values = malt_pool_map (pool, "math.factorial", g_variant_new_parsed ("[(int64 3,), (4,), (-1,), (5,)]"),
                          MALT_POOL_CALL_FLAGS_NONE, MALT_TIMEOUT_DEFAULT, NULL, item_cb, NULL, &error);
  g_print ("%s\n", values != NULL ? "all of them" : "not all of them");

  return malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, NULL) ? 0 : 1;
}
