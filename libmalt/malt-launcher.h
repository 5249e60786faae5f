/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

#define MALT_TYPE_LAUNCHER (malt_launcher_get_type ())

/**
 * MALT_PROGRAM_SELF:
 *
 * As a launcher's program: the manager's own executable, which is started again
 * and becomes a worker in [func@Malt.run_as_worker].
 *
 * Since: 1.0
 */
#define MALT_PROGRAM_SELF "self"

MALT_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (MaltLauncher, malt_launcher, MALT, LAUNCHER, GObject)

MALT_AVAILABLE_IN_1_0
MaltLauncher       *malt_launcher_new                   (const char           *backend,
                                                         const char           *runtime);

MALT_AVAILABLE_IN_1_0
MaltWorker         *malt_launcher_spawn                 (MaltLauncher         *self,
                                                         GCancellable         *cancellable,
                                                         GError              **error) G_GNUC_WARN_UNUSED_RESULT;
MALT_AVAILABLE_IN_1_0
void                malt_launcher_spawn_async           (MaltLauncher         *self,
                                                         GCancellable         *cancellable,
                                                         GAsyncReadyCallback   callback,
                                                         gpointer              user_data);
MALT_AVAILABLE_IN_1_0
MaltWorker         *malt_launcher_spawn_finish          (MaltLauncher         *self,
                                                         GAsyncResult         *result,
                                                         GError              **error) G_GNUC_WARN_UNUSED_RESULT;

MALT_AVAILABLE_IN_1_0
const char         *malt_launcher_get_backend           (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_backend           (MaltLauncher         *self,
                                                         const char           *value);
MALT_AVAILABLE_IN_1_0
const char         *malt_launcher_get_runtime           (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_runtime           (MaltLauncher         *self,
                                                         const char           *value);
MALT_AVAILABLE_IN_1_0
const char         *malt_launcher_get_program           (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_program           (MaltLauncher         *self,
                                                         const char           *value);
MALT_AVAILABLE_IN_1_0
const char         *malt_launcher_get_working_directory (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_working_directory (MaltLauncher         *self,
                                                         const char           *value);
MALT_AVAILABLE_IN_1_0
const char * const *malt_launcher_get_environment       (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_environment       (MaltLauncher         *self,
                                                         const char * const   *value);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_setenv                (MaltLauncher         *self,
                                                         const char           *variable,
                                                         const char           *value);
MALT_AVAILABLE_IN_1_0
const char * const *malt_launcher_get_search_path       (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_search_path       (MaltLauncher         *self,
                                                         const char * const   *value);
MALT_AVAILABLE_IN_1_0
MaltOutput          malt_launcher_get_stdout            (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_stdout            (MaltLauncher         *self,
                                                         MaltOutput            value);
MALT_AVAILABLE_IN_1_0
MaltOutput          malt_launcher_get_stderr            (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_stderr            (MaltLauncher         *self,
                                                         MaltOutput            value);
MALT_AVAILABLE_IN_1_0
int                 malt_launcher_get_start_timeout     (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_start_timeout     (MaltLauncher         *self,
                                                         int                   value);
MALT_AVAILABLE_IN_1_0
int                 malt_launcher_get_call_timeout      (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_call_timeout      (MaltLauncher         *self,
                                                         int                   value);
MALT_AVAILABLE_IN_1_0
int                 malt_launcher_get_cancel_timeout    (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_cancel_timeout    (MaltLauncher         *self,
                                                         int                   value);
MALT_AVAILABLE_IN_1_0
int                 malt_launcher_get_interrupt_timeout (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_interrupt_timeout (MaltLauncher         *self,
                                                         int                   value);
MALT_AVAILABLE_IN_1_0
gboolean            malt_launcher_get_kill_on_timeout   (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_kill_on_timeout   (MaltLauncher         *self,
                                                         gboolean              value);
MALT_AVAILABLE_IN_1_0
guint64             malt_launcher_get_max_value_size    (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_max_value_size    (MaltLauncher         *self,
                                                         guint64               value);
MALT_AVAILABLE_IN_1_0
int                 malt_launcher_get_spin_limit        (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_spin_limit        (MaltLauncher         *self,
                                                         int                   value);
MALT_AVAILABLE_IN_1_0
GVariant           *malt_launcher_get_backend_options   (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_backend_options   (MaltLauncher         *self,
                                                         GVariant             *value);
MALT_AVAILABLE_IN_1_0
GVariant           *malt_launcher_get_runtime_options   (MaltLauncher         *self);
MALT_AVAILABLE_IN_1_0
void                malt_launcher_set_runtime_options   (MaltLauncher         *self,
                                                         GVariant             *value);

G_END_DECLS
