/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-type.h"

/* Gives back what a function has handed over. */

void malt_gi_release          (const MaltGiType *type,
                               const GIArgument *argument,
                               gssize            length,
                               GITransfer        transfer);
void malt_gi_release_elements (const MaltGiType *type,
                               gpointer          data,
                               gssize            length);
void malt_gi_release_content  (const MaltGiType *type,
                               gpointer          data);
