/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-function.h"

#include <string.h>

#include <malt.h>

#define NO_ROOM "to be filled by the function, and nobody says how much room that needs"

static void
malt_gi_function_free (MaltGiFunction *self)
{
  for (guint i = 0; i < self->n_arguments; i++)
    {
      g_free (self->arguments[i].name);
      g_clear_pointer (&self->arguments[i].type, malt_gi_type_free);
    }
  g_clear_pointer (&self->result.type, malt_gi_type_free);
  g_free (self->arguments);
  g_free (self->inputs);
  g_free (self->name);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltGiFunction, malt_gi_function_free)

static gboolean
is_input (const MaltGiArgument *argument)
{
  return argument->direction != GI_DIRECTION_OUT;
}

static gboolean
is_output (const MaltGiArgument *argument)
{
  return argument->direction != GI_DIRECTION_IN;
}

static void
take_instance (MaltGiArgument *argument,
               GIFunctionInfo *info)
{
  /* The container belongs to the function's info. */
  argument->name = g_strdup ("self");
  argument->type = malt_gi_type_new_for (gi_base_info_get_container (GI_BASE_INFO (info)));
  argument->direction = GI_DIRECTION_IN;
  argument->transfer = gi_callable_info_get_instance_ownership_transfer (GI_CALLABLE_INFO (info));
  argument->length = -1;
}

/* A pointer to a number, which is no array: nobody says to how many.  And a structure without a
 * pointer, @is_out apart, where the place for it is the caller's. */
static void
refuse_indirection (MaltGiType *type,
                    GITypeInfo *info,
                    gboolean    is_out)
{
  gboolean is_pointer = gi_type_info_is_pointer (info);
  gboolean is_structure = type->kind == MALT_GI_STRUCT || type->kind == MALT_GI_VALUE;
  char *name;

  if (is_pointer && !malt_gi_type_is_pointer (type))
    name = g_strdup_printf ("a pointer to %s", type->name);
  else if (!is_pointer && is_structure && !is_out)
    name = g_strdup_printf ("a %s without a pointer", type->name);
  else
    return;

  g_free (type->name);
  type->name = name;
  type->kind = MALT_GI_OPAQUE;
}

static void
take_argument (MaltGiArgument *argument,
               GIArgInfo      *info,
               gboolean        has_instance)
{
  GITypeInfo *type_info = gi_arg_info_get_type_info (info);

  argument->name = g_strdup (gi_base_info_get_name (GI_BASE_INFO (info)));
  argument->type = malt_gi_type_new (type_info);
  argument->direction = gi_arg_info_get_direction (info);
  argument->transfer = gi_arg_info_get_ownership_transfer (info);
  argument->is_nullable = gi_arg_info_may_be_null (info) && malt_gi_type_is_pointer (argument->type);
  argument->length = argument->type->length >= 0 ? argument->type->length + has_instance : -1;
  if (argument->direction == GI_DIRECTION_OUT)
    argument->is_caller_allocated = gi_arg_info_is_caller_allocates (info) &&
                                    malt_gi_type_is_pointer (argument->type);
  if (gi_arg_info_is_skip (info))
    argument->role = MALT_GI_ROLE_NULL;

  refuse_indirection (argument->type, type_info, argument->direction == GI_DIRECTION_OUT);
  if (argument->type->kind == MALT_GI_OPAQUE && argument->direction == GI_DIRECTION_OUT &&
      gi_arg_info_is_optional (info))
    argument->is_omitted = TRUE;

  gi_base_info_unref (type_info);
}

static void
be_null (MaltGiFunction *self,
         guint           n)
{
  if (n < self->n_arguments)
    self->arguments[n].role = MALT_GI_ROLE_NULL;
}

/* What belongs to a callback, of which there is never one, is NULL. */
static void
take_callback_data (MaltGiFunction *self,
                    GIFunctionInfo *info,
                    guint           n,
                    gboolean        has_instance)
{
  GIArgInfo *arg_info = gi_callable_info_get_arg (GI_CALLABLE_INFO (info), n);
  GITypeInfo *type_info = gi_arg_info_get_type_info (arg_info);
  GIBaseInfo *interface = gi_type_info_get_tag (type_info) == GI_TYPE_TAG_INTERFACE
                          ? gi_type_info_get_interface (type_info) : NULL;
  guint closure, destroy;

  if (interface != NULL && GI_IS_CALLBACK_INFO (interface))
    {
      if (gi_arg_info_get_closure_index (arg_info, &closure) && closure != n)
        be_null (self, closure + has_instance);
      if (gi_arg_info_get_destroy_index (arg_info, &destroy) && destroy != n)
        be_null (self, destroy + has_instance);
    }

  if (interface != NULL)
    gi_base_info_unref (interface);
  gi_base_info_unref (type_info);
  gi_base_info_unref (arg_info);
}

/* Decides where the length of an array comes from.  Gives what is wrong with it, or NULL. */
static const char *
take_length (MaltGiFunction *self,
             MaltGiArgument *array)
{
  MaltGiArgument *length;

  if (array->length < 0)
    return NULL;
  if ((guint) array->length >= self->n_arguments)
    return "an array whose length is an argument that is not there";

  length = &self->arguments[array->length];
  if (length->type->kind != MALT_GI_INTEGER)
    return "an array whose length is not an integer";

  if (array == &self->result || !is_input (array))
    {
      if (array->is_caller_allocated && !is_input (length))
        return NO_ROOM;
      if (!is_input (length))
        length->role = MALT_GI_ROLE_LENGTH;
      /* Else the caller says how much room there is. */
      length->is_result = FALSE;
      return NULL;
    }

  if (!is_input (length))
    return "an array that is given, and whose length is not";
  length->role = MALT_GI_ROLE_LENGTH;
  return NULL;
}

/* Why it has no value; NULL if it has. */
static const char *
find_fault (const MaltGiArgument *argument)
{
  const MaltGiType *type = argument->type;

  if (argument->role != MALT_GI_ROLE_VALUE || argument->is_omitted)
    return NULL;

  if (type->kind == MALT_GI_OPAQUE)
    /* For one that may be NULL nothing can be given. */
    return argument->direction == GI_DIRECTION_IN && argument->is_nullable ? NULL : type->name;
  if (type->kind == MALT_GI_VOID)
    return "an untyped pointer";
  if (type->kind == MALT_GI_CANCELLABLE)
    return "an object (Gio.Cancellable)";

  if (type->kind == MALT_GI_C_ARRAY && argument->length < 0 && type->fixed_size < 0 && !type->is_terminated)
    return "an array whose length nobody knows";
  if (malt_gi_type_is_sequence (type) && type->element->is_inline && type->element->kind == MALT_GI_VALUE &&
      is_input (argument) && argument->transfer == GI_TRANSFER_EVERYTHING)
    return "an array of GValues that is given away";

  if (argument->is_caller_allocated && type->kind != MALT_GI_C_ARRAY && type->kind != MALT_GI_ARRAY &&
      type->kind != MALT_GI_PTR_ARRAY && type->kind != MALT_GI_BYTE_ARRAY &&
      type->kind != MALT_GI_VALUE && type->kind != MALT_GI_STRUCT)
    return NO_ROOM;
  if (argument->is_caller_allocated && type->kind == MALT_GI_C_ARRAY &&
      type->fixed_size < 0 && argument->length < 0)
    return NO_ROOM;

  return NULL;
}

static gboolean
refuse (const MaltGiFunction  *self,
        const MaltGiArgument  *argument,
        guint                  number,
        const char            *fault,
        GError               **error)
{
  if (argument == &self->result)
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                 "%s cannot be called: its result is %s", self->name, fault);
  else
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                 "%s cannot be called: argument %u (%s) is %s", self->name, number, argument->name, fault);
  return FALSE;
}

/* Arguments are counted as in the documentation of the function: those that the caller gives,
 * and those that he does not. */
static gboolean
check_values (MaltGiFunction  *self,
              GError         **error)
{
  const char *fault;

  for (guint i = 0; i < self->n_arguments; i++)
    {
      fault = find_fault (&self->arguments[i]);
      if (fault != NULL)
        return refuse (self, &self->arguments[i], i + 1, fault, error);
    }

  fault = self->result.is_result || self->result.type->kind == MALT_GI_OPAQUE ? find_fault (&self->result) : NULL;
  return fault == NULL || refuse (self, &self->result, 0, fault, error);
}

/* Functions that end a reference say of it in their annotations that they only look at it. */
static gboolean
check_references (MaltGiFunction  *self,
                  const char      *name,
                  GError         **error)
{
  static const char * const endings[] = { "free", "freev", "unref", "take_ref" };

  if (self->n_arguments == 0 || self->arguments[0].transfer != GI_TRANSFER_NOTHING ||
      !malt_gi_type_is_pointer (self->arguments[0].type))
    return TRUE;

  for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (name, endings[i]))
      {
        g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                     "%s cannot be called: it frees argument 1 (%s), which is a copy that is freed anyway",
                     self->name, self->arguments[0].name);
        return FALSE;
      }

  return TRUE;
}

static gboolean
take_lengths (MaltGiFunction  *self,
              GError         **error)
{
  const char *fault;

  for (guint i = 0; i < self->n_arguments; i++)
    {
      if (self->arguments[i].role != MALT_GI_ROLE_VALUE)
        continue;
      fault = take_length (self, &self->arguments[i]);
      if (fault != NULL)
        return refuse (self, &self->arguments[i], i + 1, fault, error);
    }

  fault = take_length (self, &self->result);
  return fault == NULL || refuse (self, &self->result, 0, fault, error);
}

/* Which arguments the caller gives, in which order, and how many he has to. */
static void
number_inputs (MaltGiFunction *self)
{
  self->inputs = g_new (int, self->n_arguments);
  for (guint i = 0; i < self->n_arguments; i++)
    {
      MaltGiArgument *argument = &self->arguments[i];

      argument->position = -1;
      if (argument->role != MALT_GI_ROLE_VALUE || !is_input (argument))
        continue;

      argument->position = (int) self->n_inputs;
      self->inputs[self->n_inputs++] = (int) i;
      if (!argument->is_nullable)
        self->n_required = self->n_inputs;
    }
}

static void
take_arguments (MaltGiFunction *self,
                GIFunctionInfo *info)
{
  GICallableInfo *callable = GI_CALLABLE_INFO (info);
  gboolean has_instance = gi_callable_info_is_method (callable);
  guint n = gi_callable_info_get_n_args (callable);

  self->n_arguments = n + has_instance;
  self->arguments = g_new0 (MaltGiArgument, self->n_arguments);
  if (has_instance)
    take_instance (&self->arguments[0], info);

  for (guint i = 0; i < n; i++)
    {
      GIArgInfo *arg_info = gi_callable_info_get_arg (callable, i);

      take_argument (&self->arguments[i + has_instance], arg_info, has_instance);
      gi_base_info_unref (arg_info);
    }
  for (guint i = 0; i < n; i++)
    take_callback_data (self, info, i, has_instance);

  for (guint i = 0; i < self->n_arguments; i++)
    {
      MaltGiArgument *argument = &self->arguments[i];

      if (argument->type->kind == MALT_GI_CANCELLABLE && argument->direction == GI_DIRECTION_IN &&
          !(has_instance && i == 0))
        argument->role = MALT_GI_ROLE_CANCELLABLE;
      argument->is_result = argument->role == MALT_GI_ROLE_VALUE && is_output (argument) && !argument->is_omitted;
    }
}

static void
take_result (MaltGiFunction *self,
             GIFunctionInfo *info)
{
  GICallableInfo *callable = GI_CALLABLE_INFO (info);
  GITypeInfo *type_info = gi_callable_info_get_return_type (callable);
  gboolean has_instance = gi_callable_info_is_method (callable);
  MaltGiArgument *result = &self->result;

  result->type = malt_gi_type_new (type_info);
  refuse_indirection (result->type, type_info, FALSE);
  result->direction = GI_DIRECTION_OUT;
  result->transfer = gi_callable_info_get_caller_owns (callable);
  result->is_nullable = gi_callable_info_may_return_null (callable);
  result->length = result->type->length >= 0 ? result->type->length + has_instance : -1;
  result->is_result = result->type->kind != MALT_GI_VOID && !gi_callable_info_skip_return (callable);
  result->position = -1;
  gi_base_info_unref (type_info);
}

/* @name: as it is called.  NULL with an error that says why if it cannot be called. */
MaltGiFunction *
malt_gi_function_new (GIFunctionInfo  *info,
                      const char      *name,
                      GError         **error)
{
  g_autoptr (MaltGiFunction) self = g_new0 (MaltGiFunction, 1);
  g_autoptr (GError) reason = NULL;

  self->name = g_strdup (name);
  self->can_fail = gi_callable_info_can_throw_gerror (GI_CALLABLE_INFO (info));
  take_arguments (self, info);
  take_result (self, info);
  if (!take_lengths (self, error) || !check_values (self, error) ||
      !check_references (self, gi_base_info_get_name (GI_BASE_INFO (info)), error))
    return NULL;
  number_inputs (self);

  if (!gi_function_info_prep_invoker (info, &self->invoker, &reason))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "%s cannot be called: %s", name, reason->message);
      return NULL;
    }

  return g_steal_pointer (&self);
}

/* "GLib.base64_decode (text)", with what may be left out in brackets. */
char *
malt_gi_function_describe (const MaltGiFunction *self)
{
  GString *text = g_string_new (self->name);

  g_string_append (text, " (");
  for (guint i = 0; i < self->n_inputs; i++)
    {
      const MaltGiArgument *argument = &self->arguments[self->inputs[i]];

      g_string_append_printf (text, "%s%s%s%s", i > 0 ? ", " : "",
                              i >= self->n_required ? "[" : "", argument->name,
                              i >= self->n_required ? "]" : "");
    }
  g_string_append_c (text, ')');

  return g_string_free (text, FALSE);
}
