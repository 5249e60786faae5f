/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-options.h"

#include <glib/gstdio.h>

/* The options of the runtime:
 *
 * - `virtual-environment` (`s`): the directory of a virtual environment, whose packages
 *   the worker uses.  It must be for the version of Python that the runtime embeds.
 * - `objects` (`s`): what becomes of values that only Python has: `refuse`, `tag` for the
 *   forms that another Python understands, or `pickle` for any object as well.
 * - `buffers` (`s`): what arrays of numbers become in Python: `copy`, or `view` for a
 *   memoryview of what was received. */

static gboolean
parse_buffers (MaltPythonOptions  *self,
               const char         *text,
               GError            **error)
{
  self->values &= ~(guint) MALT_PYTHON_VALUES_VIEWS;
  if (g_str_equal (text, "copy"))
    return TRUE;

  self->values |= MALT_PYTHON_VALUES_VIEWS;
  if (g_str_equal (text, "view"))
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "the option 'buffers' of the Python runtime is '%s', neither 'copy' nor 'view'", text);
  return FALSE;
}

static gboolean
parse_objects (MaltPythonOptions  *self,
               const char         *text,
               GError            **error)
{
  self->values &= MALT_PYTHON_VALUES_VIEWS;
  if (g_str_equal (text, "refuse"))
    return TRUE;

  self->values |= MALT_PYTHON_VALUES_OBJECTS | MALT_PYTHON_VALUES_IMPORT;
  if (g_str_equal (text, "tag"))
    return TRUE;

  self->values |= MALT_PYTHON_VALUES_PICKLE;
  if (g_str_equal (text, "pickle"))
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "the option 'objects' of the Python runtime is '%s', none of 'refuse', 'tag' and 'pickle'", text);
  return FALSE;
}

/* FALSE with @error set if there is an option that is not known, or not of its type. */
gboolean
malt_python_options_parse (MaltPythonOptions  *self,
                           GVariant           *options,
                           GError            **error)
{
  GVariantIter iter;
  const char *name;
  GVariant *value;

  if (options == NULL)
    return TRUE;

  if (!g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "the options of the Python runtime are of type '%s', not 'a{sv}'",
                   g_variant_get_type_string (options));
      return FALSE;
    }

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) owned G_GNUC_UNUSED = value;

      if (!g_str_equal (name, "virtual-environment") && !g_str_equal (name, "buffers") &&
          !g_str_equal (name, "objects"))
        {
          g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                       "the Python runtime has no option '%s'", name);
          return FALSE;
        }
      if (!g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                       "the option '%s' of the Python runtime is of type '%s', not 's'",
                       name, g_variant_get_type_string (value));
          return FALSE;
        }

      if (g_str_equal (name, "buffers"))
        {
          if (!parse_buffers (self, g_variant_get_string (value, NULL), error))
            return FALSE;
          continue;
        }

      if (g_str_equal (name, "objects"))
        {
          if (!parse_objects (self, g_variant_get_string (value, NULL), error))
            return FALSE;
          continue;
        }

      g_free (self->virtual_environment);
      self->virtual_environment = g_variant_dup_string (value, NULL);
    }

  return TRUE;
}

void
malt_python_options_clear (MaltPythonOptions *self)
{
  g_clear_pointer (&self->virtual_environment, g_free);
}
