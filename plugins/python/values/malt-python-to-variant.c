/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-to-variant.h"

#include <string.h>

#include "malt-python-array.h"
#include "malt-python-buffer.h"
#include "malt-python-conversion.h"
#include "malt-python-tag.h"

/* From Python to GVariant, as docs/values.md has it.
 *
 * What is made must not be deeper, nor of a longer type, than a manager accepts.  A
 * function here returns a floating reference, or %NULL with an exception set, or %NULL
 * with MaltConversion.reason set. */

/* Containers inside each other in a message, less those around the value: a variant; of an argument
 * those of `(sva{sv})`, the variant and the tuple of all, or the dictionary of the keywords. */
#define MAX_DEPTH          31
#define MAX_ARGUMENT_DEPTH 29
#define MAX_KEYWORD_DEPTH  28
/* The length of a type. */
#define MAX_TYPE_STRING    255
/* Python containers inside each other: no more can fit, and it ends what contains
 * itself. */
#define MAX_NESTING        32

static GVariant *convert (MaltConversion *self,
                          PyObject       *object,
                          guint          *depth);

/* Values of types that GVariant has not, for another Python. */

/* What stands for a value, with its tag.  Takes both. */
static GVariant *
make_tagged (MaltConversion *self,
             char           *tag,
             PyObject       *content,
             guint          *depth)
{
  g_autofree char *own_tag = tag;
  g_autoptr (PyObject) own_content G_GNUC_UNUSED = content;
  GVariant *value;

  if (self->nesting >= MAX_NESTING)
    return malt_conversion_refuse (self, "cannot send a value that nests more than %d containers or contains "
                                   "itself", MAX_NESTING);

  self->nesting++;
  value = convert (self, content, depth);
  self->nesting--;
  if (value == NULL)
    return NULL;

  *depth += 2;
  if (*depth > self->max_depth)
    {
      g_variant_unref (value);
      return malt_conversion_refuse (self, "cannot send a value that is %u containers deep (limit %u)", *depth,
                                     self->max_depth);
    }

  return g_variant_new ("(ov)", own_tag, value);
}

/* %NULL with an exception set, or without if there is no such form. */
static GVariant *
convert_tagged (MaltConversion *self,
                PyObject       *object,
                gboolean        only_special,
                guint          *depth)
{
  PyObject *content = NULL;
  char *tag = NULL;

  if ((self->how & MALT_PYTHON_VALUES_OBJECTS) == 0 || !malt_python_tag_encode (object, only_special, &tag, &content) ||
      tag == NULL)
    return NULL;

  /* There is a form: that the usual one is impossible does not matter. */
  g_clear_pointer (&self->reason, g_free);
  return make_tagged (self, tag, content, depth);
}

/* Scalars */

static GVariant *
convert_int (MaltConversion *self,
             PyObject       *object)
{
  int overflow;
  long long number = PyLong_AsLongLongAndOverflow (object, &overflow);
  unsigned long long large;

  if (overflow == 0)
    return number == -1 && PyErr_Occurred () ? NULL : g_variant_new_int64 (number);

  if (overflow > 0)
    {
      large = PyLong_AsUnsignedLongLong (object);
      if (large != (unsigned long long) -1 || !PyErr_Occurred ())
        return g_variant_new_uint64 (large);
      PyErr_Clear ();
    }

  return malt_conversion_refuse (self, "cannot send an integer %s",
                                 overflow > 0 ? "of more than 64 bits" : "below -2**63");
}

static GVariant *
convert_str (MaltConversion *self,
             PyObject       *object)
{
  Py_ssize_t size;
  const char *text;

  text = malt_conversion_get_text (self, object, &size);
  return text != NULL ? g_variant_new_take_string (g_strndup (text, (gsize) size)) : NULL;
}

/* Containers */

/* The elements that have been converted so far. */
typedef struct
{
  GPtrArray *values; /* floating */
  guint      depth;  /* of the deepest */
} Children;

static void
drop_floating (gpointer value)
{
  g_variant_unref (value);
}

static void
children_init (Children  *self,
               Py_ssize_t n)
{
  self->values = g_ptr_array_new_full ((guint) MIN (n, 1024), drop_floating);
  self->depth = 0;
}

static gboolean
children_add (Children       *self,
              MaltConversion *conversion,
              PyObject       *object)
{
  guint depth = 0;
  GVariant *value;

  /* The list may lose it while code of the user runs. */
  Py_INCREF (object);
  value = convert (conversion, object, &depth);
  Py_DECREF (object);
  if (value == NULL)
    return FALSE;

  g_ptr_array_add (self->values, value);
  self->depth = MAX (self->depth, depth);
  return TRUE;
}

static void
children_clear (Children *self)
{
  g_clear_pointer (&self->values, g_ptr_array_unref);
}

/* Gives the children to what is made of them. */
static GVariant **
children_steal (Children *self,
                gsize    *n)
{
  return (GVariant **) g_ptr_array_steal (self->values, n);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Children, children_clear)

static gboolean
have_one_type (const Children *children)
{
  const GVariantType *type = g_variant_get_type (g_ptr_array_index (children->values, 0));
  guint i;

  if (g_variant_type_get_string_length (type) >= MAX_TYPE_STRING)
    return FALSE;

  for (i = 1; i < children->values->len; i++)
    if (!g_variant_is_of_type (g_ptr_array_index (children->values, i), type))
      return FALSE;

  return TRUE;
}

static GVariant *
convert_mixed_list (MaltConversion *self,
                    PyObject       *list,
                    guint          *depth)
{
  g_auto (Children) children = { NULL, 0 };
  g_autofree GVariant **values = NULL;
  gboolean one_type;
  Py_ssize_t i;
  gsize n, j;

  children_init (&children, PyList_GET_SIZE (list));
  for (i = 0; i < PyList_GET_SIZE (list); i++)
    if (!children_add (&children, self, PyList_GET_ITEM (list, i)))
      {
        malt_conversion_at_index (self, i);
        return NULL;
      }

  if (children.values->len == 0)
    {
      *depth = 2;
      return g_variant_new_array (G_VARIANT_TYPE_VARIANT, NULL, 0);
    }

  one_type = have_one_type (&children);
  *depth = children.depth + (one_type ? 1 : 2);
  values = children_steal (&children, &n);
  if (!one_type)
    for (j = 0; j < n; j++)
      values[j] = g_variant_new_variant (values[j]);

  return g_variant_new_array (one_type ? NULL : G_VARIANT_TYPE_VARIANT, values, n);
}

static GVariant *
convert_list (MaltConversion *self,
              PyObject       *list,
              guint          *depth)
{
  PyObject *first = PyList_GET_SIZE (list) > 0 ? PyList_GET_ITEM (list, 0) : NULL;
  GVariant *value = NULL;

  *depth = 1;
  if (first == NULL)
    ;
  else if (PyBool_Check (first))
    value = malt_conversion_of_bools (list);
  else if (PyLong_Check (first))
    value = malt_conversion_of_ints (self, list);
  else if (PyFloat_Check (first))
    value = malt_conversion_of_floats (list);
  else if (PyUnicode_Check (first))
    value = malt_conversion_of_strs (self, list);

  if (value != NULL || self->reason != NULL || PyErr_Occurred ())
    return value;

  return convert_mixed_list (self, list, depth);
}

static GVariant *
convert_tuple (MaltConversion *self,
               PyObject       *tuple,
               guint          *depth)
{
  g_auto (Children) children = { NULL, 0 };
  g_autofree GVariant **values = NULL;
  Py_ssize_t i;
  gsize n, length = 2;

  children_init (&children, PyTuple_GET_SIZE (tuple));
  for (i = 0; i < PyTuple_GET_SIZE (tuple); i++)
    {
      if (!children_add (&children, self, PyTuple_GET_ITEM (tuple, i)))
        {
          malt_conversion_at_index (self, i);
          return NULL;
        }

      length += strlen (g_variant_get_type_string (g_ptr_array_index (children.values, i)));
      if (length > MAX_TYPE_STRING && (self->how & MALT_PYTHON_VALUES_OBJECTS) != 0)
        return convert_tagged (self, tuple, FALSE, depth);
      if (length > MAX_TYPE_STRING)
        return malt_conversion_refuse (self, "cannot send a tuple of %" G_GSSIZE_FORMAT " values, the type of which "
                                       "is longer than %d characters; a list has no such limit",
                                       (gssize) PyTuple_GET_SIZE (tuple), MAX_TYPE_STRING);
    }

  *depth = children.depth + 1;
  values = children_steal (&children, &n);
  return g_variant_new_tuple (values, n);
}

static GVariant *
convert_key (MaltConversion *self,
             PyObject       *key)
{
  GVariant *value;

  if (PyUnicode_Check (key))
    return convert_str (self, key);

  if (!PyLong_Check (key) || PyBool_Check (key))
    return malt_conversion_refuse (self, "cannot send a dictionary with a key of type '%s'", Py_TYPE (key)->tp_name);

  value = convert_int (self, key);
  if (value != NULL && !g_variant_is_of_type (value, G_VARIANT_TYPE_INT64))
    {
      g_variant_unref (value);
      return malt_conversion_refuse (self, "cannot send a dictionary with an integer key of more than 63 bits");
    }

  return value;
}

/* Whether all keys are texts, or all numbers, that GVariant can hold. */
static gboolean
has_plain_keys (MaltConversion *self,
                PyObject       *dict)
{
  gboolean ints = FALSE, texts = FALSE;
  PyObject *key, *item;
  Py_ssize_t position = 0, size;
  int overflow;

  while (PyDict_Next (dict, &position, &key, &item))
    {
      if (malt_conversion_is_special (self, key))
        return FALSE;

      if (PyUnicode_Check (key))
        {
          texts = TRUE;
          if (malt_conversion_get_text (self, key, &size) == NULL)
            {
              g_clear_pointer (&self->reason, g_free);
              return FALSE;
            }
        }
      else if (PyLong_Check (key) && !PyBool_Check (key))
        {
          ints = TRUE;
          PyLong_AsLongLongAndOverflow (key, &overflow);
          if (overflow != 0)
            return FALSE;
        }
      else
        return FALSE;
    }

  return !ints || !texts;
}

static GVariant *
convert_dict (MaltConversion *self,
              PyObject       *dict,
              guint          *depth)
{
  g_auto (Children) children = { NULL, 0 };
  g_autoptr (PyObject) items = NULL;
  g_autofree GVariant **values = NULL;
  const char *type = "{sv}";
  gboolean int_keys = FALSE;
  Py_ssize_t n, i;
  gsize n_values;

  /* A copy, made without asking a subclass: converting may run code that changes it. */
  items = PyDict_Items (dict);
  if (items == NULL)
    return NULL;
  n = PyList_GET_SIZE (items);

  children_init (&children, n);
  for (i = 0; i < n; i++)
    {
      PyObject *key = PyTuple_GET_ITEM (PyList_GET_ITEM (items, i), 0);
      PyObject *item = PyTuple_GET_ITEM (PyList_GET_ITEM (items, i), 1);
      gboolean int_key = !PyUnicode_Check (key);
      GVariant *key_value = convert_key (self, key);
      GVariant **last;

      if (key_value == NULL)
        return NULL;

      if (i == 0)
        {
          int_keys = int_key;
          type = int_keys ? "{xv}" : "{sv}";
        }
      else if (int_key != int_keys)
        {
          g_variant_unref (key_value);
          return malt_conversion_refuse (self, "cannot send a dictionary with keys of different types");
        }

      if (!children_add (&children, self, item))
        {
          g_variant_unref (key_value);
          malt_conversion_at_key (self, "key", key);
          return NULL;
        }

      last = (GVariant **) &g_ptr_array_index (children.values, children.values->len - 1);
      *last = g_variant_new_dict_entry (key_value, g_variant_new_variant (*last));
    }

  *depth = children.depth + 3;
  values = children_steal (&children, &n_values);
  return g_variant_new_array (G_VARIANT_TYPE (type), values, n_values);
}

static GVariant *
convert_container (MaltConversion *self,
                   PyObject       *object,
                   guint          *depth)
{
  GVariant *value;

  if (self->nesting >= MAX_NESTING)
    return malt_conversion_refuse (self, "cannot send a value that nests more than %d containers or contains "
                                   "itself", MAX_NESTING);

  self->nesting++;
  if (PyList_Check (object))
    value = convert_list (self, object, depth);
  else if (PyTuple_Check (object))
    value = convert_tuple (self, object, depth);
  else if ((self->how & MALT_PYTHON_VALUES_OBJECTS) != 0 && !has_plain_keys (self, object))
    value = convert_tagged (self, object, FALSE, depth);
  else
    value = convert_dict (self, object, depth);
  self->nesting--;

  if (value != NULL && *depth > self->max_depth)
    {
      g_variant_unref (value);
      return malt_conversion_refuse (self, "cannot send a value that is %u containers deep (limit %u; a dictionary "
                                     "counts as three, a list of different types and None as two; text, such as "
                                     "json.dumps() makes, has no such limit)", *depth, self->max_depth);
    }

  return value;
}

/* Whether another Python gets the same from the form that is for everybody: a number that has
 * the buffer protocol, or bytes. */
static gboolean
is_plain_buffer (PyObject *object)
{
  Py_buffer view;
  gboolean plain;

  if (PyObject_GetBuffer (object, &view, PyBUF_FULL_RO) < 0)
    {
      PyErr_Clear ();
      return FALSE;
    }

  plain = (view.ndim == 0 && !g_str_equal (Py_TYPE (object)->tp_name, "numpy.ndarray")) ||
          (PyMemoryView_Check (object) && view.ndim == 1 && view.itemsize == 1 &&
           (view.format == NULL || g_str_equal (view.format, "B")));
  PyBuffer_Release (&view);

  return plain;
}

static GVariant *
convert_other (MaltConversion *self,
               PyObject       *object,
               guint          *depth)
{
  g_autofree char *problem = NULL;
  g_autoptr (PyObject) number = NULL;
  gboolean is_buffer = PyObject_CheckBuffer (object);
  GVariant *value;

  if ((self->how & MALT_PYTHON_VALUES_OBJECTS) != 0)
    {
      is_buffer = is_buffer && is_plain_buffer (object);
      if (PyObject_CheckBuffer (object) && !is_buffer)
        {
          *depth = 2;
          value = malt_python_array_to_variant (object, self->how);
          if (value != NULL || PyErr_Occurred ())
            return value;
        }

      value = convert_tagged (self, object, FALSE, depth);
      if (value != NULL || self->reason != NULL || PyErr_Occurred ())
        return value;
    }

  if (is_buffer)
    {
      value = malt_python_buffer_to_variant (object, (self->how & MALT_PYTHON_VALUES_SHARE) != 0, depth, &problem);
      if (value == NULL && problem != NULL)
        return malt_conversion_refuse (self, "cannot send a value of type '%s': %s", Py_TYPE (object)->tp_name,
                                       problem);
      return value;
    }

  /* Arrays of several numbers say that they are one, too. */
  if (PyIndex_Check (object) && !PyObject_CheckBuffer (object))
    {
      number = PyNumber_Index (object);
      return number != NULL ? convert (self, number, depth) : NULL;
    }

  return malt_conversion_refuse (self, "cannot send a value of type '%s'", Py_TYPE (object)->tp_name);
}

static GVariant *
convert (MaltConversion *self,
         PyObject       *object,
         guint          *depth)
{
  GVariant *value;

  *depth = 0;

  if (object == Py_None)
    {
      *depth = 2;
      return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
    }
  if (PyBool_Check (object))
    return g_variant_new_boolean (object == Py_True);
  if (malt_conversion_is_special (self, object))
    {
      value = convert_tagged (self, object, TRUE, depth);
      if (value != NULL || self->reason != NULL || PyErr_Occurred ())
        return value;
    }
  if (PyFloat_Check (object))
    return g_variant_new_double (PyFloat_AS_DOUBLE (object));
  if (PyLong_Check (object) || PyUnicode_Check (object))
    {
      value = PyLong_Check (object) ? convert_int (self, object) : convert_str (self, object);
      return value != NULL || self->reason == NULL ? value : convert_tagged (self, object, FALSE, depth);
    }
  if (PyList_Check (object) || PyTuple_Check (object) || PyDict_Check (object))
    return convert_container (self, object, depth);
  if (PyBytes_Check (object))
    {
      *depth = 1;
      return malt_python_bytes_to_variant (object, (self->how & MALT_PYTHON_VALUES_SHARE) != 0);
    }

  return convert_other (self, object, depth);
}

/* The values that calls give most often, made once and kept.  %NULL if it is none. */
static GVariant *
get_kept (PyObject *object)
{
  static GVariant *nothing, *booleans[2], *numbers[256]; /* guarded by the GIL */
  GVariant **kept;
  int overflow = 0;
  long number = -1;

  if (object == Py_None)
    kept = &nothing;
  else if (PyBool_Check (object))
    kept = &booleans[object == Py_True];
  else if (PyLong_CheckExact (object) &&
           (number = PyLong_AsLongAndOverflow (object, &overflow)) >= 0 &&
           number < (long) G_N_ELEMENTS (numbers) && overflow == 0)
    kept = &numbers[number];
  else
    return NULL;

  if (*kept == NULL)
    {
      if (object == Py_None)
        *kept = g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
      else if (PyBool_Check (object))
        *kept = g_variant_new_boolean (object == Py_True);
      else
        *kept = g_variant_new_int64 (number);

      g_variant_ref_sink (*kept);
      g_variant_get_data (*kept);
    }

  return *kept;
}

/* An argument or result: what cannot cross otherwise does so by pickle, as a whole. */
static GVariant *
convert_whole (MaltConversion *self,
               PyObject       *object,
               guint          *depth)
{
  GVariant *value = convert (self, object, depth);
  char *tag = NULL;
  PyObject *content = NULL;

  if (value != NULL || (self->how & MALT_PYTHON_VALUES_PICKLE) == 0 || PyErr_Occurred ())
    return value;

  if (malt_python_tag_pickle (object, &tag, &content, &self->problem))
    {
      g_clear_pointer (&self->reason, g_free);
      if (self->where != NULL)
        g_string_free (g_steal_pointer (&self->where), TRUE);
      return make_tagged (self, tag, content, depth);
    }

  return NULL;
}

/* Those that are kept are not floating and stay. */
static void
drop_argument (GVariant *value)
{
  if (g_variant_is_floating (value))
    g_variant_unref (value);
}

/* Returns a floating reference, or one that stays with this function's; or %NULL with
 * @error set if there is no form in which the object could cross, or with an exception
 * set if its own code has failed.  GIL held. */
GVariant *
malt_python_to_variant (PyObject        *object,
                        MaltPythonValues how,
                        GError         **error)
{
  MaltConversion self = { .how = how, .max_depth = MAX_DEPTH };
  guint depth;
  GVariant *value = get_kept (object);

  if (value != NULL)
    return value;

  value = convert_whole (&self, object, &depth);
  malt_conversion_finish (&self, value == NULL, error);

  return value;
}

/* The same for the positional arguments of a call, which become a tuple.  The first
 * @n_hidden are none that the caller knows of, but what its function refers to. */
GVariant *
malt_python_arguments_to_variant (PyObject *const *arguments,
                                  Py_ssize_t       n_arguments,
                                  Py_ssize_t       n_hidden,
                                  MaltPythonValues how,
                                  GError         **error)
{
  MaltConversion self = { .how = how, .max_depth = MAX_ARGUMENT_DEPTH };
  GVariant *on_stack[8], **values = on_stack;
  g_autofree GVariant **on_heap = NULL;
  GVariant *result = NULL;
  Py_ssize_t i, n = 0;
  guint depth;
  gsize length = 2;

  if (n_arguments > (Py_ssize_t) G_N_ELEMENTS (on_stack))
    values = on_heap = g_new (GVariant *, n_arguments);

  for (i = 0; i < n_arguments; i++)
    {
      GVariant *value = get_kept (arguments[i]);

      if (value == NULL)
        value = convert_whole (&self, arguments[i], &depth);
      if (value == NULL)
        {
          g_autofree char *number = g_strdup_printf ("%" G_GSSIZE_FORMAT, (gssize) (i + 1 - n_hidden));

          if (i < n_hidden)
            malt_conversion_at (&self, "what the function", "refers to");
          else
            malt_conversion_at (&self, "argument", number);
          break;
        }
      values[n++] = value;

      length += strlen (g_variant_get_type_string (value));
      if (length > MAX_TYPE_STRING)
        {
          malt_conversion_refuse (&self, "cannot send %" G_GSSIZE_FORMAT " arguments, the type of which is longer "
                                  "than %d characters; a list has no such limit", (gssize) n_arguments,
                                  MAX_TYPE_STRING);
          break;
        }
    }

  if (i == n_arguments)
    result = g_variant_new_tuple (values, (gsize) n);
  else
    while (n > 0)
      drop_argument (values[--n]);
  malt_conversion_finish (&self, result == NULL, error);

  return result;
}

/* The same for the keyword arguments of a call, a dictionary with str keys. */
GVariant *
malt_python_keywords_to_variant (PyObject        *keywords,
                                 MaltPythonValues how,
                                 GError         **error)
{
  MaltConversion self = { .how = how, .max_depth = MAX_KEYWORD_DEPTH };
  g_autoptr (PyObject) items = PyDict_Items (keywords);
  GVariantBuilder builder;
  GVariant *value = NULL;
  guint depth;
  Py_ssize_t i;

  if (items == NULL)
    return NULL;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (i = 0; i < PyList_GET_SIZE (items); i++)
    {
      PyObject *name = PyTuple_GET_ITEM (PyList_GET_ITEM (items, i), 0);
      PyObject *item = PyTuple_GET_ITEM (PyList_GET_ITEM (items, i), 1);
      GVariant *item_value = convert_whole (&self, item, &depth);
      Py_ssize_t size;
      const char *text = item_value != NULL ? malt_conversion_get_text (&self, name, &size) : NULL;

      if (item_value == NULL)
        malt_conversion_at_key (&self, "argument", name);
      else if (text != NULL)
        g_variant_builder_add (&builder, "{sv}", text, item_value);
      else
        drop_argument (item_value);
      if (text == NULL)
        break;
    }

  if (i == PyList_GET_SIZE (items))
    value = g_variant_builder_end (&builder);
  else
    g_variant_builder_clear (&builder);
  malt_conversion_finish (&self, value == NULL, error);

  return value;
}
