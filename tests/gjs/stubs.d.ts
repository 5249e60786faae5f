// SPDX-License-Identifier: LGPL-2.1-or-later

// As much of GJS and GLib as the declarations and examples of libmalt need. Programs have the
// packages @girs for that.

declare module 'gi://GLib?version=2.0' {
    namespace GLib {
        class Error {
            message: string;
            code: number;
            domain: number;
            matches(domain: unknown, code: number): boolean;
        }
        class Variant {
            constructor(type: string, value: unknown);
            unpack(): any;
            n_children(): number;
            get_child_value(index: number): Variant;
        }
        class Bytes {}
        function get_current_dir(): string;
        function getenv(variable: string): string | null;
        function path_get_basename(path: string): string;
    }
    export default GLib;
}

declare module 'gi://GObject?version=2.0' {
    namespace GObject {
        interface GType {
            readonly name: string;
        }
        class Object {
            constructor(properties?: object);
            connect(signal: string, handler: (...args: any[]) => any): number;
            disconnect(id: number): void;
        }
        function registerClass<T extends new (...args: any[]) => any>(type: T): T & {$gtype: GType};
    }
    export default GObject;
}

declare module 'gi://Gio?version=2.0' {
    import GLib from 'gi://GLib?version=2.0';
    import GObject from 'gi://GObject?version=2.0';

    namespace Gio {
        class Cancellable extends GObject.Object {
            cancel(): void;
            is_cancelled(): boolean;
        }
        class File extends GObject.Object {}
        class InputStream extends GObject.Object {}
        class IOErrorEnum extends GLib.Error {
            constructor(init: {message: string; code: number});
            static readonly CANCELLED: number;
            static readonly CLOSED: number;
        }
    }
    export default Gio;
}

declare module 'system' {
    const System: {programPath: string | null};
    export default System;
}

interface ImportMeta {
    url: string;
}

declare function print(...values: any[]): void;
declare function printerr(...values: any[]): void;
declare function setTimeout<A extends any[]>(callback: (...args: A) => void, milliseconds?: number, ...args: A): unknown;
declare const imports: any;
