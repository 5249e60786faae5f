/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-type.h"

/* A function that can be called: where each of its arguments comes from, and what becomes of
 * it.  It is made once, and nothing of it ever changes, so any thread can use it. */

typedef enum
{
  MALT_GI_ROLE_VALUE,       /* comes from the caller, goes to him, or both */
  MALT_GI_ROLE_LENGTH,      /* of an array, and known from that */
  MALT_GI_ROLE_CANCELLABLE, /* that of the request */
  MALT_GI_ROLE_NULL,        /* zero: data of a callback that is not there, and what is skipped */
} MaltGiRole;

typedef struct
{
  char         *name;
  MaltGiType   *type;
  MaltGiRole    role;
  GIDirection   direction;
  GITransfer    transfer;
  gboolean      is_nullable;
  gboolean      is_caller_allocated;
  gboolean      is_omitted;  /* NULL instead of a place for it */
  int           position;    /* among the caller's arguments; -1 if it is none of them */
  gboolean      is_result;
  int           length;      /* the argument with its length; -1 if there is none */
} MaltGiArgument;

typedef struct
{
  char              *name;
  GIFunctionInvoker  invoker;
  gboolean           can_fail;    /* has a GError ** after its arguments */

  MaltGiArgument    *arguments;   /* all of the C function's, its instance too */
  guint              n_arguments;
  int               *inputs;      /* by position: the number of the argument */
  guint              n_inputs;
  guint              n_required;  /* those before may not be left out */

  MaltGiArgument     result;      /* what it returns; its `length` is as above */
} MaltGiFunction;

MaltGiFunction *malt_gi_function_new (GIFunctionInfo  *info,
                                      const char      *name,
                                      GError         **error);

char           *malt_gi_function_describe (const MaltGiFunction *self);
