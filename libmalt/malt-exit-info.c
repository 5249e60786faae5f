/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-exit-info-private.h"

#include <string.h>

#include "malt-enum-types.h"

/**
 * MaltExitInfo:
 *
 * How a worker ended: the same object with the same meaning on every backend.
 *
 * It does not change once it has been handed out, and may be used on any thread.
 *
 * Since: 1.0
 */
struct _MaltExitInfo
{
  GObject parent_instance;

  /* Immutable once it is handed out. */
  MaltExitKind   kind;
  int            exit_code;
  int            signal;
  gboolean       core_dumped;
  char          *reason;
  char          *stderr_text;
  char         **requests;
  gint64         user_time;
  gint64         system_time;
  guint64        peak_memory;
};

enum
{
  PROP_KIND = 1,
  PROP_EXIT_CODE,
  PROP_SIGNAL,
  PROP_CORE_DUMPED,
  PROP_REASON,
  PROP_STDERR,
  PROP_REQUESTS,
  PROP_USER_TIME,
  PROP_SYSTEM_TIME,
  PROP_PEAK_MEMORY,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (MaltExitInfo, malt_exit_info, G_TYPE_OBJECT)

static void
malt_exit_info_get_property (GObject    *object,
                             guint       prop_id,
                             GValue     *value,
                             GParamSpec *pspec)
{
  MaltExitInfo *self = MALT_EXIT_INFO (object);

  switch (prop_id)
    {
    case PROP_KIND:
      g_value_set_enum (value, self->kind);
      break;
    case PROP_EXIT_CODE:
      g_value_set_int (value, self->exit_code);
      break;
    case PROP_SIGNAL:
      g_value_set_int (value, self->signal);
      break;
    case PROP_CORE_DUMPED:
      g_value_set_boolean (value, self->core_dumped);
      break;
    case PROP_REASON:
      g_value_set_string (value, self->reason);
      break;
    case PROP_STDERR:
      g_value_set_string (value, self->stderr_text);
      break;
    case PROP_REQUESTS:
      g_value_set_boxed (value, self->requests);
      break;
    case PROP_USER_TIME:
      g_value_set_int64 (value, self->user_time);
      break;
    case PROP_SYSTEM_TIME:
      g_value_set_int64 (value, self->system_time);
      break;
    case PROP_PEAK_MEMORY:
      g_value_set_uint64 (value, self->peak_memory);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
malt_exit_info_set_property (GObject      *object,
                             guint         prop_id,
                             const GValue *value,
                             GParamSpec   *pspec)
{
  MaltExitInfo *self = MALT_EXIT_INFO (object);

  switch (prop_id)
    {
    case PROP_KIND:
      self->kind = g_value_get_enum (value);
      break;
    case PROP_EXIT_CODE:
      self->exit_code = g_value_get_int (value);
      break;
    case PROP_SIGNAL:
      self->signal = g_value_get_int (value);
      break;
    case PROP_CORE_DUMPED:
      self->core_dumped = g_value_get_boolean (value);
      break;
    case PROP_REASON:
      self->reason = g_value_dup_string (value);
      break;
    case PROP_STDERR:
      self->stderr_text = g_value_dup_string (value);
      break;
    case PROP_REQUESTS:
      self->requests = g_value_dup_boxed (value);
      break;
    case PROP_USER_TIME:
      self->user_time = g_value_get_int64 (value);
      break;
    case PROP_SYSTEM_TIME:
      self->system_time = g_value_get_int64 (value);
      break;
    case PROP_PEAK_MEMORY:
      self->peak_memory = g_value_get_uint64 (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
malt_exit_info_finalize (GObject *object)
{
  MaltExitInfo *self = MALT_EXIT_INFO (object);

  g_free (self->reason);
  g_free (self->stderr_text);
  g_strfreev (self->requests);

  G_OBJECT_CLASS (malt_exit_info_parent_class)->finalize (object);
}

static void
malt_exit_info_class_init (MaltExitInfoClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  object_class->get_property = malt_exit_info_get_property;
  object_class->set_property = malt_exit_info_set_property;
  object_class->finalize = malt_exit_info_finalize;

  /**
   * MaltExitInfo:kind:
   *
   * How the worker ended.
   *
   * Since: 1.0
   */
  properties[PROP_KIND] =
    g_param_spec_enum ("kind", NULL, NULL, MALT_TYPE_EXIT_KIND, MALT_EXIT_KIND_UNKNOWN, flags);

  /**
   * MaltExitInfo:exit-code:
   *
   * The exit code of a worker that ended on its own, else -1.
   *
   * Since: 1.0
   */
  properties[PROP_EXIT_CODE] =
    g_param_spec_int ("exit-code", NULL, NULL, -1, G_MAXINT, -1, flags);

  /**
   * MaltExitInfo:signal:
   *
   * The signal that ended the worker, else 0.
   *
   * Since: 1.0
   */
  properties[PROP_SIGNAL] =
    g_param_spec_int ("signal", NULL, NULL, -1, G_MAXINT, 0, flags);

  /**
   * MaltExitInfo:core-dumped:
   *
   * Whether the kernel wrote a core file.
   *
   * Since: 1.0
   */
  properties[PROP_CORE_DUMPED] =
    g_param_spec_boolean ("core-dumped", NULL, NULL, FALSE, flags);

  /**
   * MaltExitInfo:reason:
   *
   * What the worker did wrong, where that is why it was ended.
   *
   * Since: 1.0
   */
  properties[PROP_REASON] =
    g_param_spec_string ("reason", NULL, NULL, NULL, flags);

  /**
   * MaltExitInfo:stderr:
   *
   * The end of what the worker wrote to its standard error, at most 16 KiB of valid UTF-8.
   *
   * Since: 1.0
   */
  properties[PROP_STDERR] =
    g_param_spec_string ("stderr", NULL, NULL, NULL, flags);

  /**
   * MaltExitInfo:requests:
   *
   * What was under way when the worker ended, a short text each.
   *
   * Since: 1.0
   */
  properties[PROP_REQUESTS] =
    g_param_spec_boxed ("requests", NULL, NULL, G_TYPE_STRV, flags);

  /**
   * MaltExitInfo:user-time:
   *
   * The processor time that the worker spent in its own code, in microseconds.
   *
   * Since: 1.0
   */
  properties[PROP_USER_TIME] =
    g_param_spec_int64 ("user-time", NULL, NULL, 0, G_MAXINT64, 0, flags);

  /**
   * MaltExitInfo:system-time:
   *
   * The processor time that the kernel spent for the worker, in microseconds.
   *
   * Since: 1.0
   */
  properties[PROP_SYSTEM_TIME] =
    g_param_spec_int64 ("system-time", NULL, NULL, 0, G_MAXINT64, 0, flags);

  /**
   * MaltExitInfo:peak-memory:
   *
   * The most memory that the worker had in use at one time, in bytes.
   *
   * Since: 1.0
   */
  properties[PROP_PEAK_MEMORY] =
    g_param_spec_uint64 ("peak-memory", NULL, NULL, 0, G_MAXUINT64, 0, flags);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
malt_exit_info_init (MaltExitInfo *self)
{
}

/* Notes what was under way; takes @requests.  Before the object is handed out. */
void
malt_exit_info_set_requests (MaltExitInfo  *self,
                             char         **requests)
{
  g_strfreev (self->requests);
  self->requests = requests;
}

/**
 * malt_exit_info_new:
 * @kind: how the worker ended
 * @status: the exit code for `MALT_EXIT_KIND_EXITED`, the signal for
 *   `MALT_EXIT_KIND_SIGNALLED`, else 0
 *
 * Makes an exit info, for a backend to report.  One with more in it is made with
 * [ctor@GObject.Object.new] and the properties.
 *
 * Returns: (transfer full): an exit info
 *
 * Since: 1.0
 */
MaltExitInfo *
malt_exit_info_new (MaltExitKind kind,
                    int          status)
{
  return g_object_new (MALT_TYPE_EXIT_INFO,
                       "kind", kind,
                       "exit-code", kind == MALT_EXIT_KIND_EXITED ? status : -1,
                       "signal", kind == MALT_EXIT_KIND_SIGNALLED ? status : 0,
                       NULL);
}

/**
 * malt_exit_info_get_kind: (get-property kind)
 * @self: an exit info
 *
 * Gets [property@Malt.ExitInfo:kind].  Does not block.
 *
 * Returns: the value
 *
 * Since: 1.0
 */
MaltExitKind
malt_exit_info_get_kind (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), MALT_EXIT_KIND_UNKNOWN);

  return self->kind;
}

/**
 * malt_exit_info_get_exit_code: (get-property exit-code)
 * @self: an exit info
 *
 * Gets [property@Malt.ExitInfo:exit-code].  Does not block.
 *
 * Returns: the value
 *
 * Since: 1.0
 */
int
malt_exit_info_get_exit_code (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), 0);

  return self->exit_code;
}

/**
 * malt_exit_info_get_signal: (get-property signal)
 * @self: an exit info
 *
 * Gets [property@Malt.ExitInfo:signal].  Does not block.
 *
 * Returns: the value
 *
 * Since: 1.0
 */
int
malt_exit_info_get_signal (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), 0);

  return self->signal;
}

/**
 * malt_exit_info_get_core_dumped: (get-property core-dumped)
 * @self: an exit info
 *
 * Gets [property@Malt.ExitInfo:core-dumped].  Does not block.
 *
 * Returns: the value
 *
 * Since: 1.0
 */
gboolean
malt_exit_info_get_core_dumped (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), FALSE);

  return self->core_dumped;
}

/**
 * malt_exit_info_get_reason: (get-property reason)
 * @self: an exit info
 *
 * Gets [property@Malt.ExitInfo:reason].  Does not block.
 *
 * Returns: (nullable): the value
 *
 * Since: 1.0
 */
const char *
malt_exit_info_get_reason (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), NULL);

  return self->reason;
}

/**
 * malt_exit_info_get_stderr: (get-property stderr)
 * @self: an exit info
 *
 * Gets [property@Malt.ExitInfo:stderr].  Does not block.
 *
 * Returns: (nullable): the value
 *
 * Since: 1.0
 */
const char *
malt_exit_info_get_stderr (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), NULL);

  return self->stderr_text;
}

/**
 * malt_exit_info_get_requests: (get-property requests)
 * @self: an exit info
 *
 * Gets [property@Malt.ExitInfo:requests].  Does not block.
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): the value
 *
 * Since: 1.0
 */
const char * const *
malt_exit_info_get_requests (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), NULL);

  return (const char * const *) self->requests;
}

/**
 * malt_exit_info_get_user_time: (get-property user-time)
 * @self: an exit info
 *
 * Gets [property@Malt.ExitInfo:user-time].  Does not block.
 *
 * Returns: the value
 *
 * Since: 1.0
 */
gint64
malt_exit_info_get_user_time (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), 0);

  return self->user_time;
}

/**
 * malt_exit_info_get_system_time: (get-property system-time)
 * @self: an exit info
 *
 * Gets [property@Malt.ExitInfo:system-time].  Does not block.
 *
 * Returns: the value
 *
 * Since: 1.0
 */
gint64
malt_exit_info_get_system_time (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), 0);

  return self->system_time;
}

/**
 * malt_exit_info_get_peak_memory: (get-property peak-memory)
 * @self: an exit info
 *
 * Gets [property@Malt.ExitInfo:peak-memory].  Does not block.
 *
 * Returns: the value
 *
 * Since: 1.0
 */
guint64
malt_exit_info_get_peak_memory (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), 0);

  return self->peak_memory;
}

/**
 * malt_exit_info_to_string:
 * @self: an exit info
 *
 * Says for people how the worker ended, as the end of a sentence that begins with the
 * worker, for instance `was killed by signal 11 (Segmentation fault)`.
 *
 * Returns: (transfer full): the text
 *
 * Since: 1.0
 */
char *
malt_exit_info_to_string (MaltExitInfo *self)
{
  g_return_val_if_fail (MALT_IS_EXIT_INFO (self), NULL);

  switch (self->kind)
    {
    case MALT_EXIT_KIND_STOPPED:
      return g_strdup ("was stopped");
    case MALT_EXIT_KIND_EXITED:
      return g_strdup_printf ("exited with code %d", self->exit_code);
    case MALT_EXIT_KIND_SIGNALLED:
      return g_strdup_printf ("was killed by signal %d (%s)%s", self->signal, strsignal (self->signal),
                              self->core_dumped ? " and left a core file" : "");
    case MALT_EXIT_KIND_OUT_OF_MEMORY:
      return g_strdup ("ended because memory ran out");
    case MALT_EXIT_KIND_LIMIT:
      return g_strdup_printf ("ran into a resource limit (%s)",
                              self->reason != NULL ? self->reason : strsignal (self->signal));
    case MALT_EXIT_KIND_FORBIDDEN_SYSTEM_CALL:
      return g_strdup ("was killed for a forbidden system call");
    case MALT_EXIT_KIND_CONNECTION_LOST:
      if (self->reason != NULL)
        return g_strdup_printf ("broke the protocol (%s) and was killed", self->reason);
      return g_strdup ("closed its connection and was killed");
    case MALT_EXIT_KIND_UNKNOWN:
    default:
      if (self->reason != NULL)
        return g_strdup_printf ("ended, and how is not known (%s)", self->reason);
      return g_strdup ("ended, and how is not known");
    }
}
