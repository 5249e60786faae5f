// SPDX-License-Identifier: LGPL-2.1-or-later

// The types of `import Malt from 'gi://Malt?version=1'` in GJS, for TypeScript and for JavaScript
// that it checks. It needs those of GLib, Gio and GObject, such as the packages @girs have them.

declare module 'gi://Malt?version=1' {
    import type GLib from 'gi://GLib?version=2.0';
    import type Gio from 'gi://Gio?version=2.0';
    import type GObject from 'gi://GObject?version=2.0';

    namespace Malt {
        /** What ends what goes on, and when. */
        interface Limits {
            cancellable?: Gio.Cancellable | null;
            /** An AbortSignal, instead of a cancellable. */
            signal?: AbortSignalLike | null;
        }

        interface AbortSignalLike {
            readonly aborted: boolean;
            readonly reason?: any;
            addEventListener(type: 'abort', listener: () => void): void;
            removeEventListener?(type: 'abort', listener: () => void): void;
        }

        interface TimeLimits extends Limits {
            /** Milliseconds; Infinity for none; else the launcher's. */
            timeout?: number | null;
        }

        interface EvalOptions extends TimeLimits {
            /** The module whose names are those of the source. */
            module?: string | null;
            /** The value comes as a GLib.Variant. */
            variant?: boolean;
        }

        interface CallOptionsInit extends EvalOptions {
            keywords?: {[name: string]: unknown} | GLib.Variant;
        }

        interface PoolCallOptionsInit extends CallOptionsInit {
            /** It may be done again if the worker ends meanwhile. */
            retry?: boolean;
        }

        type OutputName = 'forward' | 'pipe' | 'discard' | 'inherit' | 'signal' | Output;
        type OptionValues = {[name: string]: boolean | number | string | GLib.Variant};

        /** The properties of Malt.Launcher. */
        interface LauncherOptions {
            backend?: string;
            runtime?: string;
            program?: string;
            workingDirectory?: string;
            environment?: string[] | {[name: string]: string};
            searchPath?: string[];
            stdout?: OutputName;
            stderr?: OutputName;
            startTimeout?: number;
            callTimeout?: number;
            cancelTimeout?: number;
            interruptTimeout?: number;
            killOnTimeout?: boolean;
            maxValueSize?: number;
            spinLimit?: number;
            backendOptions?: OptionValues;
            runtimeOptions?: OptionValues;
        }

        interface SpawnOptions extends LauncherOptions, Limits {}

        // For a few arguments there is a form of its own, in which parameters with a default value have the type
        // of that.

        /** Has a function called by its name, or one that is sent as its source. */
        interface CallFunction {
            (func: string, ...args: unknown[]): Promise<any>;
            <R>(func: () => R): Promise<Awaited<R>>;
            <A, R>(func: (a: A) => R, a: A): Promise<Awaited<R>>;
            <A, B, R>(func: (a: A, b: B) => R, a: A, b: B): Promise<Awaited<R>>;
            <A, B, C, R>(func: (a: A, b: B, c: C) => R, a: A, b: B, c: C): Promise<Awaited<R>>;
            <A extends unknown[], R>(func: (...args: A) => R, ...args: A): Promise<Awaited<R>>;
        }

        /** The same, and nobody hears what comes of it. */
        interface DoFunction {
            (func: string, ...args: unknown[]): void;
            (func: () => unknown): void;
            <A>(func: (a: A) => unknown, a: A): void;
            <A, B>(func: (a: A, b: B) => unknown, a: A, b: B): void;
            <A, B, C>(func: (a: A, b: B, c: C) => unknown, a: A, b: B, c: C): void;
            <A extends unknown[]>(func: (...args: A) => unknown, ...args: A): void;
        }

        /** The functions that call, of workers, of pools, and of both with limits. */
        interface Caller {
            call: CallFunction;
            do: DoFunction;
        }

        interface CallOptions extends Caller {
            eval(source: string): Promise<any>;
        }

        class Launcher extends GObject.Object {
            constructor(properties?: object);
            static 'new'(backend: string | null, runtime: string | null): Launcher;
            backend: string;
            runtime: string | null;
            program: string | null;
            workingDirectory: string | null;
            environment: string[] | null;
            searchPath: string[] | null;
            stdout: Output;
            stderr: Output;
            startTimeout: number;
            callTimeout: number;
            cancelTimeout: number;
            interruptTimeout: number;
            killOnTimeout: boolean;
            maxValueSize: number;
            spinLimit: number;
            backendOptions: GLib.Variant | null;
            runtimeOptions: GLib.Variant | null;
            get_runtime(): string | null;
            get_program(): string | null;
            spawn(cancellable: Gio.Cancellable | null): Worker;
        }

        class Worker extends GObject.Object implements Caller {
            /** Starts a worker; runs GJS unless something else is said. */
            static spawn(options?: SpawnOptions): Promise<Worker>;
            /** Makes a subclass a backend, which a launcher finds by the name. */
            static register(name: string, type: GObject.GType | {$gtype: GObject.GType}): boolean;

            call: CallFunction;
            do: DoFunction;
            /** Runs source; gives the value of its last expression. */
            eval(source: string, options?: EvalOptions): Promise<any>;
            options(options: CallOptionsInit): CallOptions;
            /** The end here of a channel that an expression gives there. */
            channel(expression: string, options?: EvalOptions): Promise<Channel>;

            /** Lets the worker's code call a function. */
            export(name: string, func: (...args: any[]) => unknown): void;
            /** The same for all names that have no other function, which finishes the requests. */
            export(name: null, func: (request: Request) => void | Promise<void>): void;
            unexport(name: string | null): boolean;
            /** For backends: has a function called that the program has exported. */
            callExported(name: string, args?: unknown[], options?: Limits & {
                keywords?: object | null; stalls?: boolean; variant?: boolean}): Promise<any>;

            stop(options?: Limits & {exitTimeout?: number; termTimeout?: number}): Promise<StopResult>;
            kill(signum?: number): void;
            interrupt(): void;

            connect(signal: 'terminated', handler: (worker: this, exitInfo: ExitInfo) => void): number;
            connect(signal: 'progress', handler: (worker: this, request: number, fraction: number, text: string) => void): number;
            connect(signal: 'output', handler: (worker: this, request: number, stream: number, bytes: Uint8Array) => void): number;
            connect(signal: string, handler: (...args: any[]) => any): number;

            is_running(): boolean;
            dup_name(): string;
            get_pid(): number;
            get_last_request_id(): number;
            get_launcher(): Launcher;
            get_exit_info(): ExitInfo | null;
            get_stdout_pipe(): Gio.InputStream | null;
            get_stderr_pipe(): Gio.InputStream | null;
            readonly pid: number;
            readonly launcher: Launcher;
            readonly exitInfo: ExitInfo | null;

            // For backends.
            report_terminated(exitInfo: ExitInfo): void;
            report_progress(request: Request, fraction: number, text: string): void;
            report_output(request: Request | null, stream: number, bytes: Uint8Array | GLib.Bytes): void;
            set_pid(pid: number): void;
            set_pipes(stdout: Gio.InputStream | null, stderr: Gio.InputStream | null): void;
            vfunc_start(request: Request): void | Promise<void>;
            vfunc_submit(request: Request): void | Promise<void>;
            vfunc_cancel(request: Request): void;
            vfunc_interrupt(request: Request | null): void;
            vfunc_stop(): void | Promise<void>;
            vfunc_kill(signum: number): void;
        }

        class Channel extends GObject.Object {
            static 'new'(capacity: number): Channel;
            readonly capacity: number;
            readonly closed: boolean;
            put(value: unknown, options?: Limits): Promise<void>;
            take(options?: Limits): Promise<any>;
            /** Waits until there is a value. */
            wait(options?: Limits): Promise<void>;
            close(): void;
            is_closed(): boolean;
            is_ready(): boolean;
            [Symbol.asyncIterator](): AsyncGenerator<any, void, void>;
        }

        interface PoolOptions extends LauncherOptions {
            maxWorkers?: number;
            minWorkers?: number;
            queueLength?: number;
            idleTimeout?: number;
            maxCallsPerWorker?: number;
            callsPerWorker?: number;
            callsAhead?: number;
            retries?: number;
            crashLimit?: number;
            crashWindow?: number;
            initializer?: string;
            initializerArguments?: unknown[] | GLib.Variant;
        }

        interface MapOptions extends TimeLimits {
            retry?: boolean;
            /** Whether values are iterated over in the order of the items; so it is by default. */
            ordered?: boolean;
        }

        type Items<T> = Iterable<T> | AsyncIterable<T>;

        /** What comes of the items: awaited as an array, or iterated over. */
        interface PoolMap<T> extends Promise<T[]>, AsyncIterable<T> {}

        class Pool extends GObject.Object implements Caller {
            static create(options?: PoolOptions): Pool;
            call: CallFunction;
            do: DoFunction;
            eval(source: string, options?: EvalOptions & {retry?: boolean}): Promise<any>;
            options(options: PoolCallOptionsInit): CallOptions;
            /** Takes items only as far as the workers, and who iterates, get. */
            map<T, R>(func: (item: T) => R, items: Items<T>, options: MapOptions & {settled: true}):
                PoolMap<PromiseSettledResult<Awaited<R>>>;
            map(func: string, items: Items<unknown>, options: MapOptions & {settled: true}): PoolMap<PromiseSettledResult<any>>;
            map<T, R>(func: (item: T) => R, items: Items<T>, options?: MapOptions & {settled?: false}): PoolMap<Awaited<R>>;
            map(func: string, items: Items<unknown>, options?: MapOptions & {settled?: false}): PoolMap<any>;
            waitRoom(options?: Limits): Promise<void>;
            shutdown(options?: Limits & {dropQueued?: boolean; stopRunning?: boolean}): Promise<void>;
            connect(signal: 'worker-added', handler: (pool: this, worker: Worker) => void): number;
            connect(signal: 'worker-removed', handler: (pool: this, worker: Worker, exitInfo: ExitInfo) => void): number;
            connect(signal: string, handler: (...args: any[]) => any): number;

            readonly launcher: Launcher;
            readonly maxWorkers: number;
            readonly minWorkers: number;
            readonly queueLength: number;
            readonly idleTimeout: number;
            readonly maxCallsPerWorker: number;
            readonly callsPerWorker: number;
            readonly callsAhead: number;
            readonly retries: number;
            readonly crashLimit: number;
            readonly crashWindow: number;
            readonly initializer: string | null;
            readonly nWorkers: number;
            readonly nQueued: number;
            readonly nRunning: number;
            readonly nDone: number;
            readonly nFailed: number;
            readonly nRestarts: number;
        }

        class Request extends GObject.Object {
            readonly args: any[];
            readonly keywords: {[name: string]: any} | undefined;
            resolve(value: unknown): void;
            reject(error: unknown): void;
            get_kind(): RequestKind;
            get_flags(): RequestFlags;
            /** Of a function that the worker's code calls: whether the worker does nothing else. */
            stalls(): boolean;
            get_function(): string | null;
            get_arguments(): GLib.Variant | null;
            get_keywords(): GLib.Variant | null;
            get_module(): string | null;
            get_source(): string | null;
            get_cancellable(): Gio.Cancellable;
            get_id(): number;
            is_done(): boolean;
            is_interrupted(): boolean;
            report_progress(fraction: number, text: string | null): void;
            return_value(value: GLib.Variant | null): void;
            return_channel(channel: Channel): void;
            return_error(error: GLib.Error): void;
            return_exception(type: string, message: string | null, traceback: string | null): void;
            return_withdrawn(): void;
        }

        class ExitInfo extends GObject.Object {
            static 'new'(kind: ExitKind, status: number): ExitInfo;
            readonly kind: ExitKind;
            readonly exitCode: number;
            readonly signal: number;
            readonly coreDumped: boolean;
            /** What the worker did wrong, where it was ended for that. */
            readonly reason: string | null;
            /** The end of what it wrote there. */
            readonly stderr: string | null;
            /** What was under way. */
            readonly requests: string[] | null;
            /** Microseconds, and bytes. */
            readonly userTime: number;
            readonly systemTime: number;
            readonly peakMemory: number;
            get_kind(): ExitKind;
            get_exit_code(): number;
            get_signal(): number;
            get_stderr(): string;
            to_string(): string;
        }

        /** Whether errors of `worker.call()` have the whole stack of where it was called, and not just the line. */
        let wholeStacks: boolean;

        /** Any error of the library. */
        class Error extends GLib.Error {
            static readonly REMOTE: number;
            static readonly TERMINATED: number;
            static readonly START: number;
            static readonly SERIALIZATION: number;
            static readonly INTERRUPTED: number;
            static readonly TIMEOUT: number;
            static readonly PROTOCOL: number;
            static readonly NOT_SUPPORTED: number;
            static readonly NOT_FOUND: number;

            constructor(init: {message: string; code: number});
            readonly name: string;
            stack: string;
            /** The type of the exception in the worker, as its language has it. */
            readonly remoteType: string | null;
            readonly remoteMessage: string | null;
            readonly remoteStack: string | null;
            readonly worker: Worker | undefined;
            readonly workerName: string | null;
            /** How the worker ended. */
            readonly exitInfo: ExitInfo | null;
            /** How far a deadline had to go. */
            readonly rung: Rung;
        }

        interface ErrorClass<T> {
            new (message?: string): T;
            readonly prototype: T;
        }

        interface RemoteError extends Error {}
        const RemoteError: ErrorClass<RemoteError>;
        interface TerminatedError extends Error {}
        const TerminatedError: ErrorClass<TerminatedError>;
        interface StartError extends Error {}
        const StartError: ErrorClass<StartError>;
        interface SerializationError extends Error {}
        const SerializationError: ErrorClass<SerializationError>;
        interface InterruptedError extends Error {}
        const InterruptedError: ErrorClass<InterruptedError>;
        interface TimeoutError extends Error {}
        const TimeoutError: ErrorClass<TimeoutError>;
        interface ProtocolError extends Error {}
        const ProtocolError: ErrorClass<ProtocolError>;
        interface NotSupportedError extends Error {}
        const NotSupportedError: ErrorClass<NotSupportedError>;
        interface NotFoundError extends Error {}
        const NotFoundError: ErrorClass<NotFoundError>;

        interface WebWorkerOptions extends LauncherOptions {
            type?: 'classic' | 'module';
            name?: string;
            /** Whether the script is the source itself; else that is seen from it. */
            eval?: boolean;
        }

        interface WebEvent {
            readonly type: string;
            readonly target: WebWorker;
            readonly currentTarget: WebWorker;
            readonly defaultPrevented: boolean;
            preventDefault(): void;
        }

        interface WebMessageEvent extends WebEvent {
            readonly data: any;
        }

        interface WebErrorEvent extends WebEvent {
            readonly message: string;
            /** The type of what was thrown. */
            readonly name: string;
            readonly filename: string;
            readonly lineno: number;
            readonly colno: number;
            readonly stack: string;
            /** What the library has thrown, if it was that. */
            readonly error: Error | null;
        }

        type WebListener<E> = ((event: E) => void) | {handleEvent(event: E): void};

        /** A worker in the shape of those of browsers. */
        class WebWorker {
            constructor(script: string | Gio.File, options?: WebWorkerOptions);
            onmessage: ((event: WebMessageEvent) => void) | null;
            /** Never called: what cannot be read is not sent. */
            onmessageerror: ((event: WebMessageEvent) => void) | null;
            onerror: ((event: WebErrorEvent) => void) | null;
            postMessage(message: unknown, transfer?: unknown): void;
            addEventListener(type: 'message', listener: WebListener<WebMessageEvent>, options?: {once?: boolean}): void;
            addEventListener(type: 'error', listener: WebListener<WebErrorEvent>, options?: {once?: boolean}): void;
            addEventListener(type: 'messageerror', listener: WebListener<WebMessageEvent>, options?: {once?: boolean}): void;
            removeEventListener(type: string, listener: WebListener<any>): void;
            terminate(): void;
        }

        enum StopResult { FAILED, WAS_RUNNING, WAS_DEAD }
        enum Output { FORWARD, PIPE, DISCARD, INHERIT, SIGNAL }
        enum Rung { NONE, WITHDRAWN, CANCELLED, INTERRUPTED, KILLED, ABANDONED }
        enum RequestKind { START, CALL, EVAL, CHANNEL }
        enum RequestFlags { NONE, NO_VALUE, NO_REPLY }
        enum ExitKind {
            UNKNOWN, STOPPED, EXITED, SIGNALLED, OUT_OF_MEMORY, LIMIT, FORBIDDEN_SYSTEM_CALL, CONNECTION_LOST,
        }
    }

    export default Malt;
}
