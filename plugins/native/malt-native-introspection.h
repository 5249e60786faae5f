/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* The functions that GObject Introspection knows.  They are in a module of their own, which is
 * loaded when the first one is called: a worker that calls none pays nothing for them. */
#define MALT_NATIVE_INTROSPECTION_FILE   "malt-native-introspection.so"
#define MALT_NATIVE_INTROSPECTION_SYMBOL "malt_native_introspection_find"

/* On any thread.  What @user_data becomes stays for good. */
typedef MaltFunction (* MaltNativeIntrospectionFind) (const char          *name,
                                                      const char * const  *search_path,
                                                      gpointer            *user_data,
                                                      GError             **error);

_MALT_EXTERN MaltFunction malt_native_introspection_find (const char          *name,
                                                          const char * const  *search_path,
                                                          gpointer            *user_data,
                                                          GError             **error);

G_END_DECLS
