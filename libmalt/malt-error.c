/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-error-private.h"

#include <string.h>

#include "malt-exit-info.h"
#include "wire/malt-limits.h"
#include "wire/malt-text.h"

/* A GError of this domain carries more than its message.  Language bindings often copy
 * only domain, code and message, so the texts of a remote exception are also in the
 * message, in a form from which they can be read again:
 *
 *   Remote exception from NAME with PID N: TYPE: MESSAGE
 *   (empty line)
 *   Traceback in the worker:
 *   TRACEBACK
 *
 * The readers below take what the error carries, or else read its message. */

typedef struct
{
  char         *type;
  char         *message;
  char         *traceback;
  char         *worker;
  MaltExitInfo *exit_info;
  MaltRung      rung;
} MaltErrorPrivate;

#define REMOTE_LEAD      "Remote exception from "
#define INTERRUPTED_LEAD "Interrupted in "
#define TRACEBACK_LEAD   "\n\nTraceback in the worker:\n"

static void
malt_error_private_init (MaltErrorPrivate *priv)
{
}

static void
malt_error_private_copy (const MaltErrorPrivate *from,
                         MaltErrorPrivate       *to)
{
  to->type = g_strdup (from->type);
  to->message = g_strdup (from->message);
  to->traceback = g_strdup (from->traceback);
  to->worker = g_strdup (from->worker);
  g_set_object (&to->exit_info, from->exit_info);
  to->rung = from->rung;
}

static void
malt_error_private_clear (MaltErrorPrivate *priv)
{
  g_free (priv->type);
  g_free (priv->message);
  g_free (priv->traceback);
  g_free (priv->worker);
  g_clear_object (&priv->exit_info);
}

G_DEFINE_EXTENDED_ERROR (MaltError, malt_error)

static const MaltErrorPrivate *
get_private (const GError *error)
{
  return error->domain == MALT_ERROR ? malt_error_get_private (error) : NULL;
}

/**
 * malt_remote_error_new: (skip)
 * @code: usually `MALT_ERROR_REMOTE` or `MALT_ERROR_INTERRUPTED`
 * @type: (nullable): the type of the exception, as its language names it
 * @message: (nullable): its text
 * @traceback: (nullable): where it came from, as its language shows it
 *
 * Makes the error with which a runtime reports an exception of the code that it runs.
 * Texts beyond a limit (type 255 bytes, message 16 KiB, traceback 64 KiB) are cut.
 *
 * Returns: (transfer full): an error of the domain `MALT_ERROR`
 *
 * Since: 1.0
 */
GError *
malt_remote_error_new (MaltError   code,
                       const char *type,
                       const char *message,
                       const char *traceback)
{
  g_autofree char *cut_type = malt_text_cut (type, MALT_LIMIT_TYPE_STRING);
  g_autofree char *cut_message = malt_text_cut (message, MALT_LIMIT_ERROR_TEXT);
  GString *text = g_string_new (cut_type);
  MaltErrorPrivate *priv;
  GError *error;

  if (cut_message != NULL && *cut_message != '\0')
    g_string_append_printf (text, "%s%s", cut_type != NULL ? ": " : "", cut_message);
  if (text->len == 0)
    g_string_append (text, "an exception without type and text");

  error = g_error_new_literal (MALT_ERROR, (int) code, text->str);
  g_string_free (text, TRUE);

  priv = malt_error_get_private (error);
  priv->type = g_steal_pointer (&cut_type);
  priv->message = cut_message != NULL ? g_steal_pointer (&cut_message) : g_strdup ("");
  priv->traceback = malt_text_cut (traceback, MALT_LIMIT_TRACEBACK);

  return error;
}

/* Says in the message which worker it was. */
GError *
malt_error_with_worker (GError     *error,
                        const char *worker_name)
{
  MaltErrorPrivate *priv = (MaltErrorPrivate *) get_private (error);
  g_autofree char *text = g_steal_pointer (&error->message);

  if (priv == NULL || (error->code != MALT_ERROR_REMOTE && error->code != MALT_ERROR_INTERRUPTED))
    error->message = g_strdup_printf ("%s: %s", worker_name, text);
  else
    error->message = g_strdup_printf ("%s%s: %s%s%s",
                                      error->code == MALT_ERROR_REMOTE ? REMOTE_LEAD : INTERRUPTED_LEAD,
                                      worker_name, text,
                                      priv->traceback != NULL ? TRACEBACK_LEAD : "",
                                      priv->traceback != NULL ? priv->traceback : "");
  if (priv != NULL)
    {
      g_free (priv->worker);
      priv->worker = g_strdup (worker_name);
    }

  return error;
}

static GError *
new_end (int           code,
         const char   *worker_name,
         MaltExitInfo *exit_info,
         const char   *how,
         const char   *when)
{
  GError *error = g_error_new (MALT_ERROR, code, "%s %s%s", worker_name, how, when);
  MaltErrorPrivate *priv = malt_error_get_private (error);

  priv->worker = g_strdup (worker_name);
  priv->exit_info = g_object_ref (exit_info);

  return error;
}

static GError *
new_terminated (const char   *worker_name,
                MaltExitInfo *exit_info,
                gboolean      under_way,
                const char   *when)
{
  gboolean breach = malt_exit_info_get_kind (exit_info) == MALT_EXIT_KIND_CONNECTION_LOST &&
                    malt_exit_info_get_reason (exit_info) != NULL;
  g_autofree char *how = malt_exit_info_to_string (exit_info);

  return new_end (under_way && breach ? MALT_ERROR_PROTOCOL : MALT_ERROR_TERMINATED, worker_name, exit_info, how, when);
}

/* @under_way: whether the request was under way when the worker ended. */
GError *
malt_error_new_terminated (const char   *worker_name,
                           MaltExitInfo *exit_info,
                           gboolean      under_way)
{
  return new_terminated (worker_name, exit_info, under_way,
                         under_way ? " while the call was under way" : " before the call");
}

/* The same for a channel. */
GError *
malt_error_new_ended (const char   *worker_name,
                      MaltExitInfo *exit_info)
{
  return new_terminated (worker_name, exit_info, TRUE, "");
}

/* A worker that is being stopped, and has not ended yet, of which nobody knows more than
 * that: @what goes on, as the end of a sentence. */
GError *
malt_error_new_stopped (const char *worker_name,
                        const char *what)
{
  g_autoptr (MaltExitInfo) exit_info = malt_exit_info_new (MALT_EXIT_KIND_STOPPED, 0);

  return new_end (MALT_ERROR_TERMINATED, worker_name, exit_info, what, "");
}

/* An error that says how far up the ladder a call had to be pushed. */
GError *
malt_error_new_rung (GQuark      domain,
                     int         code,
                     MaltRung    rung,
                     const char *message)
{
  GError *error = g_error_new_literal (domain, code, message);

  if (domain == MALT_ERROR)
    ((MaltErrorPrivate *) malt_error_get_private (error))->rung = rung;

  return error;
}

/* Where in a message of ours the worker's own text begins; %NULL if it is none. */
static const char *
find_remote_text (const GError  *error,
                  char         **worker)
{
  const char *name, *colon, *pid;

  if (error->domain != MALT_ERROR)
    return NULL;

  if (g_str_has_prefix (error->message, REMOTE_LEAD))
    name = error->message + strlen (REMOTE_LEAD);
  else if (g_str_has_prefix (error->message, INTERRUPTED_LEAD))
    name = error->message + strlen (INTERRUPTED_LEAD);
  else
    return NULL;

  pid = strstr (name, " with PID ");
  colon = pid != NULL ? strstr (pid, ": ") : NULL;
  if (colon == NULL)
    return NULL;

  if (worker != NULL)
    *worker = g_strndup (name, (gsize) (colon - name));
  return colon + strlen (": ");
}

/**
 * malt_remote_error_dup_type:
 * @error: an error of a call
 *
 * Gets the type of a remote exception, for instance `"ValueError"`.
 *
 * Works also for an error that has been through a language binding.
 *
 * Returns: (transfer full) (nullable): the type as the worker's language names it, or
 *   %NULL if @error is no remote exception or has none
 *
 * Since: 1.0
 */
char *
malt_remote_error_dup_type (const GError *error)
{
  const MaltErrorPrivate *priv;
  const char *text, *end;

  g_return_val_if_fail (error != NULL, NULL);

  priv = get_private (error);
  if (priv == NULL || priv->message != NULL)
    return priv != NULL ? g_strdup (priv->type) : NULL;

  text = find_remote_text (error, NULL);
  if (text == NULL)
    return NULL;

  end = text + strcspn (text, ": \n");
  return *end == ' ' ? NULL : g_strndup (text, (gsize) (end - text));
}

/**
 * malt_remote_error_dup_message:
 * @error: an error of a call
 *
 * Gets the text of a remote exception, without its type.
 *
 * Returns: (transfer full) (nullable): the text, which may be empty, or %NULL if @error
 *   is no remote exception
 *
 * Since: 1.0
 */
char *
malt_remote_error_dup_message (const GError *error)
{
  const MaltErrorPrivate *priv;
  g_autofree char *type = NULL;
  const char *text, *end;

  g_return_val_if_fail (error != NULL, NULL);

  priv = get_private (error);
  if (priv == NULL || priv->message != NULL)
    return priv != NULL ? g_strdup (priv->message) : NULL;

  text = find_remote_text (error, NULL);
  if (text == NULL)
    return NULL;

  type = malt_remote_error_dup_type (error);
  if (type != NULL)
    {
      text += strlen (type);
      if (g_str_has_prefix (text, ": "))
        text += strlen (": ");
    }
  end = strstr (text, TRACEBACK_LEAD);

  return end != NULL ? g_strndup (text, (gsize) (end - text)) : g_strdup (text);
}

/**
 * malt_remote_error_dup_traceback:
 * @error: an error of a call
 *
 * Gets where a remote exception came from, as the worker's language shows it.
 *
 * Returns: (transfer full) (nullable): the traceback, several lines, or %NULL if there
 *   is none
 *
 * Since: 1.0
 */
char *
malt_remote_error_dup_traceback (const GError *error)
{
  const MaltErrorPrivate *priv;
  const char *text;

  g_return_val_if_fail (error != NULL, NULL);

  priv = get_private (error);
  if (priv == NULL || priv->message != NULL)
    return priv != NULL ? g_strdup (priv->traceback) : NULL;

  text = find_remote_text (error, NULL);
  text = text != NULL ? strstr (text, TRACEBACK_LEAD) : NULL;

  return text != NULL ? g_strdup (text + strlen (TRACEBACK_LEAD)) : NULL;
}

/**
 * malt_remote_error_dup_worker:
 * @error: an error of a call
 *
 * Gets the name of the worker in which it went wrong, as
 * [method@Malt.Worker.dup_name] gives it.
 *
 * Returns: (transfer full) (nullable): the name, or %NULL if it is not known
 *
 * Since: 1.0
 */
char *
malt_remote_error_dup_worker (const GError *error)
{
  const MaltErrorPrivate *priv;
  char *worker = NULL;

  g_return_val_if_fail (error != NULL, NULL);

  priv = get_private (error);
  if (priv != NULL && priv->worker != NULL)
    return g_strdup (priv->worker);

  find_remote_text (error, &worker);
  return worker;
}

/**
 * malt_remote_error_get_exit_info:
 * @error: an error of a call
 *
 * Gets how the worker ended.  Language bindings may lose it on the way; there
 * [method@Malt.Worker.get_exit_info] has the same.  Of a call that was under way when the
 * worker was stopped it may say only that, as it does not wait for the end; how that came about
 * the worker has then.
 *
 * Returns: (transfer none) (nullable): how it ended, or %NULL if @error does not come
 *   of that
 *
 * Since: 1.0
 */
MaltExitInfo *
malt_remote_error_get_exit_info (const GError *error)
{
  const MaltErrorPrivate *priv;

  g_return_val_if_fail (error != NULL, NULL);

  priv = get_private (error);
  return priv != NULL ? priv->exit_info : NULL;
}

/**
 * malt_remote_error_get_rung:
 * @error: an error of a call
 *
 * Gets how far up the ladder a deadline had to climb to end the call.  The message says
 * so too, and is all that there is after a cancellation, whose error is GIO's.
 *
 * Returns: the rung, `MALT_RUNG_NONE` if no deadline ended the call
 *
 * Since: 1.0
 */
MaltRung
malt_remote_error_get_rung (const GError *error)
{
  const MaltErrorPrivate *priv;

  g_return_val_if_fail (error != NULL, MALT_RUNG_NONE);

  priv = get_private (error);
  return priv != NULL ? priv->rung : MALT_RUNG_NONE;
}
