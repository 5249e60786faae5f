// SPDX-License-Identifier: LGPL-2.1-or-later

onmessage = ({data}) => {
    if (typeof data !== 'number')
        throw new TypeError('no number');
    postMessage(2 * data);
};
