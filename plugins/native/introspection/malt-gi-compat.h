/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* libgirepository-2.0 (GLib 2.80 and newer) and libgirepository-1.0, which came before it,
 * by the names of the former. */

#ifdef MALT_GIREPOSITORY_2

#include <girepository/girepository.h>
#include <girepository/girffi.h>

/* In one process with the other one there would be two types of the same name. */
#define MALT_GI_OTHER_LIBRARY "libgirepository-1.0.so.1"

#else

#include <girepository.h>
#include <girffi.h>

#define MALT_GI_OTHER_LIBRARY "libgirepository-2.0.so.0"

#define GI_REPOSITORY_LOAD_FLAG_NONE ((GIRepositoryLoadFlags) 0)

#define GI_IS_CALLBACK_INFO(info) (g_base_info_get_type ((GIBaseInfo *) (info)) == GI_INFO_TYPE_CALLBACK)
#define GI_IS_FLAGS_INFO(info)    (g_base_info_get_type ((GIBaseInfo *) (info)) == GI_INFO_TYPE_FLAGS)

#define GI_BASE_INFO(info)            ((GIBaseInfo *) (info))
#define GI_CALLABLE_INFO(info)        ((GICallableInfo *) (info))
#define GI_ENUM_INFO(info)            ((GIEnumInfo *) (info))
#define GI_FUNCTION_INFO(info)        ((GIFunctionInfo *) (info))
#define GI_INTERFACE_INFO(info)       ((GIInterfaceInfo *) (info))
#define GI_OBJECT_INFO(info)          ((GIObjectInfo *) (info))
#define GI_REGISTERED_TYPE_INFO(info) ((GIRegisteredTypeInfo *) (info))
#define GI_STRUCT_INFO(info)          ((GIStructInfo *) (info))
#define GI_UNION_INFO(info)           ((GIUnionInfo *) (info))

#define gi_arg_info_get_direction          g_arg_info_get_direction
#define gi_arg_info_get_ownership_transfer g_arg_info_get_ownership_transfer
#define gi_arg_info_get_type_info          g_arg_info_get_type
#define gi_arg_info_is_caller_allocates    g_arg_info_is_caller_allocates
#define gi_arg_info_is_optional            g_arg_info_is_optional
#define gi_arg_info_is_skip                g_arg_info_is_skip
#define gi_arg_info_may_be_null            g_arg_info_may_be_null

#define gi_base_info_get_container(info) g_base_info_get_container ((GIBaseInfo *) (info))
#define gi_base_info_get_name(info)      g_base_info_get_name ((GIBaseInfo *) (info))
#define gi_base_info_get_namespace(info) g_base_info_get_namespace ((GIBaseInfo *) (info))
#define gi_base_info_ref(info)           g_base_info_ref ((GIBaseInfo *) (info))
#define gi_base_info_unref(info)         g_base_info_unref ((GIBaseInfo *) (info))

#define gi_callable_info_can_throw_gerror                g_callable_info_can_throw_gerror
#define gi_callable_info_get_arg(info, n)                g_callable_info_get_arg ((info), (int) (n))
#define gi_callable_info_get_caller_owns                 g_callable_info_get_caller_owns
#define gi_callable_info_get_instance_ownership_transfer g_callable_info_get_instance_ownership_transfer
#define gi_callable_info_get_n_args(info)                ((guint) g_callable_info_get_n_args (info))
#define gi_callable_info_get_return_type                 g_callable_info_get_return_type
#define gi_callable_info_is_method                       g_callable_info_is_method
#define gi_callable_info_may_return_null                 g_callable_info_may_return_null
#define gi_callable_info_skip_return                     g_callable_info_skip_return

#define gi_enum_info_get_method(info, n)   g_enum_info_get_method ((info), (int) (n))
#define gi_enum_info_get_n_methods(info)   ((guint) g_enum_info_get_n_methods (info))
#define gi_enum_info_get_n_values(info)    ((guint) g_enum_info_get_n_values (info))
#define gi_enum_info_get_storage_type      g_enum_info_get_storage_type
#define gi_enum_info_get_value(info, n)    g_enum_info_get_value ((info), (int) (n))
#define gi_value_info_get_value            g_value_info_get_value

#define gi_field_info_get_flags     g_field_info_get_flags
#define gi_field_info_get_offset    g_field_info_get_offset
#define gi_field_info_get_size      g_field_info_get_size
#define gi_field_info_get_type_info g_field_info_get_type

#define gi_function_info_prep_invoker g_function_info_prep_invoker

#define gi_interface_info_get_method(info, n)   g_interface_info_get_method ((info), (int) (n))
#define gi_interface_info_get_n_methods(info)   ((guint) g_interface_info_get_n_methods (info))
#define gi_object_info_get_method(info, n)      g_object_info_get_method ((info), (int) (n))
#define gi_object_info_get_n_methods(info)      ((guint) g_object_info_get_n_methods (info))
#define gi_union_info_get_method(info, n)       g_union_info_get_method ((info), (int) (n))
#define gi_union_info_get_n_methods(info)       ((guint) g_union_info_get_n_methods (info))

#define gi_registered_type_info_get_g_type g_registered_type_info_get_g_type

#define gi_struct_info_get_field(info, n) g_struct_info_get_field ((info), (int) (n))
#define gi_struct_info_get_method(info, n) g_struct_info_get_method ((info), (int) (n))
#define gi_struct_info_get_n_fields(info) ((guint) g_struct_info_get_n_fields (info))
#define gi_struct_info_get_n_methods(info) ((guint) g_struct_info_get_n_methods (info))
#define gi_struct_info_get_size           g_struct_info_get_size
#define gi_struct_info_is_foreign         g_struct_info_is_foreign
#define gi_struct_info_is_gtype_struct    g_struct_info_is_gtype_struct

#define gi_type_info_get_array_type           g_type_info_get_array_type
#define gi_type_info_get_interface            g_type_info_get_interface
#define gi_type_info_get_param_type(info, n)  g_type_info_get_param_type ((info), (int) (n))
#define gi_type_info_get_tag                  g_type_info_get_tag
#define gi_type_info_is_pointer               g_type_info_is_pointer
#define gi_type_info_is_zero_terminated       g_type_info_is_zero_terminated
#define gi_type_tag_to_string                 g_type_tag_to_string

#define gi_repository_find_by_name         g_irepository_find_by_name
#define gi_repository_get_info(self, ns, n) g_irepository_get_info ((self), (ns), (int) (n))
#define gi_repository_get_n_infos(self, ns) ((guint) g_irepository_get_n_infos ((self), (ns)))
#define gi_repository_get_version          g_irepository_get_version
#define gi_repository_require              g_irepository_require

/* One of our own, as the default one is used by whatever language runs in this process, and
 * is not locked.  The search paths are those of the process. */
static inline GIRepository *
gi_repository_new (void)
{
  return g_object_new (G_TYPE_IREPOSITORY, NULL);
}

static inline gboolean
gi_repository_is_registered (GIRepository *repository,
                             const char   *namespace_,
                             const char   *version)
{
  return g_irepository_is_registered (repository, namespace_, version);
}

static inline void
gi_repository_prepend_search_path (GIRepository *repository G_GNUC_UNUSED,
                                   const char   *folder)
{
  g_irepository_prepend_search_path (folder);
}

static inline void
gi_repository_prepend_library_path (GIRepository *repository G_GNUC_UNUSED,
                                    const char   *folder)
{
  g_irepository_prepend_library_path (folder);
}

static inline char **
gi_repository_enumerate_versions (GIRepository *repository,
                                  const char   *namespace_,
                                  gsize        *n)
{
  GList *list = g_irepository_enumerate_versions (repository, namespace_);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  *n = g_list_length (list);
  for (const GList *link = list; link != NULL; link = link->next)
    g_strv_builder_add (builder, link->data);
  g_list_free_full (list, g_free);

  return g_strv_builder_end (builder);
}

static inline gboolean
malt_gi_index (int    from,
               guint *index)
{
  *index = (guint) from;
  return from >= 0;
}

#define gi_arg_info_get_closure_index(info, index)        malt_gi_index (g_arg_info_get_closure (info), (index))
#define gi_arg_info_get_destroy_index(info, index)        malt_gi_index (g_arg_info_get_destroy (info), (index))
#define gi_type_info_get_array_length_index(info, index)  malt_gi_index (g_type_info_get_array_length (info), (index))

static inline gboolean
gi_type_info_get_array_fixed_size (GITypeInfo *info,
                                   gsize      *size)
{
  int fixed = g_type_info_get_array_fixed_size (info);

  *size = (gsize) fixed;
  return fixed >= 0;
}

#endif
