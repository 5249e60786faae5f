# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes a C string of a file: embed.sh FILE NAME.
echo '/* Made by embed.sh. */'
echo "static const char $2[] ="
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/  "/' -e 's/$/\\n"/' "$1"
echo '  ;'
