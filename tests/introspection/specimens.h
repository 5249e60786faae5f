/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

/* Introspected functions that the tests call: what GObject Introspection's own test libraries do not
 * have. */

typedef struct
{
  double   x;
  double   y;
  gboolean is_fixed;
} SpecimensPoint;

typedef enum
{
  SPECIMENS_COLOUR_DARK_RED = 3,
  SPECIMENS_COLOUR_GREEN = 5,
} SpecimensColour;

typedef enum
{
  SPECIMENS_PARTS_NONE = 0,
  SPECIMENS_PARTS_HEAD = 1 << 0,
  SPECIMENS_PARTS_TAIL = 1 << 1,
  SPECIMENS_PARTS_WHOLE = (1 << 0) | (1 << 1),
} SpecimensParts;

/**
 * SpecimensTask:
 * @user_data: (closure): its data
 *
 * Something to do.
 */
typedef void (* SpecimensTask) (gpointer user_data);

int              specimens_get_version       (void);
char            *specimens_join              (const char       *first,
                                              const char       *second,
                                              const char       *separator);
char            *specimens_latin1            (void);
int              specimens_wait              (GCancellable     *cancellable,
                                              GError          **error);
gboolean         specimens_fail              (const char       *domain,
                                              int               code,
                                              const char       *message,
                                              GError          **error);
void             specimens_mirror            (const SpecimensPoint *point,
                                              SpecimensPoint   *mirrored);
GList           *specimens_line              (guint             n);
double           specimens_sum_points        (const SpecimensPoint *points,
                                              gsize             n);
SpecimensColour  specimens_colour            (int               number);
int              specimens_colour_number     (SpecimensColour   colour);
SpecimensParts   specimens_parts             (guint             bits);
guint            specimens_parts_bits        (SpecimensParts    parts);
void             specimens_fill              (guint8           *buffer,
                                              gsize             size);
gssize           specimens_fill_some         (guint8           *buffer,
                                              gsize            *size);
void             specimens_fill_more         (guint8           *buffer,
                                              gsize            *size);
double           specimens_dot               (const double     *a,
                                              const double     *b,
                                              gsize             n);
double           specimens_weigh             (const double     *weights,
                                              const double     *values,
                                              gsize             n);
int              specimens_product           (const int        *numbers);
char            *specimens_skip              (char             *text,
                                              gsize             n);
void             specimens_advance           (char            **text);
char           **specimens_words             (GBytes           *bytes);
char            *specimens_take_everything   (char             *text,
                                              char            **strv,
                                              GList            *list,
                                              GPtrArray        *array,
                                              GHashTable       *table,
                                              GBytes           *bytes,
                                              GVariant         *variant,
                                              int               last);
void             specimens_give_everything   (char            **text,
                                              char           ***strv,
                                              GList           **list,
                                              GPtrArray       **array,
                                              GHashTable      **table,
                                              GBytes          **bytes,
                                              GVariant        **variant,
                                              GDateTime       **time);
GString         *specimens_double            (GString          *text);
gboolean         specimens_run_maybe         (SpecimensTask     task,
                                              gpointer          user_data,
                                              GDestroyNotify    destroy);
GHashTable      *specimens_table             (const char       *key);
char            *specimens_filename          (const char       *filename);
void             specimens_object            (GObject          *object);
void             specimens_gtypes            (const GType      *types,
                                              gsize             n_types);
gpointer         specimens_pointer           (void);
char            *specimens_maybe_object      (const char       *text,
                                              GObject          *object);
GVariant        *specimens_floating          (gboolean          is_floating);
char            *specimens_describe          (GVariant         *value);
char           **specimens_holes             (gsize            *n);
GArray          *specimens_narrow            (void);
GError          *specimens_error             (const GError     *error);
