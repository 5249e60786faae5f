/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-type.h"

#include <string.h>

#include <gio/gio.h>

#include "malt-gi-number.h"

static MaltGiType *
type_new (void)
{
  MaltGiType *self = g_new0 (MaltGiType, 1);

  self->fixed_size = -1;
  self->length = -1;
  self->gtype = G_TYPE_NONE;
  return self;
}

static void G_GNUC_PRINTF (2, 3)
be_opaque (MaltGiType *self,
           const char *format,
           ...)
{
  va_list arguments;

  va_start (arguments, format);
  self->kind = MALT_GI_OPAQUE;
  g_clear_pointer (&self->name, g_free);
  self->name = g_strdup_vprintf (format, arguments);
  va_end (arguments);
}

static void
be_simple (MaltGiType *self,
           MaltGiKind  kind,
           GITypeTag   tag,
           gsize       size,
           const char *signature)
{
  self->kind = kind;
  self->tag = tag;
  self->size = size;
  self->name = g_strdup (gi_type_tag_to_string (tag));
  self->signature = g_strdup (signature);
}

static void
be_pointer (MaltGiType *self,
            MaltGiKind  kind,
            const char *name,
            const char *signature)
{
  self->kind = kind;
  self->tag = GI_TYPE_TAG_VOID;
  self->size = sizeof (gpointer);
  self->name = g_strdup (name);
  self->signature = g_strdup (signature);
}

static gsize
size_of (GITypeTag tag)
{
  switch ((int) tag)
    {
    case GI_TYPE_TAG_INT8: case GI_TYPE_TAG_UINT8: return 1;
    case GI_TYPE_TAG_INT16: case GI_TYPE_TAG_UINT16: return 2;
    case GI_TYPE_TAG_INT64: case GI_TYPE_TAG_UINT64: return 8;
    case GI_TYPE_TAG_DOUBLE: return sizeof (double);
    default: return 4;
    }
}

static void
be_enum (MaltGiType *self,
         GIEnumInfo *info)
{
  self->kind = MALT_GI_ENUM;
  self->tag = gi_enum_info_get_storage_type (info);
  self->size = size_of (self->tag);
  self->values = malt_gi_enum_new (info);
  self->name = g_strdup (self->values->name);
  self->signature = g_strdup (self->values->is_flags ? "as" : "s");
}

static void
clear_field (gpointer data)
{
  MaltGiField *field = data;

  g_free (field->name);
  malt_gi_type_free (field->type);
}

/* Whether it is a number, and so can be a field of a struct that has a value.  Others are not
 * looked into: a struct may have pointers to others of its kind.  A guint may be a few bits,
 * of which the typelib does not tell, and what comes after them is not where it says. */
static gboolean
is_plain (GITypeInfo *info)
{
  GITypeTag tag = gi_type_info_get_tag (info);
  GIBaseInfo *interface;
  gboolean is_enum;

  if (gi_type_info_is_pointer (info))
    return FALSE;
  if (tag != GI_TYPE_TAG_INTERFACE)
    return tag == GI_TYPE_TAG_BOOLEAN || tag == GI_TYPE_TAG_UNICHAR ||
           (GI_TYPE_TAG_IS_NUMERIC (tag) && tag != GI_TYPE_TAG_UINT32);

  interface = gi_type_info_get_interface (info);
  is_enum = GI_IS_ENUM_INFO (interface);
  gi_base_info_unref (interface);
  return is_enum;
}

static gboolean
take_field (MaltGiType  *self,
            GIFieldInfo *info,
            gsize        size)
{
  GITypeInfo *type_info = gi_field_info_get_type_info (info);
  gboolean is_good = is_plain (type_info) && gi_field_info_get_size (info) == 0 &&
                     (gi_field_info_get_flags (info) & GI_FIELD_IS_READABLE) != 0;

  if (is_good)
    {
      MaltGiField field = {
        g_strdup (gi_base_info_get_name (GI_BASE_INFO (info))),
        malt_gi_type_new (type_info),
        (gsize) gi_field_info_get_offset (info),
      };

      g_array_append_val (self->fields, field);
      is_good = field.offset <= size && field.type->size <= size - field.offset;
    }
  gi_base_info_unref (type_info);

  return is_good;
}

/* FALSE if one of the fields is private, or no number. */
static gboolean
take_fields (MaltGiType   *self,
             GIStructInfo *info)
{
  gsize size = gi_struct_info_get_size (info);
  guint n = gi_struct_info_get_n_fields (info);

  if (size == 0 || n == 0 || gi_struct_info_is_foreign (info) || gi_struct_info_is_gtype_struct (info))
    return FALSE;

  self->fields = g_array_new (FALSE, FALSE, sizeof (MaltGiField));
  g_array_set_clear_func (self->fields, clear_field);
  for (guint i = 0; i < n; i++)
    {
      GIFieldInfo *field_info = gi_struct_info_get_field (info, i);
      gboolean is_good = take_field (self, field_info, size);

      gi_base_info_unref (field_info);
      if (!is_good)
        return FALSE;
    }

  self->kind = MALT_GI_STRUCT;
  self->size = size;
  self->gtype = gi_registered_type_info_get_g_type (GI_REGISTERED_TYPE_INFO (info));
  if (!G_TYPE_IS_BOXED (self->gtype))
    self->gtype = G_TYPE_NONE;
  return TRUE;
}

static gboolean
is_named (GIBaseInfo *info,
          const char *namespace_,
          const char *name)
{
  return strcmp (gi_base_info_get_namespace (info), namespace_) == 0 &&
         strcmp (gi_base_info_get_name (info), name) == 0;
}

static void
be_interface (MaltGiType *self,
              GIBaseInfo *info)
{
  g_autofree char *name = g_strdup_printf ("%s.%s", gi_base_info_get_namespace (info),
                                           gi_base_info_get_name (info));

  if (GI_IS_ENUM_INFO (info))
    {
      be_enum (self, GI_ENUM_INFO (info));
      return;
    }

  be_pointer (self, MALT_GI_BOXED, name, NULL);
  self->boxed = malt_gi_boxed_find (gi_base_info_get_namespace (info), gi_base_info_get_name (info));
  if (self->boxed != NULL)
    self->signature = g_strdup (self->boxed->signature);
  else if (is_named (info, "GObject", "Value"))
    {
      self->kind = MALT_GI_VALUE;
      self->size = sizeof (GValue);
      self->signature = g_strdup ("v");
    }
  else if (is_named (info, "Gio", "Cancellable"))
    self->kind = MALT_GI_CANCELLABLE;
  else if (GI_IS_STRUCT_INFO (info) && take_fields (self, GI_STRUCT_INFO (info)))
    self->signature = g_strdup ("a{sv}");
  else if (GI_IS_CALLBACK_INFO (info))
    be_opaque (self, "a callback (%s)", name);
  else if (GI_IS_OBJECT_INFO (info) || GI_IS_INTERFACE_INFO (info))
    be_opaque (self, "an object (%s)", name);
  else
    be_opaque (self, "a structure without a value (%s)", name);
}

/* The type of what is in a container. */
static MaltGiType *
new_element (GITypeInfo *info,
             guint       n)
{
  GITypeInfo *element = gi_type_info_get_param_type (info, n);
  MaltGiType *self = malt_gi_type_new (element);

  if (self->kind == MALT_GI_STRUCT || self->kind == MALT_GI_VALUE)
    self->is_inline = !gi_type_info_is_pointer (element);
  gi_base_info_unref (element);

  return self;
}

/* Whether it can stand where a container has a pointer. */
static gboolean
fits_pointer (const MaltGiType *self,
              gboolean          in_hash)
{
  switch (self->kind)
    {
    case MALT_GI_INTEGER: case MALT_GI_FLOAT:
      /* Hash tables have pointers to those that may be larger; for lists nobody says. */
      return in_hash || (self->tag != GI_TYPE_TAG_INT64 && self->tag != GI_TYPE_TAG_UINT64 &&
                         self->kind != MALT_GI_FLOAT);
    case MALT_GI_ENUM:
      return self->size <= 4;
    default:
      return !self->is_inline || self->kind == MALT_GI_STRUCT || self->kind == MALT_GI_VALUE;
    }
}

/* What is in it decides whether the container has a value. */
static void
check_element (MaltGiType *self,
               MaltGiType *element,
               const char *container)
{
  if (self->kind == MALT_GI_OPAQUE)
    return;

  if (element->kind == MALT_GI_OPAQUE || element->kind == MALT_GI_VOID || element->kind == MALT_GI_CANCELLABLE)
    be_opaque (self, "%s of what has no value: %s", container,
               element->kind == MALT_GI_OPAQUE ? element->name : "an untyped pointer");
  else if (malt_gi_type_is_sequence (element) && element->kind == MALT_GI_C_ARRAY &&
           !element->is_terminated && element->fixed_size < 0)
    be_opaque (self, "%s of arrays whose lengths nobody knows", container);
  else if (self->kind != MALT_GI_C_ARRAY && self->kind != MALT_GI_ARRAY && self->kind != MALT_GI_BYTE_ARRAY &&
           !fits_pointer (element, self->kind == MALT_GI_HASH))
    be_opaque (self, "%s of %s, of which it is not known how they are kept", container, element->name);
}

static void
finish_sequence (MaltGiType *self,
                 GITypeInfo *info,
                 MaltGiKind  kind,
                 const char *container)
{
  g_autofree char *signature = NULL;
  g_autofree char *name = NULL;

  self->element = new_element (info, 0);
  if (kind != MALT_GI_C_ARRAY && kind != MALT_GI_ARRAY)
    self->element->is_inline = FALSE;

  name = g_strdup_printf ("%s of %s", container, self->element->name);
  signature = g_strdup_printf ("a%s", self->element->signature != NULL ? self->element->signature : "v");
  be_pointer (self, kind, name, signature);
  check_element (self, self->element, container);
}

static void
be_array (MaltGiType *self,
          GITypeInfo *info)
{
  guint length;
  gsize fixed_size;

  switch (gi_type_info_get_array_type (info))
    {
    case GI_ARRAY_TYPE_ARRAY:
      finish_sequence (self, info, MALT_GI_ARRAY, "a GArray");
      return;
    case GI_ARRAY_TYPE_PTR_ARRAY:
      finish_sequence (self, info, MALT_GI_PTR_ARRAY, "a GPtrArray");
      return;
    case GI_ARRAY_TYPE_BYTE_ARRAY:
      self->element = type_new ();
      be_simple (self->element, MALT_GI_INTEGER, GI_TYPE_TAG_UINT8, 1, "y");
      be_pointer (self, MALT_GI_BYTE_ARRAY, "a GByteArray", "ay");
      return;
    case GI_ARRAY_TYPE_C:
    default:
      break;
    }

  if (gi_type_info_get_array_length_index (info, &length))
    self->length = (int) length;
  if (gi_type_info_get_array_fixed_size (info, &fixed_size))
    self->fixed_size = (gssize) fixed_size;
  self->is_terminated = gi_type_info_is_zero_terminated (info);
  finish_sequence (self, info, MALT_GI_C_ARRAY, "an array");
}

static void
be_hash (MaltGiType *self,
         GITypeInfo *info)
{
  g_autofree char *name = NULL;
  g_autofree char *signature = NULL;

  self->key = new_element (info, 0);
  self->element = new_element (info, 1);
  self->key->is_inline = self->element->is_inline = FALSE;
  name = g_strdup_printf ("a GHashTable of %s and %s", self->key->name, self->element->name);
  signature = g_strdup_printf ("a{%s%s}", self->key->signature != NULL ? self->key->signature : "s",
                               self->element->signature != NULL ? self->element->signature : "v");
  be_pointer (self, MALT_GI_HASH, name, signature);

  check_element (self, self->key, "a GHashTable");
  check_element (self, self->element, "a GHashTable");
  if (self->kind != MALT_GI_OPAQUE && self->key->kind != MALT_GI_INTEGER && self->key->kind != MALT_GI_UTF8)
    be_opaque (self, "a GHashTable whose keys are neither text nor integers but %s", self->key->name);
}

static void
be_basic (MaltGiType *self,
          GITypeTag   tag)
{
  switch ((int) tag)
    {
    case GI_TYPE_TAG_BOOLEAN:
      be_simple (self, MALT_GI_BOOLEAN, tag, sizeof (gboolean), "b");
      break;
    case GI_TYPE_TAG_FLOAT: case GI_TYPE_TAG_DOUBLE:
      be_simple (self, MALT_GI_FLOAT, tag, size_of (tag), "d");
      break;
    case GI_TYPE_TAG_UNICHAR:
      be_simple (self, MALT_GI_UNICHAR, tag, sizeof (gunichar), "s");
      break;
    case GI_TYPE_TAG_UTF8:
      be_simple (self, MALT_GI_UTF8, tag, sizeof (gpointer), "s");
      break;
    case GI_TYPE_TAG_FILENAME:
      be_simple (self, MALT_GI_FILENAME, tag, sizeof (gpointer), "s");
      break;
    case GI_TYPE_TAG_GTYPE:
      be_opaque (self, "a GType");
      break;
    case GI_TYPE_TAG_VOID:
      be_opaque (self, "an untyped pointer");
      break;
    default:
      be_simple (self, MALT_GI_INTEGER, tag, size_of (tag), malt_gi_number_signature (tag));
      break;
    }
}

MaltGiType *
malt_gi_type_new (GITypeInfo *info)
{
  MaltGiType *self = type_new ();
  GITypeTag tag = gi_type_info_get_tag (info);

  switch (tag)
    {
    case GI_TYPE_TAG_ARRAY:
      be_array (self, info);
      break;
    case GI_TYPE_TAG_GLIST:
      finish_sequence (self, info, MALT_GI_LIST, "a GList");
      break;
    case GI_TYPE_TAG_GSLIST:
      finish_sequence (self, info, MALT_GI_SLIST, "a GSList");
      break;
    case GI_TYPE_TAG_GHASH:
      be_hash (self, info);
      break;
    case GI_TYPE_TAG_ERROR:
      be_pointer (self, MALT_GI_BOXED, "GLib.Error", malt_gi_boxed_error.signature);
      self->boxed = &malt_gi_boxed_error;
      break;
    case GI_TYPE_TAG_INTERFACE:
      {
        GIBaseInfo *interface = gi_type_info_get_interface (info);

        be_interface (self, interface);
        gi_base_info_unref (interface);
        break;
      }
    default:
      if (tag == GI_TYPE_TAG_VOID && !gi_type_info_is_pointer (info))
        {
          self->kind = MALT_GI_VOID;
          self->tag = tag;
          self->name = g_strdup ("void");
        }
      else
        {
          be_basic (self, tag);
        }
      break;
    }

  return self;
}

/* The type of the instance of a method. */
MaltGiType *
malt_gi_type_new_for (GIBaseInfo *info)
{
  MaltGiType *self = type_new ();

  be_interface (self, info);
  return self;
}

void
malt_gi_type_free (MaltGiType *self)
{
  g_clear_pointer (&self->element, malt_gi_type_free);
  g_clear_pointer (&self->key, malt_gi_type_free);
  g_clear_pointer (&self->values, malt_gi_enum_free);
  g_clear_pointer (&self->fields, g_array_unref);
  g_free (self->name);
  g_free (self->signature);
  g_free (self);
}

gboolean
malt_gi_type_is_sequence (const MaltGiType *self)
{
  return self->kind >= MALT_GI_C_ARRAY && self->kind <= MALT_GI_SLIST;
}

/* Whether its value is behind a pointer, which can be NULL. */
gboolean
malt_gi_type_is_pointer (const MaltGiType *self)
{
  return self->kind == MALT_GI_UTF8 || self->kind == MALT_GI_FILENAME || self->kind >= MALT_GI_C_ARRAY;
}
