/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-python-backend.h"

#include <gmodule.h>

/* A backend that is written in Python, in a program that is not: the one of the manual. */

#define RUN \
  "import importlib.util, sys\n" \
  "spec = importlib.util.spec_from_file_location('thread_backend', '%s')\n" \
  "module = sys.modules['thread_backend'] = importlib.util.module_from_spec(spec)\n" \
  "spec.loader.exec_module(module)\n"

/* Has an interpreter of Python here from now on, which makes the backend known.  With the
 * thread on which this is called, others take turns by the GIL. */
void
test_python_backend_register (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "..", "docs", "examples", "python-thread-backend.py",
                                                 NULL);
  g_autofree char *source = g_strdup_printf (RUN, path);
  void (* initialize) (int signals);
  int (* run) (const char *source);
  void *(* save_thread) (void);
  GModule *python;

  /* Its extension modules need the symbols to be global. */
  python = g_module_open (TEST_PYTHON_LIBRARY, 0);
  if (python == NULL)
    g_error ("%s", g_module_error ());
  g_assert_true (g_module_symbol (python, "Py_InitializeEx", (gpointer *) &initialize));
  g_assert_true (g_module_symbol (python, "PyRun_SimpleString", (gpointer *) &run));
  g_assert_true (g_module_symbol (python, "PyEval_SaveThread", (gpointer *) &save_thread));
  g_module_make_resident (python);

  initialize (FALSE);
  g_assert_cmpint (run (source), ==, 0);
  save_thread ();
}
