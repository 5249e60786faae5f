/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-json-read.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "malt-json-check.h"

/* JSON to values, by the table in docs/command.md. */

static GVariant *value_from_node (JsonNode  *node,
                                  GError   **error);

static GVariant *
value_from_scalar (JsonNode *node)
{
  switch (json_node_get_value_type (node))
    {
    case G_TYPE_INT64:
      return g_variant_new_int64 (json_node_get_int (node));
    case G_TYPE_DOUBLE:
      return g_variant_new_double (json_node_get_double (node));
    case G_TYPE_BOOLEAN:
      return g_variant_new_boolean (json_node_get_boolean (node));
    case G_TYPE_STRING:
      return g_variant_new_string (json_node_get_string (node));
    default:
      g_assert_not_reached ();
    }
}

/* What an array becomes one of, if all its elements are of the same kind. */
static const GVariantType *
element_type (JsonArray *array)
{
  GType type = G_TYPE_INVALID;
  guint i;

  for (i = 0; i < json_array_get_length (array); i++)
    {
      JsonNode *node = json_array_get_element (array, i);

      if (!JSON_NODE_HOLDS_VALUE (node))
        return G_VARIANT_TYPE_VARIANT;
      if (type != G_TYPE_INVALID && json_node_get_value_type (node) != type)
        return G_VARIANT_TYPE_VARIANT;
      type = json_node_get_value_type (node);
    }

  switch (type)
    {
    case G_TYPE_INT64:
      return G_VARIANT_TYPE_INT64;
    case G_TYPE_DOUBLE:
      return G_VARIANT_TYPE_DOUBLE;
    case G_TYPE_STRING:
      return G_VARIANT_TYPE_STRING;
    default:
      return G_VARIANT_TYPE_VARIANT;
    }
}

static GVariant *
value_from_array (JsonArray  *array,
                  GError    **error)
{
  const GVariantType *type = element_type (array);
  g_autoptr (GVariantType) array_type = g_variant_type_new_array (type);
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (array_type);
  guint i;

  for (i = 0; i < json_array_get_length (array); i++)
    {
      GVariant *element = value_from_node (json_array_get_element (array, i), error);

      if (element == NULL)
        return NULL;
      if (g_variant_type_equal (type, G_VARIANT_TYPE_VARIANT))
        element = g_variant_new_variant (element);
      g_variant_builder_add_value (&builder, element);
    }

  return g_variant_builder_end (&builder);
}

static gboolean
is_base64 (const char *text)
{
  gsize length = strlen (text);
  gsize digits = strspn (text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

  return length % 4 == 0 && length - digits <= 2 && strspn (text + digits, "=") == length - digits;
}

/* {"$bytes": "aGVsbG8="} */
static GVariant *
value_from_bytes (JsonNode  *member,
                  GError   **error)
{
  const char *text = NULL;
  guchar *data;
  gsize length;

  if (JSON_NODE_HOLDS_VALUE (member) && json_node_get_value_type (member) == G_TYPE_STRING)
    text = json_node_get_string (member);

  if (text == NULL || !is_base64 (text))
    {
      g_set_error_literal (error, JSON_PARSER_ERROR, JSON_PARSER_ERROR_INVALID_DATA,
                           "has a \"$bytes\" that is not a string in base64");
      return NULL;
    }

  data = g_base64_decode (text, &length);
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, length, TRUE, g_free, data);
}

static GVariant *
value_from_object (JsonObject  *object,
                   GError     **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  JsonObjectIter iter;
  const char *name;
  JsonNode *member;

  if (json_object_get_size (object) == 1 && json_object_has_member (object, "$bytes"))
    return value_from_bytes (json_object_get_member (object, "$bytes"), error);

  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &name, &member))
    {
      GVariant *value = value_from_node (member, error);

      if (value == NULL)
        return NULL;
      g_variant_builder_add (&builder, "{sv}", name, value);
    }

  return g_variant_builder_end (&builder);
}

static GVariant *
value_from_node (JsonNode  *node,
                 GError   **error)
{
  switch (json_node_get_node_type (node))
    {
    case JSON_NODE_NULL:
      return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
    case JSON_NODE_ARRAY:
      return value_from_array (json_node_get_array (node), error);
    case JSON_NODE_OBJECT:
      return value_from_object (json_node_get_object (node), error);
    case JSON_NODE_VALUE:
    default:
      return value_from_scalar (node);
    }
}

/* Makes a value, which is floating, of a JSON text. */
GVariant *
malt_json_read (const char  *text,
                GError     **error)
{
  g_autoptr (JsonNode) root = NULL;

  if (!malt_json_check (text, error))
    return NULL;

  root = json_from_string (text, error);
  if (root == NULL)
    return NULL;

  return value_from_node (root, error);
}
