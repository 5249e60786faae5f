/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#include <unistd.h>

#define NO_IMPORT_PYGOBJECT
#include <pygobject.h>

/* A copy of the program that os.fork() has made.
 *
 * The library's threads are not in it, and what it shares with the workers belongs to the
 * first process.  So nothing of the library may be used there, and nothing may end: the end
 * of a worker's object would end the worker, and that of a channel's would be told it. */

static gboolean is_copy; /* guarded by the GIL */

/* Guarded by noted_lock: the workers, pools and channels that Python knows, not owned. */
static GMutex noted_lock;
static GHashTable *noted;

gboolean
malt_binding_is_own_process (void)
{
  return !is_copy;
}

/* FALSE with an exception set. */
gboolean
malt_binding_check_process (void)
{
  if (G_LIKELY (!is_copy))
    return TRUE;

  PyErr_Format (PyExc_RuntimeError,
                "process %ld was forked from the one that uses libmalt, and cannot use it; start processes with "
                "multiprocessing's method 'spawn', or fork before the first worker is started", (long) getpid ());
  return FALSE;
}

PyObject *
malt_binding_check_process_method (PyObject *module,
                                   PyObject *unused)
{
  return malt_binding_check_process () ? Py_NewRef (Py_None) : NULL;
}

static void
gone_cb (gpointer  user_data,
         GObject  *object)
{
  g_mutex_lock (&noted_lock);
  g_hash_table_remove (noted, object);
  g_mutex_unlock (&noted_lock);
}

/* Remembers an object as long as it lives. */
void
malt_binding_note (GObject *object)
{
  g_mutex_lock (&noted_lock);
  if (noted == NULL)
    noted = g_hash_table_new (NULL, NULL);
  if (g_hash_table_add (noted, object))
    g_object_weak_ref (object, gone_cb, NULL);
  g_mutex_unlock (&noted_lock);
}

static PyObject *
note (gpointer object)
{
  if (object == NULL)
    return NULL;

  malt_binding_note (object);
  Py_RETURN_NONE;
}

PyObject *
malt_binding_note_worker (PyObject *module,
                          PyObject *object)
{
  return note (malt_binding_get_worker (object));
}

/* The same for a pool. */
PyObject *
malt_binding_note_pool (PyObject *module,
                        PyObject *object)
{
  return note (malt_binding_get_pool (object));
}

/* Before a fork, so that the tables are whole in the copy. */
PyObject *
malt_binding_before_fork (PyObject *module,
                          PyObject *unused)
{
  Py_BEGIN_ALLOW_THREADS
  g_mutex_lock (&noted_lock);
  Py_END_ALLOW_THREADS

  Py_RETURN_NONE;
}

PyObject *
malt_binding_after_fork (PyObject *module,
                         PyObject *in_child)
{
  GHashTableIter iter;
  gpointer object;

  if (in_child == Py_True)
    {
      is_copy = noted != NULL;
      malt_binding_signals_after_fork ();

      /* They stay until the copy ends. */
      if (noted != NULL)
        {
          g_hash_table_iter_init (&iter, noted);
          while (g_hash_table_iter_next (&iter, &object, NULL))
            g_object_ref (object);
        }
    }
  g_mutex_unlock (&noted_lock);

  Py_RETURN_NONE;
}
