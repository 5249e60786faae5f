/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

/* Runs a fuzz target over the files of the folders given, without libFuzzer: each file,
 * each beginning of it, and it with each byte changed in turn. */

static void
replay (const char *contents,
        gsize       size)
{
  static const guint8 changes[] = { 0x01, 0x80, 0xff };
  g_autofree guint8 *data = g_memdup2 (contents, size);
  gsize i, j;

  LLVMFuzzerTestOneInput (data, size);

  for (i = 0; i < size; i++)
    {
      g_autofree guint8 *beginning = g_memdup2 (contents, i);

      LLVMFuzzerTestOneInput (beginning, i);

      for (j = 0; j < G_N_ELEMENTS (changes); j++)
        {
          data[i] ^= changes[j];
          LLVMFuzzerTestOneInput (data, size);
          data[i] ^= changes[j];
        }
    }
}

static guint
replay_folder (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (path, 0, &error);
  const char *name;
  guint n_files = 0;

  if (dir == NULL)
    g_error ("%s", error->message);

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);
      g_autofree char *contents = NULL;
      gsize size;

      if (!g_file_get_contents (file, &contents, &size, &error))
        g_error ("%s", error->message);

      replay (contents, size);
      n_files++;
    }

  return n_files;
}

int
main (int    argc,
      char **argv)
{
  guint n_files = 0;
  int i;

  for (i = 1; i < argc; i++)
    n_files += replay_folder (argv[i]);

  g_print ("%u files\n", n_files);
  return n_files > 0 ? 0 : 1;
}
