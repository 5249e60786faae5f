/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-nearest.h"

#include <string.h>

/* Longer names are like no other. */
#define MAX_LENGTH 100

MaltGiNearest
malt_gi_nearest (const char *wanted)
{
  gsize length = strlen (wanted);

  return (MaltGiNearest) { wanted, NULL, length <= MAX_LENGTH ? 1 + MIN ((guint) length / 3, 2) : 0 };
}

/* How many characters have to be added, taken away or changed; case does not count. */
static guint
get_distance (const char *a,
              const char *b)
{
  gsize n = strlen (b);
  guint row[MAX_LENGTH + 1];

  for (gsize i = 0; i <= n; i++)
    row[i] = (guint) i;

  for (gsize j = 0; a[j] != '\0'; j++)
    {
      guint diagonal = row[0];

      row[0]++;
      for (gsize i = 0; i < n; i++)
        {
          guint changed = diagonal + (g_ascii_tolower (a[j]) != g_ascii_tolower (b[i]));

          diagonal = row[i + 1];
          row[i + 1] = MIN (changed, 1 + MIN (row[i], diagonal));
        }
    }

  return row[n];
}

void
malt_gi_nearest_look (MaltGiNearest *self,
                      const char    *name)
{
  guint distance;

  if (self->distance == 0 || strlen (name) > MAX_LENGTH)
    return;

  distance = get_distance (self->wanted, name);
  if (distance >= self->distance)
    return;

  g_free (self->name);
  self->name = g_strdup (name);
  self->distance = distance;
}
