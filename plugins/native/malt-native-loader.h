/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* Finds the C function behind a name.  Used on the serving thread only. */
typedef struct _MaltNativeLoader MaltNativeLoader;

MaltNativeLoader *malt_native_loader_new  (const char * const  *search_path);
void              malt_native_loader_free (MaltNativeLoader    *self);
MaltFunction      malt_native_loader_find (MaltNativeLoader    *self,
                                           const char          *name,
                                           gpointer            *user_data,
                                           GError             **error);

/* The part of it that has GObject Introspection. */
MaltFunction      malt_native_find_introspected (const char          *name,
                                                 const char * const  *search_path,
                                                 gpointer            *user_data,
                                                 GError             **error);

G_END_DECLS
