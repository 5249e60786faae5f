/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-value-scan.h"

#include <stdarg.h>
#include <string.h>

#include "malt-limits.h"
#include "malt-text.h"
#include "malt-type-layout.h"

/* Looks at the serialised form of a GVariant, as the GVariant specification has it.
 * Accepts what g_variant_is_normal_form() accepts, and only within the limits.  GLib's
 * own check is not for hostile bytes: a few of them can stand for any number of nested
 * values that take no room of their own, it looks at each byte of an array of bytes,
 * and it makes tables for whatever type a variant says it has.
 *
 * Cost.  A step of the loop in malt_value_scan() begins a value or ends a container,
 * in constant time but for the bytes that it reads, and there are at most twice
 * MALT_LIMIT_VALUES steps.
 *
 *  - Padding, offsets, booleans, texts and the type strings of variants are read.  Each
 *    of these bytes belongs to one value only, and is read a few times at most.
 *  - The type of a variant is parsed once, when it is met, in one pass over its
 *    string, which is part of the data.  From one member of a tuple to the next, and
 *    from one element of an array to the next, is one look into the parsed type.
 *  - Values whose bytes are free, such as an array of numbers, are not read at all.
 *
 * So the time is linear in the size of the data, with a constant that no type and no
 * nesting changes, but for values that take no bytes, such as a tuple of empty arrays
 * can be; these are why the values are counted.
 *
 * Memory.  There is no recursion and no allocation, except of the reason.  A frame is
 * kept for each container around the current value, and the parsed type of each
 * variant around it: about 64 KiB of stack, whatever the data.
 *
 * All positions are bytes from the begin of the data.  Alignment can be counted from
 * there, since the data is aligned, and a container for all that is in it. */

typedef enum
{
  FRAME_ONE_CHILD,   /* maybe, variant */
  FRAME_FIXED_ARRAY, /* array of elements of one fixed size */
  FRAME_ARRAY,       /* any other array */
  FRAME_TUPLE,       /* tuple, dictionary entry */
} FrameKind;

/* A container, some children of which are still to be looked at. */
typedef struct
{
  FrameKind           kind;
  const char         *type;         /* of the next child */
  const MaltTypeCell *cell;         /* the same */
  gsize               begin;        /* of the container */
  gsize               end;
  gsize               position;     /* where the next child may begin */
  gsize               children_end; /* where the children end and the offsets begin;
                                       moves down as a tuple's offsets are read */
  gsize               next_offset;  /* of an array */
  guint               offset_size;
  gboolean            is_fixed;     /* a tuple without offsets, of fixed size */
  gsize               n_cells;      /* in use when the container began */
} Frame;

/* What is to be looked at next. */
typedef struct
{
  const char         *type;
  const MaltTypeCell *cell;
  gsize               begin;
  gsize               end;
} Value;

typedef struct
{
  const guint8 *data;
  char        **reason;
  guint         n_values;

  Frame         frames[MALT_LIMIT_DEPTH];
  guint         n_frames;

  /* The types of the variants around the current value, and of the whole. */
  MaltTypeCell  cells[(MALT_LIMIT_DEPTH + 1) * MALT_LIMIT_TYPE_STRING];
  gsize         n_cells;
} Scan;

G_GNUC_PRINTF (2, 3)
static gboolean
reject (const Scan *self,
        const char *format,
        ...)
{
  va_list args;

  if (self->reason != NULL)
    {
      va_start (args, format);
      *self->reason = g_strdup_vprintf (format, args);
      va_end (args);
    }

  return FALSE;
}

/* Bytes that say nothing have to be zero. */
static gboolean
check_padding (const Scan *self,
               gsize       begin,
               gsize       end)
{
  gsize i;

  for (i = begin; i < end; i++)
    if (self->data[i] != 0)
      return reject (self, "the padding at byte %" G_GSIZE_FORMAT " is not zero", i);

  return TRUE;
}

static gsize
align (gsize position,
       guint alignment)
{
  return (position + alignment) & ~(gsize) alignment;
}

/* Offsets are as wide as the size of their container asks for. */
static guint
offset_size_for (gsize size)
{
  if (size > G_MAXUINT32)
    return 8;
  if (size > G_MAXUINT16)
    return 4;
  if (size > G_MAXUINT8)
    return 2;

  return size > 0 ? 1 : 0;
}

/* Whether a container of that size, with its offsets, would not fit narrower ones. */
static gboolean
is_offset_size_minimal (gsize children_size,
                        gsize n_offsets,
                        guint offset_size)
{
  guint narrower = offset_size / 2;

  return narrower == 0 || offset_size_for (children_size + n_offsets * narrower) > narrower;
}

/* Little-endian, not aligned, 0 when there are no bytes. */
static gsize
read_offset (const Scan *self,
             gsize       position,
             guint       size)
{
  gsize offset = 0;
  guint i;

  for (i = size; i > 0; i--)
    offset = offset << 8 | self->data[position + i - 1];

  return offset;
}

static gboolean
check_boolean (const Scan  *self,
               const Value *value)
{
  if (self->data[value->begin] > 1)
    return reject (self, "a boolean at byte %" G_GSIZE_FORMAT " is %u",
                   value->begin, self->data[value->begin]);

  return TRUE;
}

static gboolean
check_string (const Scan  *self,
              const Value *value)
{
  const char *text;
  const char *end;

  if (value->begin == value->end || self->data[value->end - 1] != 0)
    return reject (self, "a string at byte %" G_GSIZE_FORMAT " does not end with a zero byte", value->begin);

  text = (const char *) self->data + value->begin;
  if (malt_text_is_valid (text, value->end - 1 - value->begin))
    return TRUE;

  /* Stops at a zero byte too. */
  g_utf8_validate_len (text, value->end - 1 - value->begin, &end);
  if (*end == '\0')
    return reject (self, "a string at byte %" G_GSIZE_FORMAT " has a zero byte inside", value->begin);

  return reject (self, "a string at byte %" G_GSIZE_FORMAT " is not valid UTF-8", value->begin);
}

/* "/", or names that each follow a slash. */
static gboolean
is_object_path (const char *text)
{
  gsize i;

  if (text[0] != '/')
    return FALSE;

  for (i = 1; text[i] != '\0'; i++)
    if (text[i] == '/' ? text[i - 1] == '/' : !g_ascii_isalnum (text[i]) && text[i] != '_')
      return FALSE;

  return i == 1 || text[i - 1] != '/';
}

static gboolean
check_object_path (const Scan  *self,
                   const Value *value)
{
  if (!check_string (self, value))
    return FALSE;

  if (!is_object_path ((const char *) self->data + value->begin))
    return reject (self, "an object path at byte %" G_GSIZE_FORMAT " is not valid", value->begin);

  return TRUE;
}

/* Any number of types that D-Bus knows.  GLib's scan of a type string is linear, and
 * its recursion ends at a depth that is its own. */
static gboolean
is_signature (const char *text)
{
  if (text[strspn (text, "ybnqiuxthdsogva(){}")] != '\0')
    return FALSE;

  while (*text != '\0')
    if (!g_variant_type_string_scan (text, NULL, &text))
      return FALSE;

  return TRUE;
}

static gboolean
check_signature (const Scan  *self,
                 const Value *value)
{
  if (!check_string (self, value))
    return FALSE;

  if (!is_signature ((const char *) self->data + value->begin))
    return reject (self, "a signature at byte %" G_GSIZE_FORMAT " is not valid", value->begin);

  return TRUE;
}

/* Every container is within the depth limit, because its type is: begin_variant()
 * and malt_value_scan() see to that. */
static Frame *
push_frame (Scan        *self,
            FrameKind    kind,
            const Value *value)
{
  Frame *frame;

  g_assert (self->n_frames < MALT_LIMIT_DEPTH);

  frame = &self->frames[self->n_frames++];
  *frame = (Frame) {
    .kind = kind,
    .type = value->type + 1,
    .cell = value->cell + 1,
    .begin = value->begin,
    .end = value->end,
    .position = value->begin,
    .children_end = value->end,
    .n_cells = self->n_cells,
  };

  return frame;
}

/* Parses the type of the whole or of a variant, whose values are inside as many
 * containers as there are frames.  A handle is the index of a descriptor that comes along, and
 * none does. */
static gboolean
parse_type (Scan       *self,
            const char *what,
            const char *string,
            gsize       length,
            Value      *value)
{
  MaltTypeCell *cells = &self->cells[self->n_cells];
  guint depth;

  g_assert (self->n_cells + MALT_LIMIT_TYPE_STRING <= G_N_ELEMENTS (self->cells));

  if (length > MALT_LIMIT_TYPE_STRING)
    return reject (self, "the type string of %s is longer than %u bytes", what, MALT_LIMIT_TYPE_STRING);

  if (!malt_type_layout_parse (string, length, cells, &depth))
    return reject (self, "the type string of %s is not valid", what);

  if (memchr (string, 'h', length) != NULL)
    return reject (self, "%s at byte %" G_GSIZE_FORMAT " is of type %.*s, and a handle (h) is good for nothing elsewhere",
                   what, self->n_frames > 0 ? self->frames[self->n_frames - 1].begin : 0, (int) length, string);

  depth += self->n_frames;
  if (depth > MALT_LIMIT_DEPTH)
    return reject (self, "%s nests %u containers (limit %u)", what, depth, MALT_LIMIT_DEPTH);

  self->n_cells += length;
  value->type = string;
  value->cell = cells;
  return TRUE;
}

/* The child, a zero byte, the type of the child. */
static gboolean
begin_variant (Scan        *self,
               const Value *value)
{
  gsize size = value->end - value->begin;
  gsize window = MIN (size, MALT_LIMIT_TYPE_STRING + 1);
  gsize window_begin = value->end - window;
  Frame *frame = push_frame (self, FRAME_ONE_CHILD, value);
  const guint8 *zero = NULL;
  const char *string;
  Value child;

  if (window > 0)
    zero = memrchr (self->data + window_begin, 0, window);

  if (zero == NULL && size > window)
    return reject (self, "the type string of a variant inside is longer than %u bytes", MALT_LIMIT_TYPE_STRING);

  if (zero == NULL)
    return reject (self, "a variant at byte %" G_GSIZE_FORMAT " has no type", value->begin);

  string = (const char *) zero + 1;
  if (!parse_type (self, "a variant inside", string,
                   (const char *) self->data + value->end - string, &child))
    return FALSE;

  frame->type = child.type;
  frame->cell = child.cell;
  frame->children_end = zero - self->data;
  return TRUE;
}

/* Nothing, or the child; a zero byte after a child of no fixed size tells it from
 * nothing. */
static gboolean
begin_maybe (Scan        *self,
             const Value *value)
{
  Frame *frame;

  if (value->begin == value->end)
    return TRUE;

  frame = push_frame (self, FRAME_ONE_CHILD, value);
  if (frame->cell->fixed_size != 0)
    return TRUE;

  frame->children_end = value->end - 1;
  return check_padding (self, frame->children_end, value->end);
}

/* The elements, nothing between them. */
static gboolean
begin_fixed_array (Scan        *self,
                   const Value *value)
{
  const MaltTypeCell *element = value->cell + 1;
  gsize size = value->end - value->begin;

  if (size % element->fixed_size != 0)
    return reject (self, "an array at byte %" G_GSIZE_FORMAT " is of %" G_GSIZE_FORMAT " bytes "
                   "and its elements of %u", value->begin, size, element->fixed_size);

  if (!element->is_free)
    push_frame (self, FRAME_FIXED_ARRAY, value);

  return TRUE;
}

/* The elements, then for each of them the offset where it ends.  The last of these
 * is also where the offsets begin. */
static gboolean
begin_array (Scan        *self,
             const Value *value)
{
  gsize size = value->end - value->begin;
  Frame *frame;
  guint offset_size;
  gsize children_size;
  gsize n_offsets;

  if (size == 0)
    return TRUE;

  offset_size = offset_size_for (size);
  children_size = read_offset (self, value->end - offset_size, offset_size);
  if (children_size >= size || (size - children_size) % offset_size != 0)
    return reject (self, "an array at byte %" G_GSIZE_FORMAT " has no whole number of offsets", value->begin);

  n_offsets = (size - children_size) / offset_size;
  if (!is_offset_size_minimal (children_size, n_offsets, offset_size))
    return reject (self, "an array at byte %" G_GSIZE_FORMAT " has offsets wider than it needs", value->begin);

  frame = push_frame (self, FRAME_ARRAY, value);
  frame->children_end = value->begin + children_size;
  frame->next_offset = frame->children_end;
  frame->offset_size = offset_size;
  return TRUE;
}

/* The members, then, last first, an offset for each member where it ends, but not
 * for the last member and none for those of fixed size. */
static gboolean
begin_tuple (Scan        *self,
             const Value *value)
{
  Frame *frame = push_frame (self, FRAME_TUPLE, value);

  frame->is_fixed = value->cell->fixed_size != 0;
  frame->offset_size = offset_size_for (value->end - value->begin);
  return TRUE;
}

static gboolean
begin_value (Scan        *self,
             const Value *value)
{
  gsize size = value->end - value->begin;
  gsize fixed_size = value->cell->fixed_size;

  if (self->n_values++ == MALT_LIMIT_VALUES)
    return reject (self, "there are more than %u values", MALT_LIMIT_VALUES);

  if (fixed_size != 0 && size != fixed_size)
    return reject (self, "a value at byte %" G_GSIZE_FORMAT " is of %" G_GSIZE_FORMAT " bytes instead of %" G_GSIZE_FORMAT,
                   value->begin, size, fixed_size);

  if (value->cell->is_free)
    return TRUE;

  switch (*value->type)
    {
    case 'b':
      return check_boolean (self, value);
    case 's':
      return check_string (self, value);
    case 'o':
      return check_object_path (self, value);
    case 'g':
      return check_signature (self, value);
    case 'v':
      return begin_variant (self, value);
    case 'm':
      return begin_maybe (self, value);
    case 'a':
      return value->cell[1].fixed_size != 0 ? begin_fixed_array (self, value) : begin_array (self, value);
    case '(':
    case '{':
      return begin_tuple (self, value);
    default:
      g_assert_not_reached ();
    }
}

static gboolean
has_next_child (const Frame *frame)
{
  switch (frame->kind)
    {
    case FRAME_ONE_CHILD:
      return frame->cell != NULL;
    case FRAME_FIXED_ARRAY:
      return frame->position < frame->end;
    case FRAME_ARRAY:
      return frame->next_offset < frame->end;
    case FRAME_TUPLE:
      return *frame->type != ')' && *frame->type != '}';
    default:
      g_assert_not_reached ();
    }
}

/* Sets where the child begins, after the padding that its alignment needs. */
static gboolean
begin_child (const Scan  *self,
             const Frame *frame,
             Value       *child)
{
  child->type = frame->type;
  child->cell = frame->cell;
  child->begin = align (frame->position, frame->cell->alignment);

  if (child->begin > frame->children_end)
    return reject (self, "the padding at byte %" G_GSIZE_FORMAT " is cut off", frame->position);

  return check_padding (self, frame->position, child->begin);
}

/* Sets where the child ends, to what the offset at @position says. */
static gboolean
end_child (const Scan  *self,
           const Frame *frame,
           gsize        position,
           Value       *child)
{
  gsize offset = read_offset (self, position, frame->offset_size);

  /* The first comparison is for the sum in the second. */
  if (offset > frame->children_end - frame->begin || frame->begin + offset < child->begin)
    return reject (self, "the offset at byte %" G_GSIZE_FORMAT " is out of order", position);

  child->end = frame->begin + offset;
  return TRUE;
}

static gboolean
next_member (const Scan *self,
             Frame      *frame,
             Value      *child)
{
  gsize fixed_size = frame->cell->fixed_size;
  gsize space;

  if (!begin_child (self, frame, child))
    return FALSE;

  frame->type += child->cell->length;
  frame->cell += child->cell->length;
  space = frame->children_end - child->begin;

  if (fixed_size != 0)
    {
      if (space < fixed_size)
        return reject (self, "a tuple at byte %" G_GSIZE_FORMAT " is too short", frame->begin);

      child->end = child->begin + fixed_size;
    }
  else if (!has_next_child (frame))
    {
      child->end = frame->children_end;
    }
  else
    {
      if (space < frame->offset_size)
        return reject (self, "a tuple at byte %" G_GSIZE_FORMAT " is too short", frame->begin);

      frame->children_end -= frame->offset_size;
      if (!end_child (self, frame, frame->children_end, child))
        return FALSE;
    }

  frame->position = child->end;
  return TRUE;
}

static gboolean
next_element (const Scan *self,
              Frame      *frame,
              Value      *child)
{
  if (!begin_child (self, frame, child) ||
      !end_child (self, frame, frame->next_offset, child))
    return FALSE;

  frame->next_offset += frame->offset_size;
  frame->position = child->end;
  return TRUE;
}

static gboolean
next_child (const Scan *self,
            Frame      *frame,
            Value      *child)
{
  switch (frame->kind)
    {
    case FRAME_ONE_CHILD:
      *child = (Value) { frame->type, frame->cell, frame->begin, frame->children_end };
      frame->cell = NULL;
      return TRUE;

    case FRAME_FIXED_ARRAY:
      *child = (Value) { frame->type, frame->cell, frame->position, frame->position + frame->cell->fixed_size };
      frame->position = child->end;
      return TRUE;

    case FRAME_ARRAY:
      return next_element (self, frame, child);

    case FRAME_TUPLE:
      return next_member (self, frame, child);

    default:
      g_assert_not_reached ();
    }
}

static gboolean
end_tuple (const Scan  *self,
           const Frame *frame)
{
  gsize n_offsets;

  /* So that the next one is aligned, or because there is no member to take a byte. */
  if (frame->is_fixed)
    return check_padding (self, frame->position, frame->end);

  if (frame->position != frame->children_end)
    return reject (self, "a tuple at byte %" G_GSIZE_FORMAT " has unused bytes", frame->begin);

  n_offsets = frame->offset_size != 0 ? (frame->end - frame->children_end) / frame->offset_size : 0;
  if (!is_offset_size_minimal (frame->position - frame->begin, n_offsets, frame->offset_size))
    return reject (self, "a tuple at byte %" G_GSIZE_FORMAT " has offsets wider than it needs", frame->begin);

  return TRUE;
}

static gboolean
end_frame (Scan        *self,
           const Frame *frame)
{
  if (frame->kind == FRAME_TUPLE && !end_tuple (self, frame))
    return FALSE;

  self->n_cells = frame->n_cells;
  self->n_frames--;
  return TRUE;
}

/* The short way, for what most calls are given and most give: a few numbers or a string,
 * of whose types it needs no more than the letters.  There is nothing that it accepts and
 * the long way would not. */

/* 0 for what is not a number. */
static guint
size_of_number (char type)
{
  switch (type)
    {
    case 'y':
      return 1;
    case 'n': case 'q':
      return 2;
    case 'i': case 'u':
      return 4;
    case 'x': case 't': case 'd':
      return 8;
    default:
      return 0;
    }
}

static gboolean
is_plain_string (const guint8 *data,
                 gsize         size)
{
  return size > 0 && data[size - 1] == 0 && malt_text_is_valid ((const char *) data, size - 1);
}

/* Of numbers without padding, the last of which may be a string instead. */
static gboolean
is_plain_tuple (const char   *type,
                gsize         type_length,
                const guint8 *data,
                gsize         size)
{
  gsize position = 0;
  guint largest = 1;
  gsize i;

  for (i = 1; i < type_length; i++)
    {
      guint number = size_of_number (type[i]);

      if (number == 0 || position % number != 0)
        break;
      position += number;
      largest = MAX (largest, number);
    }

  if (type_length - i == 1 && type[i] == ')' && position > 0)
    return size == position && position % largest == 0;

  return type_length - i == 2 && type[i] == 's' && type[i + 1] == ')' &&
         position < size && is_plain_string (data + position, size - position);
}

gboolean
malt_value_is_plain (const char    *type,
                     gsize          type_length,
                     gconstpointer  data,
                     gsize          size)
{
  const guint8 *bytes = data;
  gsize number;

  if (type_length == 1)
    {
      number = size_of_number (*type);
      if (number > 0)
        return size == number;
      if (*type == 's')
        return is_plain_string (bytes, size);

      return *type == 'b' && size == 1 && *bytes <= 1;
    }

  if (type_length == 2)
    {
      number = size_of_number (type[1]);
      if (*type == 'a' && number > 0)
        return size % number == 0;
      if (*type == 'm' && (number > 0 || type[1] == 'v'))
        return size == 0;

      return *type == '(' && type[1] == ')' && size == 1 && *bytes == 0;
    }

  return type_length > 2 && type_length <= MALT_LIMIT_TYPE_STRING && *type == '(' &&
         is_plain_tuple (type, type_length, bytes, size);
}

/*
 * malt_value_scan:
 * @type: a definite type
 * @data: (nullable): the bytes, aligned to 8, which nobody else can change
 * @size: how many there are
 * @reason: (out) (optional) (transfer full): what is wrong, as one phrase
 *
 * Whether the bytes are a value of the type in normal form, and within the limits.
 * What is in an array or a tuple does not count towards the number of values if it is
 * of fixed size, without booleans and padding.
 *
 * Returns: %FALSE when they are not, with @reason set
 */
gboolean
malt_value_scan (const GVariantType  *type,
                 gconstpointer        data,
                 gsize                size,
                 char               **reason)
{
  const char *string = g_variant_type_peek_string (type);
  gsize length = g_variant_type_get_string_length (type);
  Scan self;
  Value value = { .begin = 0, .end = size };

  if (malt_value_is_plain (string, length, data, size))
    return TRUE;

  /* The arrays are large, and need no values before they are used. */
  self.data = data;
  self.reason = reason;
  self.n_values = 0;
  self.n_frames = 0;
  self.n_cells = 0;

  if (!parse_type (&self, "a value", string, length, &value) ||
      !begin_value (&self, &value))
    return FALSE;

  while (self.n_frames > 0)
    {
      Frame *frame = &self.frames[self.n_frames - 1];

      if (!has_next_child (frame))
        {
          if (!end_frame (&self, frame))
            return FALSE;
        }
      else if (!next_child (&self, frame, &value) || !begin_value (&self, &value))
        return FALSE;
    }

  return TRUE;
}
