# SPDX-License-Identifier: LGPL-2.1-or-later

"""Makes a C string of a file: embed.py FILE NAME."""

import sys

path, name = sys.argv[1:]
print('/* Made by embed.py. */')
print(f'static const char {name}[] =')
with open(path, encoding='ascii') as file:
    for line in file:
        text = line.rstrip('\n').replace('\\', '\\\\').replace('"', '\\"')
        print(f'  "{text}\\n"')
print('  ;')
