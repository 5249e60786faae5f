/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

/**
 * MALT_ERROR:
 *
 * The domain of libmalt's own errors; codes are from [error@Malt.Error].
 *
 * Since: 1.0
 */
#define MALT_ERROR (malt_error_quark ())

/**
 * MaltError:
 * @MALT_ERROR_REMOTE: the code in the worker raised an exception; its type, text
 *   and traceback can be read with [func@Malt.remote_error_dup_type] and its kin
 * @MALT_ERROR_TERMINATED: the worker had ended, or ended while the call was under
 *   way; [func@Malt.remote_error_get_exit_info] tells how
 * @MALT_ERROR_START: the worker did not come up; the message ends with what it
 *   printed on its standard error
 * @MALT_ERROR_SERIALIZATION: a value has no form in which it could cross, or is
 *   larger than the limit; the worker stays usable
 * @MALT_ERROR_INTERRUPTED: the call was interrupted with
 *   [method@Malt.Worker.interrupt]
 * @MALT_ERROR_TIMEOUT: a deadline passed; [func@Malt.remote_error_get_rung] tells
 *   what ended the call
 * @MALT_ERROR_PROTOCOL: the worker sent what the protocol forbids, and was ended
 * @MALT_ERROR_NOT_SUPPORTED: the backend or runtime cannot do this
 * @MALT_ERROR_NOT_FOUND: no backend, runtime, function, module, option or program
 *   of that name
 *
 * What can go wrong with a worker.  A cancelled call gives
 * `G_IO_ERROR_CANCELLED`, an argument of the wrong type
 * `G_IO_ERROR_INVALID_ARGUMENT`.
 *
 * Since: 1.0
 */
typedef enum
{
  MALT_ERROR_REMOTE,
  MALT_ERROR_TERMINATED,
  MALT_ERROR_START,
  MALT_ERROR_SERIALIZATION,
  MALT_ERROR_INTERRUPTED,
  MALT_ERROR_TIMEOUT,
  MALT_ERROR_PROTOCOL,
  MALT_ERROR_NOT_SUPPORTED,
  MALT_ERROR_NOT_FOUND,
} MaltError;

MALT_AVAILABLE_IN_1_0
GQuark        malt_error_quark                (void);

MALT_AVAILABLE_IN_1_0
GError       *malt_remote_error_new           (MaltError     code,
                                               const char   *type,
                                               const char   *message,
                                               const char   *traceback) G_GNUC_WARN_UNUSED_RESULT;
MALT_AVAILABLE_IN_1_0
char         *malt_remote_error_dup_type      (const GError *error);
MALT_AVAILABLE_IN_1_0
char         *malt_remote_error_dup_message   (const GError *error);
MALT_AVAILABLE_IN_1_0
char         *malt_remote_error_dup_traceback (const GError *error);
MALT_AVAILABLE_IN_1_0
char         *malt_remote_error_dup_worker    (const GError *error);
MALT_AVAILABLE_IN_1_0
MaltExitInfo *malt_remote_error_get_exit_info (const GError *error);
MALT_AVAILABLE_IN_1_0
MaltRung      malt_remote_error_get_rung      (const GError *error);

G_END_DECLS
