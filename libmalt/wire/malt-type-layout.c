/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-type-layout.h"

#include "malt-limits.h"

G_STATIC_ASSERT (MALT_LIMIT_TYPE_STRING <= G_MAXUINT8);
/* A character adds at most 8 bytes, and 7 of padding before or after them. */
G_STATIC_ASSERT (MALT_LIMIT_TYPE_STRING * 16 <= G_MAXUINT16);

/* A container that began and has not ended. */
typedef struct
{
  char     kind;      /* its first character */
  guint    start;     /* where, in the string */
  guint    n_members; /* that are complete */
  gsize    size;      /* of these, when all are of fixed size */
  guint    alignment;
  gboolean is_fixed;
  gboolean is_free;
} Container;

static gboolean
is_basic (char c)
{
  switch (c)
    {
    case 'b': case 'y': case 'n': case 'q': case 'i': case 'u': case 'h':
    case 'x': case 't': case 'd': case 's': case 'o': case 'g':
      return TRUE;
    default:
      return FALSE;
    }
}

/* The types of one character. */
static gboolean
set_simple (MaltTypeCell *cell,
            char          c)
{
  switch (c)
    {
    case 'b':
      *cell = (MaltTypeCell) { .fixed_size = 1, .length = 1 };
      return TRUE;
    case 'y':
      *cell = (MaltTypeCell) { .fixed_size = 1, .length = 1, .is_free = TRUE };
      return TRUE;
    case 'n': case 'q':
      *cell = (MaltTypeCell) { .fixed_size = 2, .alignment = 1, .length = 1, .is_free = TRUE };
      return TRUE;
    case 'i': case 'u': case 'h':
      *cell = (MaltTypeCell) { .fixed_size = 4, .alignment = 3, .length = 1, .is_free = TRUE };
      return TRUE;
    case 'x': case 't': case 'd':
      *cell = (MaltTypeCell) { .fixed_size = 8, .alignment = 7, .length = 1, .is_free = TRUE };
      return TRUE;
    case 's': case 'o': case 'g':
      *cell = (MaltTypeCell) { .length = 1 };
      return TRUE;
    case 'v':
      *cell = (MaltTypeCell) { .alignment = 7, .length = 1 };
      return TRUE;
    default:
      return FALSE;
    }
}

/* The size with the padding that a value of this alignment needs before it. */
static gsize
align (gsize size,
       guint alignment)
{
  return (size + alignment) & ~(gsize) alignment;
}

static void
add_member (Container          *self,
            const MaltTypeCell *member)
{
  gsize begin = align (self->size, member->alignment);

  self->n_members++;
  self->alignment = MAX (self->alignment, member->alignment);
  self->is_fixed = self->is_fixed && member->fixed_size != 0;
  self->is_free = self->is_free && member->is_free && begin == self->size;
  self->size = self->is_fixed ? begin + member->fixed_size : 0;
}

/* Arrays and maybes, whose values are of any size. */
static void
set_wrapper (MaltTypeCell       *cell,
             const MaltTypeCell *element)
{
  *cell = (MaltTypeCell) {
    .alignment = element->alignment,
    .length = (guint8) (1 + element->length),
  };
}

/* Tuples and dictionary entries.  One without members takes a byte, which is padding. */
static void
set_tuple (MaltTypeCell    *cell,
           const Container *container,
           gsize            length)
{
  gsize size = container->n_members > 0 ? align (container->size, container->alignment) : 1;

  *cell = (MaltTypeCell) {
    .fixed_size = (guint16) (container->is_fixed ? size : 0),
    .alignment = (guint8) container->alignment,
    .length = (guint8) length,
    .is_free = container->is_fixed && container->is_free && size == container->size,
  };
}

static gboolean
can_close (const Container *container,
           char             bracket)
{
  if (bracket == ')')
    return container->kind == '(';

  return container->kind == '{' && container->n_members == 2;
}

/*
 * malt_type_layout_parse:
 * @string: a type string, not nul-terminated
 * @length: its length, at most MALT_LIMIT_TYPE_STRING
 * @cells: (out) (array length=length): what its types are like
 * @depth: (out): how many containers are inside each other, variants included
 *
 * Describes one definite type, and everything in it, in one pass over its string:
 * a character begins a container or completes a type, and what is complete is
 * added to the container around it at once.
 *
 * Returns: %FALSE when the string is not exactly one definite type
 */
gboolean
malt_type_layout_parse (const char   *string,
                        gsize         length,
                        MaltTypeCell *cells,
                        guint        *depth)
{
  Container open[MALT_LIMIT_TYPE_STRING];
  guint n_open = 0;
  guint i;

  g_assert (length <= MALT_LIMIT_TYPE_STRING);

  *depth = 0;

  for (i = 0; i < length; i++)
    {
      char c = string[i];
      guint complete = i; /* where the type that ends here began */

      if (c == 'a' || c == 'm' || c == '(' || c == '{')
        {
          open[n_open++] = (Container) { .kind = c, .start = i, .is_fixed = TRUE, .is_free = TRUE };
          *depth = MAX (*depth, n_open);
          continue;
        }

      if (c == ')' || c == '}')
        {
          if (n_open == 0 || !can_close (&open[n_open - 1], c))
            return FALSE;

          n_open--;
          complete = open[n_open].start;
          set_tuple (&cells[complete], &open[n_open], i + 1 - complete);
        }
      else if (!set_simple (&cells[i], c))
        return FALSE;
      else if (c == 'v')
        *depth = MAX (*depth, n_open + 1);

      /* An array or a maybe ends with its element. */
      while (n_open > 0 && (open[n_open - 1].kind == 'a' || open[n_open - 1].kind == 'm'))
        {
          n_open--;
          complete = open[n_open].start;
          set_wrapper (&cells[complete], &cells[complete + 1]);
        }

      if (n_open == 0)
        return i + 1 == length;

      if (open[n_open - 1].kind == '{' && open[n_open - 1].n_members == 0 && !is_basic (string[complete]))
        return FALSE;

      add_member (&open[n_open - 1], &cells[complete]);
    }

  return FALSE;
}
