/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <string.h>

#include "value-oracle.h"

/* The input is a length, a type string of that length, and the serialised value.  A
 * length from 0xc0 on stands for a type of the table, so that one byte is enough. */

/* GLib can take long for more. */
#define MAX_SIZE 4096

static const char * const types[] = {
  "v", "s", "o", "g", "b", "()", "ab", "ay", "as", "ao", "ag", "av", "aay", "a()",
  "mv", "ms", "mb", "may", "mmi", "mms", "amx", "ams", "a(yx)", "a(xy)", "(yxs)", "(sys)",
  "(ayay)", "(sxsv)", "(sva{sv})", "(mss)", "(yumsmsms)", "a{sv}", "a{yv}", "{sv}", "a{xs}",
  "a(s(yx)b)", "((((ay))))", "a((((ay))))", "a(ayayayay)", "(vvvv)", "(yvnv)", "aaas", "a(bn)",
};

static const char *
take_type (const guint8 **data,
           gsize         *size,
           char           buffer[256])
{
  guint8 first;

  if (*size == 0)
    return NULL;

  first = **data;
  ++*data;
  --*size;

  if (first >= 0xc0)
    return types[first % G_N_ELEMENTS (types)];

  if (first > *size)
    return NULL;

  memcpy (buffer, *data, first);
  buffer[first] = '\0';
  *data += first;
  *size -= first;

  if (!g_variant_type_string_is_valid (buffer) || !g_variant_type_is_definite (G_VARIANT_TYPE (buffer)))
    return NULL;

  return buffer;
}

int
LLVMFuzzerTestOneInput (const guint8 *data,
                        gsize         size)
{
  char buffer[256];
  const char *type;

  if (size > MAX_SIZE)
    return 0;

  type = take_type (&data, &size, buffer);
  if (type != NULL)
    value_oracle_compare (G_VARIANT_TYPE (type), data, size);

  return 0;
}
