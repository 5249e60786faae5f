/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-call.h"

#include <string.h>

#include "malt-gi-function.h"
#include "malt-gi-layout.h"
#include "malt-gi-number.h"
#include "malt-gi-read.h"
#include "malt-gi-release.h"
#include "malt-gi-write.h"

/* One call.  The arrays have an element for each argument of the function. */
typedef struct
{
  const MaltGiFunction *function;
  GVariant            **given;    /* by position; NULL if it was left out */
  GIArgument           *values;   /* what is passed, or what comes back */
  gpointer             *places;   /* of those that come back: where that is */
  gssize               *lengths;  /* of those that are the length of an array: what was given, or how
                                   * much room there is; -1 if not known */
  MaltGiMemory          memory;
  GIArgument            result;
} Call;

static void
free_memory (gpointer data)
{
  g_free (data);
}

/* What the caller gives. */

static int
find_input (const MaltGiFunction *function,
            const char           *name)
{
  for (guint i = 0; i < function->n_inputs; i++)
    if (strcmp (function->arguments[function->inputs[i]].name, name) == 0)
      return (int) i;

  return -1;
}

static gboolean
take_keywords (Call      *self,
               GVariant  *keywords,
               GError   **error)
{
  for (gsize i = 0; i < g_variant_n_children (keywords); i++)
    {
      g_autofree char *name = NULL;
      g_autofree char *description = NULL;
      g_autoptr (GVariant) value = NULL;
      int position;

      g_variant_get_child (keywords, i, "{sv}", &name, &value);
      position = find_input (self->function, name);
      if (position >= 0 && self->given[position] == NULL)
        {
          self->given[position] = g_steal_pointer (&value);
          continue;
        }

      description = malt_gi_function_describe (self->function);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   position < 0 ? "%s has no argument '%.100s'" : "%s got the argument '%s' twice",
                   description, name);
      return FALSE;
    }

  return TRUE;
}

static gboolean
take_arguments (Call      *self,
                GVariant  *arguments,
                GVariant  *keywords,
                GError   **error)
{
  const MaltGiFunction *function = self->function;
  gsize n = g_variant_n_children (arguments);

  if (n > function->n_inputs)
    {
      g_autofree char *description = malt_gi_function_describe (function);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "%" G_GSIZE_FORMAT " arguments are too many for %s", n, description);
      return FALSE;
    }

  for (gsize i = 0; i < n; i++)
    self->given[i] = g_variant_get_child_value (arguments, i);
  if (keywords != NULL && !take_keywords (self, keywords, error))
    return FALSE;

  for (guint i = 0; i < function->n_inputs; i++)
    {
      const MaltGiArgument *argument = &function->arguments[function->inputs[i]];

      if (self->given[i] == NULL && !argument->is_nullable)
        {
          g_autofree char *description = malt_gi_function_describe (function);

          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                       "argument %u (%s) of %s is missing", i + 1, argument->name, description);
          return FALSE;
        }
    }

  return TRUE;
}

/* The length of an array, which is an argument too; several arrays may share it. */
static gboolean
set_length (Call    *self,
            int      number,
            gsize    length,
            GError **error)
{
  const MaltGiArgument *argument;

  if (number < 0 || self->function->arguments[number].role != MALT_GI_ROLE_LENGTH)
    return TRUE;

  argument = &self->function->arguments[number];
  if (self->lengths[number] >= 0 && (gsize) self->lengths[number] != length)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "an array of %" G_GSIZE_FORMAT " elements is not as long as the one before it, of %"
                   G_GSSIZE_FORMAT, length, self->lengths[number]);
      return FALSE;
    }

  self->lengths[number] = (gssize) length;
  return malt_gi_set_integer (argument->type->tag, (gint64) length, NULL, &self->values[number], error);
}

static gboolean
read_input (Call                  *self,
            const MaltGiArgument  *argument,
            GIArgument            *to,
            GError               **error)
{
  GVariant *value = self->given[argument->position];
  gsize length = 0;

  /* The length of an array that is NULL is 0, or that of another array. */
  if (argument->is_nullable && (value == NULL || malt_gi_is_nothing (value)))
    return TRUE;

  if (argument->type->kind == MALT_GI_OPAQUE)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "it is %s, and can only be nothing", argument->type->name);
      return FALSE;
    }

  return malt_gi_read (argument->type, value, argument->transfer, &self->memory, to, &length, error) &&
         (!malt_gi_type_is_sequence (argument->type) || set_length (self, argument->length, length, error));
}

static gboolean
read_inputs (Call    *self,
             GError **error)
{
  const MaltGiFunction *function = self->function;

  for (guint i = 0; i < function->n_inputs; i++)
    {
      const MaltGiArgument *argument = &function->arguments[function->inputs[i]];

      if (!read_input (self, argument, &self->values[function->inputs[i]], error))
        {
          g_prefix_error (error, "%s: argument %u (%s): ", function->name, i + 1, argument->name);
          return FALSE;
        }
    }

  return TRUE;
}

/* What the function fills. */

static gpointer
allocate_array (Call                  *self,
                const MaltGiArgument  *argument,
                GError               **error)
{
  gsize stride = malt_gi_type_get_stride (argument->type->element);
  gint64 n = argument->type->fixed_size;
  gpointer data;

  if (argument->length >= 0)
    n = malt_gi_get_integer (self->function->arguments[argument->length].type->tag,
                             &self->values[argument->length]);

  data = n >= 0 && (guint64) n < G_MAXSSIZE / stride - 1 ? g_try_malloc0 (((gsize) n + 1) * stride) : NULL;
  if (data == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "%s: there can be no array of %" G_GINT64_FORMAT " elements for argument '%s'",
                   self->function->name, n, argument->name);
      return NULL;
    }

  if (argument->length >= 0)
    self->lengths[argument->length] = (gssize) n;
  return malt_gi_memory_add (&self->memory, data, free_memory, FALSE);
}

static gpointer
allocate (Call                  *self,
          const MaltGiArgument  *argument,
          GError               **error)
{
  MaltGiMemory *memory = &self->memory;

  switch ((int) argument->type->kind)
    {
    case MALT_GI_C_ARRAY:
      return allocate_array (self, argument, error);
    case MALT_GI_ARRAY:
      return malt_gi_memory_add (memory,
                                 g_array_new (TRUE, TRUE,
                                              (guint) malt_gi_type_get_stride (argument->type->element)),
                                 (GDestroyNotify) g_array_unref, FALSE);
    case MALT_GI_PTR_ARRAY:
      return malt_gi_memory_add (memory, g_ptr_array_new (), (GDestroyNotify) g_ptr_array_unref, FALSE);
    case MALT_GI_BYTE_ARRAY:
      return malt_gi_memory_add (memory, g_byte_array_new (), (GDestroyNotify) g_byte_array_unref, FALSE);
    default:
      return malt_gi_memory_add (memory, g_malloc0 (argument->type->size), free_memory, FALSE);
    }
}

/* @pointers: what ffi_call() gets */
static gboolean
point (Call          *self,
       gpointer      *pointers,
       GCancellable  *cancellable,
       GError       **error)
{
  const MaltGiFunction *function = self->function;

  for (guint i = 0; i < function->n_arguments; i++)
    {
      const MaltGiArgument *argument = &function->arguments[i];

      pointers[i] = &self->values[i];
      if (argument->role == MALT_GI_ROLE_CANCELLABLE)
        {
          self->values[i].v_pointer = cancellable;
          if (argument->transfer == GI_TRANSFER_EVERYTHING && cancellable != NULL)
            malt_gi_memory_add (&self->memory, g_object_ref (cancellable), g_object_unref, TRUE);
        }
      else if (argument->is_caller_allocated)
        {
          self->values[i].v_pointer = allocate (self, argument, error);
          if (self->values[i].v_pointer == NULL)
            return FALSE;
        }
      else if (argument->direction != GI_DIRECTION_IN)
        {
          self->places[i] = argument->is_omitted ? NULL : &self->values[i];
          pointers[i] = &self->places[i];
        }
    }

  return TRUE;
}

/* What comes back. */

static gssize
get_length (Call                 *self,
            const MaltGiArgument *argument)
{
  gint64 length;

  if (argument->length < 0)
    return MALT_GI_NO_LENGTH;

  length = malt_gi_get_integer (self->function->arguments[argument->length].type->tag,
                                &self->values[argument->length]);
  /* Functions tell thus how much room they would have needed. */
  if (argument->is_caller_allocated)
    return (gssize) CLAMP (length, 0, self->lengths[argument->length]);

  return length < 0 && argument->type->is_terminated ? MALT_GI_NO_LENGTH : (gssize) MAX (length, 0);
}

/* A GVariant that nobody owns is ours, and so is a reference to one that we do not. */
static GITransfer
own (const MaltGiArgument *argument,
     GIArgument           *value)
{
  if (argument->type->kind == MALT_GI_BOXED && argument->type->boxed->free == (GDestroyNotify) g_variant_unref &&
      value->v_pointer != NULL)
    {
      if (argument->transfer == GI_TRANSFER_NOTHING)
        g_variant_ref_sink (value->v_pointer);
      else
        g_variant_take_ref (value->v_pointer);
      return GI_TRANSFER_EVERYTHING;
    }

  return argument->transfer;
}

static GVariant *
write_result (const MaltGiArgument  *argument,
              GIArgument            *value,
              gssize                 length,
              GError               **error)
{
  if (argument->type->kind == MALT_GI_C_ARRAY && value->v_pointer == NULL && !argument->is_nullable)
    return malt_gi_write_empty (argument->type);

  return malt_gi_write (argument->type, value, length, error);
}

static void
release_result (const MaltGiArgument *argument,
                GIArgument           *value,
                gssize                length,
                GITransfer            transfer)
{
  if (!argument->is_caller_allocated)
    malt_gi_release (argument->type, value, length, transfer);
  else if (argument->type->kind == MALT_GI_VALUE)
    malt_gi_release_content (argument->type, value->v_pointer);
  else if (transfer == GI_TRANSFER_EVERYTHING)
    malt_gi_release_elements (argument->type, value->v_pointer, length);
}

/* Functions of text, above all, return an argument or a part of it, and by their annotations hand
 * that over.  Of what counts its references, this is another one. */
static gboolean
is_of_argument (Call                 *self,
                const MaltGiArgument *argument,
                gconstpointer         pointer)
{
  switch ((int) argument->type->kind)
    {
    case MALT_GI_UTF8: case MALT_GI_FILENAME: case MALT_GI_STRUCT: case MALT_GI_VALUE:
      return malt_gi_memory_keep (&self->memory, pointer);
    default:
      return FALSE;
    }
}

/* Releases what the function handed over, and appends what the caller gets of it. */
static gboolean
take_output (Call                  *self,
             const MaltGiArgument  *argument,
             GIArgument            *value,
             GPtrArray             *results,
             gboolean               is_sound,
             GError               **error)
{
  gssize length = get_length (self, argument);
  GITransfer transfer = own (argument, value);
  GVariant *result = NULL;

  if (is_sound && argument->is_result)
    {
      result = write_result (argument, value, length, error);
      if (result != NULL)
        g_ptr_array_add (results, result);
      else if (argument->name != NULL)
        g_prefix_error (error, "%s: its result '%s' is ", self->function->name, argument->name);
      else
        g_prefix_error (error, "%s: its result is ", self->function->name);
    }
  if (argument->type->kind != MALT_GI_OPAQUE &&
      (argument->is_caller_allocated || !is_of_argument (self, argument, value->v_pointer)))
    release_result (argument, value, length, transfer);

  return is_sound && (result != NULL || !argument->is_result);
}

static GVariant *
take_outputs (Call    *self,
              GError **error)
{
  const MaltGiFunction *function = self->function;
  g_autoptr (GPtrArray) results = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  gboolean is_sound = TRUE;

  if (function->result.type->kind != MALT_GI_VOID)
    is_sound = take_output (self, &function->result, &self->result, results, is_sound, error);
  for (guint i = 0; i < function->n_arguments; i++)
    {
      const MaltGiArgument *argument = &function->arguments[i];

      if (argument->direction != GI_DIRECTION_IN && argument->role != MALT_GI_ROLE_LENGTH &&
          !argument->is_omitted)
        is_sound = take_output (self, argument, &self->values[i], results, is_sound, error);
    }

  if (!is_sound || results->len == 0)
    return NULL;
  if (results->len > 1)
    return g_variant_new_tuple ((GVariant **) results->pdata, results->len);

  return g_variant_ref (g_ptr_array_index (results, 0));
}

/* What the function reports is the remote end's, whatever its domain is: the domains of the
 * library say what is wrong with the call. */
static void
propagate (GError       **error,
           GError        *from,
           GCancellable  *cancellable)
{
  g_autofree char *type = NULL;

  if (g_error_matches (from, G_IO_ERROR, G_IO_ERROR_CANCELLED) && g_cancellable_is_cancelled (cancellable))
    {
      g_propagate_error (error, from);
      return;
    }

  type = g_strdup_printf ("%s(%d)", from->domain != 0 ? g_quark_to_string (from->domain) : "no domain",
                          from->code);
  g_propagate_error (error, malt_remote_error_new (MALT_ERROR_REMOTE, type,
                                                   from->message != NULL ? from->message : "", NULL));
  g_error_free (from);
}

static GVariant *
invoke (Call          *self,
        gpointer      *pointers,
        GCancellable  *cancellable,
        GError       **error)
{
  const MaltGiFunction *function = self->function;
  GIFFIReturnValue returned;
  GError *failure = NULL;
  GError **failure_place = &failure;

  memset (&returned, 0, sizeof returned);
  if (function->can_fail)
    pointers[function->n_arguments] = &failure_place;

  /* It takes one that is not const, and only reads it. */
  ffi_call ((ffi_cif *) &function->invoker.cif, FFI_FN (function->invoker.native_address), &returned, pointers);

  if (failure != NULL)
    {
      propagate (error, failure, cancellable);
      return NULL;
    }

  if (malt_gi_type_is_pointer (function->result.type))
    self->result.v_pointer = returned.v_pointer;
  else if (function->result.type->kind != MALT_GI_VOID)
    gi_type_tag_extract_ffi_return_value (function->result.type->tag, 0, &returned, &self->result);

  return take_outputs (self, error);
}

GVariant *
malt_gi_call (MaltRequest   *request,
              GVariant      *arguments,
              GCancellable  *cancellable,
              gpointer       user_data,
              GError       **error)
{
  const MaltGiFunction *function = user_data;
  guint n = function->n_arguments + 1;
  gpointer *pointers = g_newa0 (gpointer, n);
  gboolean is_called = FALSE;
  GVariant *value = NULL;
  Call self = {
    .function = function,
    .given = g_newa0 (GVariant *, n),
    .values = g_newa0 (GIArgument, n),
    .places = g_newa0 (gpointer, n),
    .lengths = g_newa (gssize, n),
  };

  for (guint i = 0; i < n; i++)
    self.lengths[i] = -1;
  malt_gi_memory_init (&self.memory);

  if (take_arguments (&self, arguments, malt_request_get_keywords (request), error) &&
      read_inputs (&self, error) &&
      point (&self, pointers, cancellable, error))
    {
      is_called = TRUE;
      value = invoke (&self, pointers, cancellable, error);
    }

  malt_gi_memory_clear (&self.memory, is_called);
  for (guint i = 0; i < function->n_inputs; i++)
    g_clear_pointer (&self.given[i], g_variant_unref);

  return value;
}
