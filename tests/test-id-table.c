/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib.h>

#include "malt-id-table.h"

static void
test_in_order (void)
{
  MaltIdTable table;
  guint64 id;

  malt_id_table_init (&table);
  for (id = 1; id <= 100000; id++)
    malt_id_table_insert (&table, id, GSIZE_TO_POINTER (id));
  g_assert_cmpuint (malt_id_table_size (&table), ==, 100000);
  g_assert_null (table.others);
  for (id = 1; id <= 100000; id++)
    g_assert_true (malt_id_table_steal (&table, id) == GSIZE_TO_POINTER (id));
  g_assert_cmpuint (malt_id_table_size (&table), ==, 0);
  /* Its memory has gone back. */
  g_assert_cmpuint (table.mask, <, 4096);
  malt_id_table_clear (&table);
}

/* One at a time, for ever, and one that stays. */
static void
test_one_stays (void)
{
  MaltIdTable table;
  guint64 id, met = 0;

  malt_id_table_init (&table);
  malt_id_table_insert (&table, 7, GSIZE_TO_POINTER (7));
  for (id = 8; id < 10000; id++)
    {
      malt_id_table_insert (&table, id, GSIZE_TO_POINTER (id));
      met += table.others != NULL;
      g_assert_true (malt_id_table_lookup (&table, 7) == GSIZE_TO_POINTER (7));
      g_assert_true (malt_id_table_steal (&table, id) == GSIZE_TO_POINTER (id));
      g_assert_null (table.others);
    }
  g_assert_cmpuint (table.mask, ==, 63);
  g_assert_cmpuint (met, ==, (9999 - 7) / 64);
  g_assert_true (malt_id_table_steal (&table, 7) == GSIZE_TO_POINTER (7));
  malt_id_table_clear (&table);
}

static void
test_unknown (void)
{
  MaltIdTable table;

  malt_id_table_init (&table);
  malt_id_table_insert (&table, 5, &table);
  malt_id_table_insert (&table, 5 + 64, &table);
  g_assert_null (malt_id_table_lookup (&table, 0));
  g_assert_null (malt_id_table_steal (&table, 0));
  g_assert_null (malt_id_table_steal (&table, 64));
  g_assert_null (malt_id_table_steal (&table, 5 + 128));
  g_assert_null (malt_id_table_steal (&table, G_MAXUINT64));
  g_assert_true (malt_id_table_steal (&table, 5) == &table);
  g_assert_null (malt_id_table_steal (&table, 5));
  g_assert_true (malt_id_table_lookup (&table, 5 + 64) == &table);
  g_assert_true (malt_id_table_steal (&table, 5 + 64) == &table);
  g_assert_null (malt_id_table_steal (&table, 5 + 64));
  malt_id_table_clear (&table);
}

static void
remove_cb (gpointer item,
           gpointer user_data)
{
  g_assert_true (g_hash_table_remove (user_data, item));
}

/* As a hash table does it. */
static void
test_model (void)
{
  g_autoptr (GHashTable) model = g_hash_table_new (NULL, NULL);
  g_autoptr (GArray) live = g_array_new (FALSE, FALSE, sizeof (guint64));
  MaltIdTable table;
  guint64 id = 0;
  guint step;

  malt_id_table_init (&table);
  for (step = 0; step < 200000; step++)
    {
      guint most = step / 20000 % 2 == 0 ? 3000 : 20;

      if (live->len < most && g_test_rand_int_range (0, 3) > 0)
        {
          id += (guint64) g_test_rand_int_range (1, step % 1000 == 0 ? 10000 : 3);
          malt_id_table_insert (&table, id, GSIZE_TO_POINTER (id));
          g_hash_table_add (model, GSIZE_TO_POINTER (id));
          g_array_append_val (live, id);
        }
      else if (live->len > 0)
        {
          guint i = g_test_rand_int_range (0, 10) > 0 ? 0 : (guint) g_test_rand_int_range (0, (gint32) live->len);
          guint64 gone = g_array_index (live, guint64, i);

          g_assert_true (malt_id_table_steal (&table, gone) == GSIZE_TO_POINTER (gone));
          g_assert_null (malt_id_table_lookup (&table, gone));
          g_hash_table_remove (model, GSIZE_TO_POINTER (gone));
          g_array_remove_index (live, i);
        }
      g_assert_cmpuint (malt_id_table_size (&table), ==, live->len);
    }
  malt_id_table_foreach (&table, remove_cb, model);
  g_assert_cmpuint (g_hash_table_size (model), ==, 0);
  malt_id_table_clear (&table);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/id-table/in-order", test_in_order);
  g_test_add_func ("/id-table/one-stays", test_one_stays);
  g_test_add_func ("/id-table/unknown", test_unknown);
  g_test_add_func ("/id-table/model", test_model);

  return g_test_run ();
}
