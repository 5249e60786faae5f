#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs a program with a display of its own, where there is one to be had.
if command -v xvfb-run >/dev/null && command -v xauth >/dev/null; then
  exec xvfb-run --auto-servernum env GDK_BACKEND=x11 GSK_RENDERER=cairo "$@"
fi
exec "$@"
