/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-compat.h"

/* The functions and methods of a type, whatever kind of type it is. */

static inline guint
malt_gi_get_n_methods (GIBaseInfo *info)
{
  if (GI_IS_STRUCT_INFO (info))
    return gi_struct_info_get_n_methods (GI_STRUCT_INFO (info));
  if (GI_IS_UNION_INFO (info))
    return gi_union_info_get_n_methods (GI_UNION_INFO (info));
  if (GI_IS_OBJECT_INFO (info))
    return gi_object_info_get_n_methods (GI_OBJECT_INFO (info));
  if (GI_IS_INTERFACE_INFO (info))
    return gi_interface_info_get_n_methods (GI_INTERFACE_INFO (info));

  return GI_IS_ENUM_INFO (info) ? gi_enum_info_get_n_methods (GI_ENUM_INFO (info)) : 0;
}

static inline GIFunctionInfo *
malt_gi_get_method (GIBaseInfo *info,
                    guint       n)
{
  if (GI_IS_STRUCT_INFO (info))
    return gi_struct_info_get_method (GI_STRUCT_INFO (info), n);
  if (GI_IS_UNION_INFO (info))
    return gi_union_info_get_method (GI_UNION_INFO (info), n);
  if (GI_IS_OBJECT_INFO (info))
    return gi_object_info_get_method (GI_OBJECT_INFO (info), n);
  if (GI_IS_INTERFACE_INFO (info))
    return gi_interface_info_get_method (GI_INTERFACE_INFO (info), n);

  return gi_enum_info_get_method (GI_ENUM_INFO (info), n);
}
