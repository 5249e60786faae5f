/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

#include "test-abilities.h"
#include "test-answer.h"

G_BEGIN_DECLS

/* One test over one variant: a launcher for it, and a worker (unless the test
 * starts its own). */
typedef struct
{
  const TestVariant *variant;
  MaltLauncher      *launcher;
  MaltWorker        *worker;
} TestCase;

typedef void (* TestCaseFunc) (TestCase *self);

void          test_case_init          (int            *argc,
                                       char         ***argv,
                                       const char     *subject);
gboolean      test_case_is_tested     (const TestVariant
                                                      *variant);
void          test_case_add           (const char     *name,
                                       TestNeeds       needs,
                                       TestCaseFunc    func);
void          test_case_add_idle      (const char     *name,
                                       TestNeeds       needs,
                                       TestCaseFunc    func);
void          test_case_add_once      (const char     *name,
                                       GTestFunc       func);

gboolean      test_case_is            (TestCase       *self,
                                       const char     *backend_or_runtime);
const char   *test_case_function      (TestCase       *self,
                                       const char     *name);
const char   *test_case_source        (TestCase       *self,
                                       const char     *python,
                                       const char     *javascript);
MaltLauncher *test_case_new_launcher  (const TestVariant
                                                      *variant);
MaltWorker   *test_case_spawn         (TestCase       *self);
void          test_case_spawn_to_interrupt
                                      (TestCase       *self);
void          test_case_retire        (MaltWorker     *worker);
GVariant     *test_case_call          (TestCase       *self,
                                       const char     *name,
                                       GVariant       *arguments);
GVariant     *test_case_eval          (TestCase       *self,
                                       const char     *source);
TestAnswer   *test_case_start         (TestCase       *self,
                                       const char     *name,
                                       int             timeout_msec,
                                       GCancellable   *cancellable);
TestAnswer   *test_case_start_deaf    (TestCase       *self,
                                       const char     *end_mark,
                                       int             timeout_msec,
                                       GCancellable   *cancellable);
void          test_case_assert_usable (TestCase       *self);

G_END_DECLS
