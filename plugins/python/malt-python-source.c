/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-source.h"

#include <string.h>

/* Source that was evaluated, parsed once.
 *
 * It is kept for two reasons: so that the same source need not be parsed again, and so
 * that tracebacks can show its lines.  Source that defines functions or classes is
 * needed for the second long after it ran, while a program may evaluate any number of
 * different expressions; so the two are kept apart and each has its own bound.
 *
 * One for the process, guarded by the GIL.  No code of the user runs while the tables
 * are changed. */

typedef struct
{
  char     *source;
  PyObject *name;       /* "<eval 3>" */
  PyObject *body;       /* code; %NULL if there are no statements before the expression */
  PyObject *expression; /* code; %NULL if the last statement is no expression */
  gsize     size;
  gboolean  defines;
  GList     link;       /* in kept[defines], the most recently used first */
} Source;

#define N_EXPRESSIONS 512
#define N_DEFINITIONS 2048
#define N_BYTES       (16 * 1024 * 1024)

static GHashTable *sources; /* source → Source (owned) */
static GQueue      kept[2];
static gsize       kept_size[2];
static guint64     n_parsed;
static gboolean    published; /* linecache is in use, and knows all that are kept */

static void
source_free (gpointer data)
{
  Source *self = data;

  Py_XDECREF (self->name);
  Py_XDECREF (self->body);
  Py_XDECREF (self->expression);
  g_free (self->source);
  g_free (self);
}

/* The module, if somebody has imported it.  A new reference. */
static PyObject *
get_linecache (void)
{
  g_autoptr (PyObject) name = PyUnicode_FromString ("linecache");
  PyObject *module = name != NULL ? PyImport_GetModule (name) : NULL;

  PyErr_Clear ();
  return module;
}

/* Gives the lines to linecache, where traceback and others find them, or takes them
 * back.  Failing that, tracebacks have no lines. */
static void
publish (Source   *self,
         gboolean  there)
{
  g_autoptr (PyObject) module = get_linecache ();
  g_autoptr (PyObject) cache = NULL;
  g_autoptr (PyObject) text = NULL;
  g_autoptr (PyObject) lines = NULL;
  g_autoptr (PyObject) entry = NULL;

  if (module != NULL)
    cache = PyObject_GetAttrString (module, "cache");
  if (cache == NULL || !PyDict_Check (cache))
    ;
  else if (!there)
    PyDict_DelItem (cache, self->name);
  else
    {
      /* As linecache has it, every line ends with a newline. */
      text = PyUnicode_FromFormat ("%s%s", self->source, g_str_has_suffix (self->source, "\n") ? "" : "\n");
      if (text != NULL)
        lines = PyUnicode_Splitlines (text, TRUE);
      /* Without a time it is never checked against a file. */
      if (lines != NULL)
        entry = Py_BuildValue ("(nOOO)", (Py_ssize_t) self->size, Py_None, lines, self->name);
      if (entry != NULL)
        PyDict_SetItem (cache, self->name, entry);
    }

  PyErr_Clear ();
}

/* Before a traceback is made: imports linecache, which costs a while, and gives it all
 * that is kept.  GIL held, no exception set. */
void
malt_python_sources_publish (void)
{
  g_autoptr (PyObject) module = NULL;
  GList *l;
  guint i;

  if (published)
    return;

  /* Other threads run during an import, but not later. */
  module = PyImport_ImportModule ("linecache");
  PyErr_Clear ();
  published = module != NULL;

  for (i = 0; i < G_N_ELEMENTS (kept); i++)
    for (l = kept[i].head; l != NULL; l = l->next)
      publish (l->data, TRUE);
}

static void
evict (gboolean defines)
{
  guint limit = defines ? N_DEFINITIONS : N_EXPRESSIONS;
  Source *last;

  while (kept[defines].length > limit || (kept_size[defines] > N_BYTES && kept[defines].length > 1))
    {
      last = g_queue_peek_tail (&kept[defines]);
      g_queue_unlink (&kept[defines], &last->link);
      kept_size[defines] -= last->size;
      g_hash_table_steal (sources, last->source);
      if (published)
        publish (last, FALSE);
      source_free (last);
    }
}

static gboolean
has_code_inside (PyObject *code)
{
  PyObject *constants = code != NULL ? ((PyCodeObject *) code)->co_consts : NULL;
  Py_ssize_t i;

  for (i = 0; constants != NULL && i < PyTuple_GET_SIZE (constants); i++)
    if (PyCode_Check (PyTuple_GET_ITEM (constants, i)))
      return TRUE;

  return FALSE;
}

/* Takes the last statement out of a parsed module, if it is an expression, and makes an
 * Expression of it.  FALSE with an exception set. */
static gboolean
split (PyObject  *tree,
       PyObject **expression)
{
  g_autoptr (PyObject) ast = PyImport_ImportModule ("_ast");
  g_autoptr (PyObject) statement_type = NULL;
  g_autoptr (PyObject) body = NULL;
  g_autoptr (PyObject) value = NULL;
  PyObject *last;
  Py_ssize_t n;
  int is_expression;

  if (ast == NULL ||
      (statement_type = PyObject_GetAttrString (ast, "Expr")) == NULL ||
      (body = PyObject_GetAttrString (tree, "body")) == NULL)
    return FALSE;

  n = PyList_Size (body);
  if (n < 0)
    return FALSE;
  if (n == 0)
    return TRUE;

  last = PyList_GET_ITEM (body, n - 1);
  is_expression = PyObject_IsInstance (last, statement_type);
  if (is_expression < 0)
    return FALSE;
  if (!is_expression)
    return TRUE;

  value = PyObject_GetAttrString (last, "value");
  if (value == NULL || PyList_SetSlice (body, n - 1, n, NULL) < 0)
    return FALSE;

  *expression = PyObject_CallMethod (ast, "Expression", "O", value);
  return *expression != NULL;
}

static PyObject *
compile_tree (PyObject   *tree,
              PyObject   *name,
              const char *mode)
{
  g_autoptr (PyObject) builtins = PyImport_ImportModule ("builtins");

  if (builtins == NULL)
    return NULL;

  return PyObject_CallMethod (builtins, "compile", "OOsii", tree, name, mode,
                              PyCF_ALLOW_TOP_LEVEL_AWAIT, TRUE);
}

static gboolean
compile_statements (Source *self)
{
  PyCompilerFlags flags = { PyCF_ONLY_AST | PyCF_ALLOW_TOP_LEVEL_AWAIT | PyCF_IGNORE_COOKIE, PY_MINOR_VERSION };
  g_autoptr (PyObject) tree = NULL;
  g_autoptr (PyObject) expression = NULL;
  g_autoptr (PyObject) body = NULL;
  Py_ssize_t n;

  tree = Py_CompileStringObject (self->source, self->name, Py_file_input, &flags, -1);
  if (tree == NULL || !split (tree, &expression))
    return FALSE;

  body = PyObject_GetAttrString (tree, "body");
  n = body != NULL ? PyList_Size (body) : -1;
  if (n < 0)
    return FALSE;

  if (n > 0)
    {
      self->body = compile_tree (tree, self->name, "exec");
      if (self->body == NULL)
        return FALSE;
    }

  if (expression != NULL)
    {
      self->expression = compile_tree (expression, self->name, "eval");
      if (self->expression == NULL)
        return FALSE;
    }

  return TRUE;
}

/* Most source is one expression, for which no tree is needed.  Whether it is one is
 * found by trying; but what warns is not tried twice. */
static gboolean
compile_source (Source *self)
{
  PyCompilerFlags flags = { PyCF_ALLOW_TOP_LEVEL_AWAIT | PyCF_IGNORE_COOKIE, PY_MINOR_VERSION };

  if (strchr (self->source, '\\') == NULL)
    {
      self->expression = Py_CompileStringObject (self->source, self->name, Py_eval_input, &flags, -1);
      if (self->expression != NULL)
        return TRUE;
      if (!PyErr_ExceptionMatches (PyExc_SyntaxError))
        return FALSE;
      PyErr_Clear ();
    }

  return compile_statements (self);
}

static Source *
source_new (const char *text)
{
  Source *self = g_new0 (Source, 1);

  self->source = g_strdup (text);
  self->size = strlen (text);
  self->link.data = self;
  self->name = PyUnicode_FromFormat ("<eval %llu>", (unsigned long long) ++n_parsed);
  if (self->name == NULL || !compile_source (self))
    {
      source_free (self);
      return NULL;
    }
  self->defines = has_code_inside (self->body) || has_code_inside (self->expression);

  return self;
}

static void
keep (Source *self)
{
  g_autoptr (PyObject) linecache = NULL;

  g_hash_table_replace (sources, self->source, self);
  g_queue_push_head_link (&kept[self->defines], &self->link);
  kept_size[self->defines] += self->size;

  if (published)
    {
      publish (self, TRUE);
    }
  else
    {
      /* The user's own code has imported it, so it may also look there. */
      linecache = get_linecache ();
      if (linecache != NULL)
        malt_python_sources_publish ();
    }

  evict (self->defines);
}

/* Gets the code of some source: statements, then an expression, either of which may be
 * missing.  FALSE with an exception set, usually a SyntaxError.  GIL held. */
gboolean
malt_python_source_parse (const char  *source,
                          PyObject   **body,
                          PyObject   **expression)
{
  Source *self, *other;

  if (sources == NULL)
    sources = g_hash_table_new (g_str_hash, g_str_equal);

  self = g_hash_table_lookup (sources, source);
  if (self != NULL)
    {
      g_queue_unlink (&kept[self->defines], &self->link);
      g_queue_push_head_link (&kept[self->defines], &self->link);
    }
  else
    {
      self = source_new (source);
      if (self == NULL)
        return FALSE;

      /* Another thread may have parsed the same meanwhile. */
      other = g_hash_table_lookup (sources, source);
      if (other != NULL)
        {
          source_free (self);
          self = other;
        }
      else
        {
          keep (self);
        }
    }

  *body = Py_XNewRef (self->body);
  *expression = Py_XNewRef (self->expression);
  return TRUE;
}

/* Before Python ends. */
void
malt_python_sources_forget (void)
{
  guint i;
  Source *source;

  for (i = 0; i < G_N_ELEMENTS (kept); i++)
    while ((source = g_queue_peek_head (&kept[i])) != NULL)
      {
        g_queue_unlink (&kept[i], &source->link);
        source_free (source);
      }
  g_clear_pointer (&sources, g_hash_table_unref);
}
