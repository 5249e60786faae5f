/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-registry.h"

#include "malt-debug.h"
#include "malt-enum-types.h"
#include "malt-error.h"

/**
 * MaltModule:
 *
 * A backend or runtime that was found, whether or not it can be used.
 *
 * See [func@Malt.list_modules].
 *
 * Since: 1.0
 */
struct _MaltModule
{
  GObject parent_instance;

  /* Immutable once it is handed out. */
  MaltModuleKind  kind;
  char           *name;
  char           *path;
  GError         *error;
};

G_DEFINE_FINAL_TYPE (MaltModule, malt_module, G_TYPE_OBJECT)

static void
malt_module_finalize (GObject *object)
{
  MaltModule *self = MALT_MODULE (object);

  g_free (self->name);
  g_free (self->path);
  g_clear_error (&self->error);

  G_OBJECT_CLASS (malt_module_parent_class)->finalize (object);
}

static void
malt_module_class_init (MaltModuleClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = malt_module_finalize;
}

static void
malt_module_init (MaltModule *self)
{
}

/* Takes the error. */
MaltModule *
malt_module_new (MaltModuleKind  kind,
                 const char     *name,
                 const char     *path,
                 GError         *error)
{
  MaltModule *self = g_object_new (MALT_TYPE_MODULE, NULL);

  self->kind = kind;
  self->name = g_strdup (name);
  self->path = g_strdup (path);
  self->error = error;

  return self;
}

/**
 * malt_module_get_kind:
 * @self: a module
 *
 * Gets whether it is a backend or a runtime.
 *
 * Returns: the kind
 *
 * Since: 1.0
 */
MaltModuleKind
malt_module_get_kind (MaltModule *self)
{
  g_return_val_if_fail (MALT_IS_MODULE (self), MALT_MODULE_KIND_BACKEND);

  return self->kind;
}

/**
 * malt_module_get_name:
 * @self: a module
 *
 * Gets the name by which a launcher chooses it.
 *
 * Returns: (transfer none): the name
 *
 * Since: 1.0
 */
const char *
malt_module_get_name (MaltModule *self)
{
  g_return_val_if_fail (MALT_IS_MODULE (self), NULL);

  return self->name;
}

/**
 * malt_module_get_path:
 * @self: a module
 *
 * Gets the file that it was or would be loaded from.
 *
 * Returns: (transfer none) (nullable) (type filename): the path, or %NULL if the program
 *   registered it itself
 *
 * Since: 1.0
 */
const char *
malt_module_get_path (MaltModule *self)
{
  g_return_val_if_fail (MALT_IS_MODULE (self), NULL);

  return self->path;
}

/**
 * malt_module_get_error:
 * @self: a module
 *
 * Gets why it cannot be used.
 *
 * Returns: (transfer none) (nullable): the error, or %NULL if it can be used
 *
 * Since: 1.0
 */
const GError *
malt_module_get_error (MaltModule *self)
{
  g_return_val_if_fail (MALT_IS_MODULE (self), NULL);

  return self->error;
}

/**
 * malt_list_modules:
 *
 * Lists the backends and runtimes that can be found: in the directories of
 * `MALT_MODULE_PATH`, in the library's own directory, and registered by the program.
 * Each is loaded, to see whether it can be.
 *
 * Blocks while it reads directories and loads modules.
 *
 * Returns: (transfer full): a list of [class@Malt.Module], backends first, in
 *   alphabetical order
 *
 * Since: 1.0
 */
GListModel *
malt_list_modules (void)
{
  GListStore *store = g_list_store_new (MALT_TYPE_MODULE);

  malt_registry_list (store);

  return G_LIST_MODEL (store);
}
