/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "malt-frame.h"

/* Writes what a fuzz target begins with into a folder: good inputs, from which the
 * bad ones are made. */

static const char * const values[] = {
  "true",
  "byte 0x07",
  "int16 -2",
  "uint32 7",
  "int64 -1",
  "1.5",
  "handle 3",
  "''",
  "'malt – liquor'",
  "objectpath '/'",
  "objectpath '/org/malt/Worker_1'",
  "signature ''",
  "signature 'a{sv}(ii)as'",
  "()",
  "((), ())",
  "(byte 1, int64 2)",
  "(int64 2, byte 1)",
  "(byte 1, 'a', true, 'b', int64 3)",
  "('a', 'b', uint16 3, 'c')",
  "(byte 1, <'a'>, uint16 3, <'b'>)",
  "@(ayayay) ([], [], [])",
  "@((((ay)))) (((([],),),),)",
  "@ai []",
  "[1, 2, 3]",
  "[true, false, true]",
  "[(), (), ()]",
  "[(byte 1, int64 2), (byte 3, int64 4)]",
  "@as []",
  "['', 'one', 'two', 'three']",
  "[['a', 'b'], [], ['c']]",
  "[<1>, <'two'>, <@as ['three']>, <<<4.0>>>, <()>]",
  "@a((ay)) [(([],),), (([],),), (([1, 2],),)]",
  "@mi nothing",
  "@mi 5",
  "@ms nothing",
  "@ms 'x'",
  "@mms just nothing",
  "@mmmb just just nothing",
  "@mv nothing",
  "@mv <1>",
  "@ams ['a', nothing, 'b']",
  "@a{sv} {}",
  "{'one': <1>, 'two': <'zwei'>, 'three': <[1.0, 2.0]>}",
  "{int64 1: 'one', 2: 'two'}",
  "{byte 1: true}",
  "('math.sqrt', <(2.0,)>, {'digits': <3>})",
  "@(mss) (nothing, '1 + 1')",
  "@(yumsmsms) (0, 0, 'ValueError', 'bad value', nothing)",
  "<@v <@mv nothing>>",
};

typedef struct
{
  MaltFrameType  type;
  const char    *body; /* or NULL */
} FrameSeed;

static const FrameSeed frames[] = {
  { MALT_FRAME_HELLO, "{'version': <uint32 1>, 'runtime': <'python'>, 'features': <['a', 'b']>}" },
  { MALT_FRAME_FAILED, "@(yumsmsms) (0, 2, nothing, 'no interpreter', nothing)" },
  { MALT_FRAME_CALL, "('math.sqrt', <(2.0,)>, @a{sv} {})" },
  { MALT_FRAME_CALL, "('m:f', <('a', [1, 2], true)>, {'k': <@mv nothing>})" },
  { MALT_FRAME_EVAL, "@(mss) (nothing, '1 + 1')" },
  { MALT_FRAME_EVAL, "@(mss) ('module', 'x = 1')" },
  { MALT_FRAME_VALUE, "<@mv nothing>" },
  { MALT_FRAME_VALUE, "<['one', 'two', 'three']>" },
  { MALT_FRAME_VALUE, "<[<1>, <'two'>, <(3.0, true)>]>" },
  { MALT_FRAME_ERROR, "@(yumsmsms) (0, 0, 'ValueError', 'bad value', 'Traceback')" },
  { MALT_FRAME_CANCEL, NULL },
  { MALT_FRAME_WITHDRAWN, NULL },
  { MALT_FRAME_INTERRUPT, NULL },
  { MALT_FRAME_STOP, NULL },
};

static GVariant *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = g_variant_parse (NULL, text, NULL, NULL, &error);

  if (value == NULL)
    g_error ("%s: %s", text, error->message);

  return g_variant_ref_sink (value);
}

static void
write_file (const char       *folder,
            guint             number,
            const GByteArray *contents)
{
  g_autofree char *name = g_strdup_printf ("%03u", number);
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GError) error = NULL;

  if (!g_file_set_contents (path, (const char *) contents->data, contents->len, &error))
    g_error ("%s", error->message);
}

/* The length of the type string, the type string, the value. */
static void
write_values (const char *folder)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GVariant) value = parse (values[i]);
      g_autoptr (GByteArray) contents = g_byte_array_new ();
      const char *type = g_variant_get_type_string (value);
      guint8 length = (guint8) strlen (type);

      g_byte_array_append (contents, &length, 1);
      g_byte_array_append (contents, (const guint8 *) type, length);
      g_byte_array_append (contents, g_variant_get_data (value), (guint) g_variant_get_size (value));
      write_file (folder, i, contents);
    }
}

static gboolean
has_id (MaltFrameType type)
{
  return type != MALT_FRAME_HELLO && type != MALT_FRAME_FAILED && type != MALT_FRAME_STOP;
}

static void
write_frames (const char *folder)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (frames); i++)
    {
      g_autoptr (GVariant) body = frames[i].body != NULL ? parse (frames[i].body) : NULL;
      g_autoptr (GByteArray) contents = g_byte_array_new ();
      guint8 header[MALT_FRAME_HEADER_SIZE];
      MaltFrame frame = {
        .type = frames[i].type,
        .id = has_id (frames[i].type) ? 1 + i : 0,
        .length = body != NULL ? (guint32) g_variant_get_size (body) : 0,
      };

      malt_frame_encode (&frame, header);
      g_byte_array_append (contents, header, sizeof header);
      if (body != NULL)
        g_byte_array_append (contents, g_variant_get_data (body), frame.length);
      write_file (folder, i, contents);
    }
}

int
main (int    argc,
      char **argv)
{
  if (argc != 3 || g_mkdir_with_parents (argv[2], 0777) != 0)
    {
      g_printerr ("Usage: fuzz-seeds value-scan|frame FOLDER\n");
      return 2;
    }

  if (g_str_equal (argv[1], "frame"))
    write_frames (argv[2]);
  else
    write_values (argv[2]);

  return 0;
}
