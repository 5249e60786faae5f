# SPDX-License-Identifier: LGPL-2.1-or-later

"""What gi.overrides.Malt is made of. Programs use gi.repository.Malt."""

try:
    from . import _native  # noqa: F401
except ImportError as error:
    raise ImportError(
        'the Python binding of libmalt needs its extension module gi.overrides._malt._native, '
        f'which was built for another Python or is missing: {error}') from error
