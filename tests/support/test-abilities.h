/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a test needs of the worker that it runs over. */
typedef enum
{
  TEST_NEEDS_NOTHING     = 0,
  TEST_NEEDS_EVAL        = 1 << 0,  /* source can be evaluated */
  TEST_NEEDS_NO_EVAL     = 1 << 1,  /* it cannot, and says so */
  TEST_NEEDS_PROCESS     = 1 << 2,  /* a process of its own, which can die */
  TEST_NEEDS_BREAKABLE   = 1 << 3,  /* code that looks at nothing can be broken off */
  TEST_NEEDS_WAKEABLE    = 1 << 4,  /* so can code that sleeps in a system call */
  TEST_NEEDS_QUEUE       = 1 << 5,  /* a request waits until the one before has run */
  TEST_NEEDS_EXCEPTIONS  = 1 << 6,  /* with type and traceback */
  TEST_NEEDS_KEYWORDS    = 1 << 7,  /* functions that take keyword arguments */
  TEST_NEEDS_CONVERSION  = 1 << 8,  /* values of a language become GVariants and back */
  TEST_NEEDS_EXACT       = 1 << 9,  /* every GVariant type stays what it is */
  TEST_NEEDS_RUNTIME     = 1 << 10, /* a loadable runtime */
  TEST_NEEDS_NESTING     = 1 << 11, /* the worker's code can have workers itself */
  TEST_NEEDS_HOST        = 1 << 12, /* its code can call functions of the program */
  TEST_NEEDS_CHANNELS    = 1 << 13, /* it can have channels */
  TEST_NEEDS_NO_CHANNELS = 1 << 14, /* it cannot, and says so */
  TEST_NEEDS_FORK        = 1 << 15, /* its code can make copies of its process */
  TEST_NEEDS_THREADS     = 1 << 16, /* its code can have threads */
  TEST_NEEDS_APART       = 1 << 17, /* code that never rests does not slow the program down */
  TEST_NEEDS_SEVERAL     = 1 << 18, /* code of one worker runs while that of another waits */
  TEST_NEEDS_ANYWHERE    = 1 << 19, /* workers can be made on any thread */
  TEST_NEEDS_UNWANTED    = 1 << 20, /* a value that nobody wants does not leave the worker */
  TEST_NEEDS_FREE        = 1 << 21, /* calls of other threads do not need the one of the test */
  TEST_NEEDS_PROGRESS    = 1 << 22, /* its code can say how far it has got */
} TestNeeds;

typedef struct
{
  const char *name;    /* in test paths */
  const char *backend;
  const char *runtime; /* or NULL */
} TestVariant;

extern const TestVariant test_variants[];
extern const gsize       test_n_variants;

const char *test_variant_cannot (const TestVariant *self,
                                 TestNeeds          needs);

G_END_DECLS
