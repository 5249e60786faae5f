/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-gjs-backend.h"

#include <gmodule.h>

#include <stdbool.h>

#include "test-home.h"

/* A backend that is written in JavaScript, in a program that is not: the one of the manual. */

/* Immutable once the backend is known. */
static gpointer context; /* to the end of the program */
static void (* collect) (gpointer context);

/* What nobody has any more goes soon, as in a program that has more to do than to wait. */
static void
turned (void)
{
  collect (context);
}

/* Has GJS here from now on, on the thread on which this is called, which makes the backend
 * known. */
void
test_gjs_backend_register (void)
{
  /* Not by GLib's functions: this is also used in programs that are no test. */
  g_autofree char *path = g_build_filename (g_getenv ("G_TEST_SRCDIR"), "conformance", "gjs_backend.js", NULL);
  g_autoptr (GError) error = NULL;
  gpointer (* new_context) (void);
  bool (* eval_module_file) (gpointer     context,
                             const char  *path,
                             guint8      *status,
                             GError     **error);
  guint8 status;
  GModule *gjs;

  gjs = g_module_open (TEST_GJS_LIBRARY, 0);
  if (gjs == NULL)
    g_error ("%s", g_module_error ());
  g_assert_true (g_module_symbol (gjs, "gjs_context_new", (gpointer *) &new_context));
  g_assert_true (g_module_symbol (gjs, "gjs_context_eval_module_file", (gpointer *) &eval_module_file));
  g_assert_true (g_module_symbol (gjs, "gjs_context_gc", (gpointer *) &collect));
  g_module_make_resident (gjs);

  context = new_context ();
  eval_module_file (context, path, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  test_home_be (turned);
}
