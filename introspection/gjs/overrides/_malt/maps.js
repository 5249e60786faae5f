// SPDX-License-Identifier: LGPL-2.1-or-later

// A function over many items, by a pool.

/* exported PoolMap */

const {Gio} = imports.gi;
const {MaltJs, give, native} = imports.overrides._malt.native;
const {handleOf} = imports.overrides._malt.handles;
const {applierOf} = imports.overrides._malt.functions;
const {explainCancelled, isCancelled, toTimeout, withCancellable} = imports.overrides._malt.limits;

/** How many calls are under way: so many that no worker waits for the next. */
function windowOf(pool) {
    return pool.maxWorkers * (2 * pool.callsPerWorker + pool.callsAhead);
}

/** The iterator over some items, and whether it gives promises of them. */
function iterate(items) {
    const makeAsync = items?.[Symbol.asyncIterator];
    if (makeAsync !== undefined && makeAsync !== null)
        return [makeAsync.call(items), true];
    if (typeof items?.[Symbol.iterator] !== 'function')
        throw new TypeError(`the items have to be iterable, which ${items === null ? 'null' : typeof items} is not`);
    // An array is that of now, whatever becomes of it.
    return [(Array.isArray(items) ? [...items] : items)[Symbol.iterator](), false];
}

function isBusy(error) {
    return error?.matches?.(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY) ?? false;
}

/** Something that ends by being cancelled, which promises do not. */
function untilCancelled(cancellable) {
    const never = imports.gi.Malt.Channel.new(1);
    const promise = native.take(handleOf(never), give(cancellable));
    promise.catch(() => {});
    return {promise, end: () => never.close()};
}

/**
 * What comes of each item of those for which a function is called.
 *
 * It can be iterated over with `for await`, or awaited, which gives an array of what was not
 * iterated over. Who iterates is waited for: no more calls are under way, or over and not taken,
 * than the window has. Who awaits gets them all, so only what is under way counts. What was begun
 * is cancelled, and the iterator closed, if the iteration ends before its time.
 */
var PoolMap = class {
    #call;             // calls the function with an item, and one of two others with what comes of it
    #iterator;
    #isAsync;
    #isOrdered;
    #isSettled;
    #signal;
    #cancellable = new Gio.Cancellable();
    #window;

    #slots = [];       // {index, outcome} of what was not taken: of all items, or where there is no order of those done
    #nBegun = 0;
    #nGiven = 0;
    #nRunning = 0;
    #isFeeding = false;
    #isAtEnd = false;  // the iterator has no more
    #isOver = false;   // nothing more is begun, or taken from the iterator
    #failure = null;   // {error} of what is no item's
    #waiting = [];     // functions that wake up those who iterate
    #ended;            // a promise of the end of all that is under way
    #end;              // fulfils it
    #whole = null;     // a promise of what came of all, if somebody wants it
    #failed;           // a promise that GJS warns of, with where this was made, if it fails and nobody hears of that
    #complain;         // rejects it

    constructor(pool, func, items, flags, options) {
        [this.#iterator, this.#isAsync] = iterate(items);
        this.#isOrdered = options.ordered ?? true;
        this.#isSettled = options.settled ?? false;
        this.#signal = options.signal;
        this.#window = windowOf(pool);
        this.#failed = new Promise((_, reject) => {
            this.#complain = reject;
        });
        this.#ended = withCancellable(options, outer => {
            if (outer !== null)
                MaltJs.link(outer, this.#cancellable);
            return new Promise(resolve => {
                this.#end = resolve;
            });
        });
        try {
            this.#call = this.#makeCall(pool, func, flags, toTimeout(options.timeout));
        } catch (error) {
            this.#fail(error);
        }
        this.#feed();
    }

    #makeCall(pool, func, flags, timeout) {
        if (!(pool instanceof imports.gi.Malt.Pool))
            throw new TypeError(`this is no MaltPool but ${String(pool)}`);
        const [name, source] = typeof func === 'string' ? [func] : applierOf(pool, func);
        const cancellable = this.#cancellable;
        // Of this function, its caller, the method of the pool, and what has called that.
        const stack = new Error().stack.replace(/^(?:.*\n){3}/, '');

        const begin = args =>
            native.call(handleOf(pool), name, args, undefined, timeout, flags, give(cancellable), false, source, stack);
        const beginLater = async args => {
            for (;;) {
                await native.waitRoom(handleOf(pool), give(cancellable));
                try {
                    return await begin(args);
                } catch (error) {
                    if (!isBusy(error))
                        throw error;
                }
            }
        };
        return (item, done, failed) => {
            const args = [item];
            begin(args).then(done, error => isBusy(error) ? beginLater(args).then(done, failed) : failed(error));
        };
    }

    #mayBegin() {
        const nHeld = this.#whole !== null ? this.#nRunning : this.#nBegun - this.#nGiven;
        return !this.#isAtEnd && !this.#isOver && nHeld < this.#window;
    }

    /** Begins as many calls as there may be. */
    #feed() {
        if (this.#isFeeding)
            return;
        if (this.#isAsync) {
            this.#feedLater();
            return;
        }
        this.#isFeeding = true;
        try {
            while (this.#mayBegin())
                this.#take(this.#iterator.next());
        } catch (error) {
            this.#fail(error);
        }
        this.#isFeeding = false;
        this.#tell();
    }

    async #feedLater() {
        this.#isFeeding = true;
        try {
            while (this.#mayBegin())
                this.#take(await this.#awaitNext());
        } catch (error) {
            this.#fail(error);
        }
        this.#isFeeding = false;
        this.#tell();
    }

    async #awaitNext() {
        const cancelled = untilCancelled(this.#cancellable);
        try {
            return await Promise.race([this.#iterator.next(), cancelled.promise]);
        } finally {
            cancelled.end();
        }
    }

    /** Takes what the iterator has given. */
    #take({done, value}) {
        if (done)
            this.#isAtEnd = true;
        else if (!this.#isOver)
            this.#begin(value);
    }

    #begin(item) {
        const slot = {index: this.#nBegun++, outcome: null};
        const settle = outcome => {
            slot.outcome = outcome;
            this.#nRunning--;
            if (!this.#isOrdered)
                this.#slots.push(slot);
            this.#feed();
            this.#tell();
        };
        this.#nRunning++;
        if (this.#isOrdered)
            this.#slots.push(slot);
        const failed = reason => {
            // Then it was all of them, and nothing more is begun.
            if (!this.#isAtEnd && isCancelled(reason) && this.#cancellable.is_cancelled())
                this.#fail(reason);
            settle({status: 'rejected', reason});
            if (!this.#isSettled)
                this.#complain(reason);
        };
        try {
            this.#call(item, value => settle({status: 'fulfilled', value}), failed);
        } catch (error) {
            failed(error);
        }
    }

    /** Tells those who wait that something may have changed. */
    #tell() {
        if (this.#isAtEnd && this.#nRunning === 0)
            this.#end();
        for (const wake of this.#waiting.splice(0))
            wake();
    }

    /** It fails for a reason that is no item's. */
    #fail(error) {
        if (this.#isOver)
            return;
        this.#failure = {error: explainCancelled(error, this.#signal)};
        this.#complain(this.#failure.error);
        this.#stop().catch(() => {});
    }

    /** Ends it, which may be before its time; what closing the iterator throws is thrown. */
    async #stop() {
        if (this.#isOver)
            return;
        this.#isOver = true;
        this.#cancellable.cancel();
        this.#end();
        this.#tell();
        if (this.#isAtEnd)
            return;
        const closed = this.#iterator.return?.();
        // One that is about to give something is closed after that, which may be long.
        if (this.#isAsync && this.#isFeeding)
            closed?.catch?.(() => {});
        else
            await closed;
    }

    async #gather() {
        await this.#ended;
        if (this.#failure !== null)
            throw this.#failure.error;
        if (!this.#isAtEnd || this.#nRunning > 0)
            this.#cancellable.set_error_if_cancelled();

        const slots = this.#slots.splice(0).sort((a, b) => a.index - b.index);
        if (this.#isSettled)
            return slots.map(({outcome}) => outcome);
        const failed = slots.filter(({outcome}) => outcome.status === 'rejected');
        if (failed.length > 0) {
            const [{index, outcome: {reason}}] = failed;
            const error = explainCancelled(reason, this.#signal);
            const lead = `${failed.length} of ${this.#nBegun} items failed; item ${index}: `;
            if (error === reason && error instanceof imports.gi.GLib.Error)
                Object.defineProperty(error, 'message', {value: lead + error.message, writable: true, configurable: true});
            throw error;
        }
        return slots.map(({outcome: {value}}) => value);
    }

    #all() {
        this.#failed.catch(() => {});
        if (this.#whole === null) {
            this.#whole = this.#gather();
            this.#feed();
        }
        return this.#whole;
    }

    then(...reactions) {
        return this.#all().then(...reactions);
    }

    catch(reaction) {
        return this.#all().catch(reaction);
    }

    finally(reaction) {
        return this.#all().finally(reaction);
    }

    /** What came of the next item; undefined after the last. */
    async #give() {
        for (;;) {
            if (this.#failure !== null)
                throw this.#failure.error;
            if (this.#slots[0]?.outcome)
                break;
            if (this.#isOver || this.#isAtEnd && this.#slots.length === 0 && this.#nRunning === 0)
                return undefined;
            await new Promise(resolve => this.#waiting.push(resolve));
        }
        const {outcome} = this.#slots.shift();
        this.#nGiven++;
        this.#feed();
        return outcome;
    }

    async *[Symbol.asyncIterator]() {
        this.#failed.catch(() => {});
        try {
            for (let outcome = await this.#give(); outcome !== undefined; outcome = await this.#give()) {
                if (this.#isSettled)
                    yield outcome;
                else if (outcome.status === 'fulfilled')
                    yield outcome.value;
                else
                    throw explainCancelled(outcome.reason, this.#signal);
            }
        } catch (error) {
            // What has failed is told, and not what follows from that.
            this.#stop().catch(() => {});
            throw error;
        } finally {
            await this.#stop();
        }
    }
};
