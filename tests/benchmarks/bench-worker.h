/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

#include "peers/bench.h"

G_BEGIN_DECLS

/* Whose rows these are, and what is measured. */
typedef struct
{
  const char *peer;
  const char *runtime;
} Bench;

void        bench_check      (GError       *error,
                              const char   *what);

MaltWorker *bench_spawn      (const Bench  *self);
MaltWorker *bench_start      (const Bench  *self);
void        bench_stop       (MaltWorker   *worker);

const char *bench_function   (MaltWorker   *worker,
                              const char   *name);
GVariant   *bench_call       (MaltWorker   *worker,
                              const char   *name,
                              GVariant     *arguments);
void        bench_call_plain (MaltWorker   *worker,
                              const char   *name);

/* The sections: one file each. */
void        bench_calls      (const Bench  *self);
void        bench_channels   (const Bench  *self);
void        bench_eval       (const Bench  *self);
void        bench_bytes      (const Bench  *self);
void        bench_in_place   (const Bench  *self);
void        bench_starts     (const Bench  *self);
void        bench_idle       (const Bench  *self);
void        bench_many       (const Bench  *self);

G_END_DECLS
