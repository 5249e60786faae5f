// SPDX-License-Identifier: LGPL-2.1-or-later

// What GJS runs when Malt is imported: promises, plain values and errors of their own for the
// introspected classes. What it is made of is in _malt/.

/* exported _init */

function _init() {
    const Malt = this;
    const {backends, calls, channels, errors, functions, host, launching, pools, requests, web} = imports.overrides._malt;

    for (const part of [errors, launching, calls, functions, channels, requests, host, pools, web, backends])
        part.extend(Malt);
}
