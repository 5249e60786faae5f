/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-output.h"

#include <unistd.h>

#include "malt-python-host.h"

/* Standard output and standard error.
 *
 * What a request has printed is written out before the request ends.  To ask Python's
 * streams to do that takes longer than most requests, so where the interpreter is ours
 * they are made such that one can tell whether anything was printed at all: text goes
 * on to their buffers at once (write_through), and the buffers, which are of a class of
 * ours, note that they were given something.
 *
 * There the manager can be told of which request it is, if it wants to hear that; then
 * nothing is written. */

typedef struct
{
  const char *name;          /* in sys */
  PyObject   *name_object;   /* the same */
  int         fd;
  PyObject   *text;          /* the stream as it was made here, or %NULL */
  PyObject   *buffer;        /* its buffer, not owned */
  gboolean    is_told;       /* the manager wants to be told */
} Stream;

/* All guarded by the GIL. */
static Stream streams[] = {
  { "stdout", NULL, STDOUT_FILENO, NULL, NULL, FALSE },
  { "stderr", NULL, STDERR_FILENO, NULL, NULL, FALSE },
};
static PyObject *sys_names;       /* the dictionary of the module */
static PyObject *buffer_class;
static PyObject *write_method;    /* of its base class */
static PyObject *write_through;   /* the descriptor of the attribute of that name */
static gboolean  is_written;      /* a buffer was given something since the last flush */

/* Whether the manager was told what is written. */
static gboolean
tell (const Stream     *self,
      const Py_buffer  *data)
{
  MaltPython *python;
  MaltRequest *request = malt_python_host_current_request (&python);
  gboolean was_told;

  if (python == NULL)
    return FALSE;

  Py_BEGIN_ALLOW_THREADS
  was_told = malt_runtime_report_output (python->runtime, request, self->fd, data->buf, (gsize) data->len);
  Py_END_ALLOW_THREADS

  return was_told;
}

static PyObject *
buffer_write (PyObject *self,
              PyObject *data)
{
  PyObject *args[] = { self, data };
  Py_buffer view;
  gboolean was_told;
  Py_ssize_t size;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (streams); i++)
    if (G_UNLIKELY (streams[i].is_told) && streams[i].buffer == self)
      {
        if (PyObject_GetBuffer (data, &view, PyBUF_SIMPLE) < 0)
          return NULL;
        was_told = tell (&streams[i], &view);
        size = view.len;
        PyBuffer_Release (&view);
        if (was_told)
          return PyLong_FromSsize_t (size);
      }

  is_written = TRUE;
  return PyObject_Vectorcall (write_method, args, 2, NULL);
}

static PyMethodDef buffer_methods[] = {
  { "write", buffer_write, METH_O, NULL },
  { NULL, NULL, 0, NULL }
};

static PyType_Slot buffer_slots[] = {
  { Py_tp_methods, buffer_methods },
  { 0, NULL }
};

static PyType_Spec buffer_spec = {
  .name = "malt.BufferedWriter",
  .flags = Py_TPFLAGS_DEFAULT,
  .slots = buffer_slots,
};

/* Gives a stream a new buffer, unless it is to have none.  FALSE if it is not as Python
 * makes it. */
static gboolean
remake (Stream   *self,
        PyObject *text_class,
        PyObject *old_buffer_class,
        PyObject *raw_class)
{
  g_autoptr (PyObject) text = Py_XNewRef (PyDict_GetItemWithError (sys_names, self->name_object));
  g_autoptr (PyObject) encoding = NULL;
  g_autoptr (PyObject) errors = NULL;
  g_autoptr (PyObject) old_buffer = NULL;
  g_autoptr (PyObject) raw = NULL;
  g_autoptr (PyObject) buffer = NULL;
  g_autoptr (PyObject) init = NULL;
  g_autoptr (PyObject) args = NULL;
  g_autoptr (PyObject) keywords = NULL;
  g_autoptr (PyObject) result = NULL;

  if (text == NULL || (PyObject *) Py_TYPE (text) != text_class ||
      (old_buffer = PyObject_GetAttrString (text, "buffer")) == NULL)
    return FALSE;

  if ((PyObject *) Py_TYPE (old_buffer) == raw_class)
    {
      self->text = g_steal_pointer (&text);
      return TRUE;
    }

  if ((PyObject *) Py_TYPE (old_buffer) != old_buffer_class ||
      (encoding = PyObject_GetAttrString (text, "encoding")) == NULL ||
      (errors = PyObject_GetAttrString (text, "errors")) == NULL ||
      (init = PyObject_GetAttrString (text, "__init__")) == NULL)
    return FALSE;

  Py_CLEAR (old_buffer);
  old_buffer = PyObject_CallMethod (text, "detach", NULL);
  if (old_buffer != NULL)
    raw = PyObject_CallMethod (old_buffer, "detach", NULL);
  if (raw != NULL)
    buffer = PyObject_CallOneArg (buffer_class, raw);
  if (buffer != NULL)
    args = PyTuple_Pack (1, buffer);
  /* A line that is printed is there, also if the worker is killed a moment later. */
  if (args != NULL)
    keywords = Py_BuildValue ("{sOsOsssOsO}", "encoding", encoding, "errors", errors, "newline", "\n",
                              "line_buffering", Py_True, "write_through", Py_True);
  if (keywords != NULL)
    result = PyObject_Call (init, args, keywords);
  if (result == NULL)
    return FALSE;

  self->text = g_steal_pointer (&text);
  self->buffer = buffer; /* which it keeps */
  return TRUE;
}

/* Has the manager told of what is printed, if it wants to be.  GIL held. */
void
malt_python_output_tell (MaltPython *self)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (streams); i++)
    streams[i].is_told = self->own_process && malt_runtime_report_output (self->runtime, NULL, streams[i].fd, "", 0);
}

/* Makes the streams.  Once, where the interpreter is ours.  GIL held.  If something goes
 * wrong it only takes longer to flush them. */
void
malt_python_output_begin (void)
{
  g_autoptr (PyObject) io = PyImport_ImportModule ("_io");
  g_autoptr (PyObject) sys = PyImport_ImportModule ("sys");
  g_autoptr (PyObject) text_class = NULL;
  g_autoptr (PyObject) old_buffer_class = NULL;
  g_autoptr (PyObject) raw_class = NULL;
  g_autoptr (PyObject) bases = NULL;
  gsize i;

  if (io != NULL && sys != NULL &&
      (text_class = PyObject_GetAttrString (io, "TextIOWrapper")) != NULL &&
      (old_buffer_class = PyObject_GetAttrString (io, "BufferedWriter")) != NULL &&
      (raw_class = PyObject_GetAttrString (io, "FileIO")) != NULL &&
      (write_method = PyObject_GetAttrString (old_buffer_class, "write")) != NULL &&
      (write_through = PyObject_GetAttrString (text_class, "write_through")) != NULL &&
      (bases = PyTuple_Pack (1, old_buffer_class)) != NULL &&
      (buffer_class = PyType_FromSpecWithBases (&buffer_spec, bases)) != NULL)
    {
      sys_names = Py_NewRef (PyModule_GetDict (sys));
      for (i = 0; i < G_N_ELEMENTS (streams); i++)
        {
          streams[i].name_object = PyUnicode_InternFromString (streams[i].name);
          if (streams[i].name_object == NULL ||
              !remake (&streams[i], text_class, old_buffer_class, raw_class))
            break;
        }
    }

  PyErr_Clear ();
}

/* Whether it is the stream as it was made here, and keeps no text to itself. */
static gboolean
is_unchanged (const Stream *self)
{
  PyObject *through;
  gboolean result;

  if (self->text == NULL || PyDict_GetItemWithError (sys_names, self->name_object) != self->text)
    return FALSE;

  through = Py_TYPE (write_through)->tp_descr_get (write_through, self->text, (PyObject *) Py_TYPE (self->text));
  result = through == Py_True;
  Py_XDECREF (through);

  return result;
}

static void
flush (const char *name)
{
  PyObject *file = PySys_GetObject (name);
  PyObject *result;

  if (file == NULL || file == Py_None)
    return;

  Py_INCREF (file);
  result = PyObject_CallMethod (file, "flush", NULL);
  /* What cannot be written is lost, as it is when Python exits. */
  if (result == NULL)
    PyErr_Clear ();
  Py_XDECREF (result);
  Py_DECREF (file);
}

/* Writes out what was printed.  GIL held, no exception set. */
void
malt_python_output_flush (void)
{
  if (!is_written && is_unchanged (&streams[0]) && is_unchanged (&streams[1]))
    return;

  is_written = FALSE;
  flush ("stdout");
  flush ("stderr");
}

/* Before Python ends. */
void
malt_python_output_end (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (streams); i++)
    {
      Py_CLEAR (streams[i].text);
      streams[i].buffer = NULL;
      Py_CLEAR (streams[i].name_object);
    }
  Py_CLEAR (sys_names);
  Py_CLEAR (write_through);
  Py_CLEAR (buffer_class);
}
