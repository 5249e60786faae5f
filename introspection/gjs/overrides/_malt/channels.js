// SPDX-License-Identifier: LGPL-2.1-or-later

// Channels: promises for what blocks, and iteration.

/* exported extend */

const {give, native} = imports.overrides._malt.native;
const {addMethods, handleOf} = imports.overrides._malt.handles;
const {isClosed} = imports.overrides._malt.errors;
const {checkOptions, toTimeout, withCancellable} = imports.overrides._malt.limits;

const LIMITS = ['cancellable', 'signal'];

async function limited(options, begin) {
    checkOptions(options, LIMITS);
    return withCancellable(options, begin);
}

class ChannelMethods {
    put(value, options) {
        if (options === undefined)
            return native.put(handleOf(this), value);
        return limited(options, cancellable => native.put(handleOf(this), value, give(cancellable)));
    }

    take(options) {
        if (options === undefined)
            return native.take(handleOf(this));
        return limited(options, cancellable => native.take(handleOf(this), give(cancellable)));
    }

    async wait(options = {}) {
        return limited(options, cancellable => native.wait(handleOf(this), give(cancellable)));
    }

    get closed() {
        return this.is_closed();
    }

    async *[Symbol.asyncIterator]() {
        for (;;) {
            let value;
            try {
                value = await this.take();
            } catch (error) {
                if (isClosed(error))
                    return;
                throw error;
            }
            yield value;
        }
    }
}

// The worker of a channel, which keeps it so, unless nobody has the channel either: what refers to what is
// known to the collector, while a reference from one object of the library to another is not.
const WORKER = Symbol('worker');

class WorkerMethods {
    /** The manager's end of a channel that an expression gives in the worker. */
    async channel(expression, options = {}) {
        checkOptions(options, [...LIMITS, 'timeout', 'module']);
        const timeout = toTimeout(options.timeout);
        const channel = await withCancellable(options, cancellable =>
            native.openChannel(handleOf(this), expression, options.module ?? null, timeout, give(cancellable)));
        // It may have had one: that of a backend in this program which gives on what it has opened.
        channel[WORKER] = this;
        return channel;
    }
}

function extend(Malt) {
    addMethods(Malt.Channel.prototype, ChannelMethods);
    addMethods(Malt.Worker.prototype, WorkerMethods);

    // A channel that a backend gives on is that of its own worker, which may be dropped without it.
    const {return_channel: returnChannel} = Malt.Request.prototype;
    Malt.Request.prototype.return_channel = function (channel) {
        if (channel?.[WORKER] !== undefined)
            channel[WORKER] = undefined;
        returnChannel.call(this, channel);
    };
}
