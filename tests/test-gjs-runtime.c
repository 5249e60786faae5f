/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <string.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-mark.h"
#include "test-runtime.h"

/* What the GJS runtime does beyond what all runtimes do.  In the program all workers share
 * one JavaScript, so names are each test's own. */

static void
assert_in (const char *module,
           const char *source,
           const char *expected)
{
  test_assert_value (test_runtime_eval (module, source), expected);
}

static TestAnswer *
start (const char *source)
{
  return test_answer_eval (test_runtime_worker, NULL, source, MALT_TIMEOUT_NONE, NULL);
}

static void
assert_interrupted (TestAnswer *answer)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");
  test_runtime_assert_eval ("1 + 1", "int64 2");
}

/* Evaluating */

static void
test_eval (void)
{
  test_runtime_assert_eval ("", "@mv nothing");
  test_runtime_assert_eval ("const a1 = 20, b1 = 22; a1 + b1", "int64 42");
  test_runtime_assert_eval ("let [a2, {b2 = 3, ...c2}] = [1, {d: 4}]; [a2, b2, c2.d]", "[int64 1, 3, 4]");
  test_runtime_assert_eval ("class A3 { x = 1; static y = 2; }\nnew A3().x + A3.y", "int64 3");
  test_runtime_assert_eval ("for (let i = 0; i < 3; i++) i", "int64 2");
  test_runtime_assert_eval ("if (true) { 'branch' }", "'branch'");
  test_runtime_assert_eval ("5; function f4() {}", "int64 5");
  /* What stands in texts, comments and expressions is not taken for a declaration. */
  test_runtime_assert_eval ("'let await class import' /* const x */", "'let await class import'");
  test_runtime_assert_eval ("[class {}, function () { let x = 1; return x; }].length", "int64 2");
}

/* Declarations stay, can be made again, and are names like others. */
static void
test_state (void)
{
  g_autoptr (GError) error = NULL;

  test_runtime_assert_eval ("const s1 = 1; let s2 = 2; class S3 {}; function s4() { return s1 + s2; }", "@mv nothing");
  test_runtime_assert_eval ("s4()", "int64 3");
  test_runtime_assert_eval ("const s1 = 10; s4()", "int64 12");
  test_runtime_assert_eval ("class S3 { z() { return 9; } }\nnew S3().z()", "int64 9");
  test_runtime_assert_eval ("globalThis.s2", "int64 2");

  /* One that fails leaves a name that can be declared again. */
  error = test_runtime_eval_error (NULL, "const s5 = null.x");
  test_runtime_assert_eval ("const s5 = 'now'; s5", "'now'");
}

static void
test_modules (void)
{
  g_autoptr (GError) error = NULL;

  assert_in ("rt.made", "const v = 5; function get() { return v; } v", "int64 5");
  assert_in ("rt.made", "v", "int64 5");
  assert_in ("rt.made", "await null; const w = v + 1; w", "int64 6");
  assert_in ("rt.made", "w", "int64 6");
  test_runtime_assert_eval ("typeof v", "'undefined'");
  test_assert_value (test_runtime_call ("rt.made.get", NULL), "int64 5");

  error = test_runtime_eval_error ("a..b", "1");
  g_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND);
}

static void
test_await (void)
{
  test_runtime_assert_eval ("await 5", "int64 5");
  test_runtime_assert_eval ("(await Promise.resolve([1, 2]))[1]", "int64 2");
  test_runtime_assert_eval ("const aw1 = await 7, {aw2} = {aw2: await 8}; let aw3\naw1 + aw2", "int64 15");
  test_runtime_assert_eval ("[aw1, aw2, typeof aw3]", "[<int64 7>, <int64 8>, <'undefined'>]");
  test_runtime_assert_eval ("await null\n;(function aw6() { return 6; })()", "int64 6");
  test_runtime_assert_eval ("await null // one\n/* two */ ; /* (three\n */ (function () { return 7; })()", "int64 7");
  test_runtime_assert_eval ("(await null, function aw8() { return 8; })()", "int64 8");
  test_runtime_assert_eval ("await 0 ; ( ((x => x + await_9)) ) (0); var await_9 = 9; (((await_9)))", "int64 9");
  test_runtime_assert_eval ("// first\n((await 10))", "int64 10");
  test_runtime_assert_eval ("do await null; while (false); async function aw11() { return 11; }\n(aw11)()", "int64 11");
  test_runtime_assert_eval ("await null; const aw12 = { x: 12 };\n/12/.test(aw12.x) && aw12.x", "int64 12");
  test_runtime_assert_eval ("await null; class Aw4 { m() { return 4; } }\nfunction aw5() { return new Aw4().m(); }", "@mv nothing");
  test_runtime_assert_eval ("aw5()", "int64 4");
  test_runtime_assert_eval ("let aw6 = 0; for await (const x of [1, Promise.resolve(2)]) aw6 += x; aw6", "int64 3");
  /* What would call a function in a script. */
  test_runtime_assert_eval ("await (async () => { await null; return 13; })()", "int64 13");
  test_runtime_assert_eval ("const aw14 = await [14]; aw14[0] + (await -1)", "int64 13");
  test_runtime_assert_eval ("({await: 15}).await", "int64 15");
  test_runtime_assert_eval ("function aw16() { function await(x) { return x + 1; } return await (15); } aw16()", "int64 16");
  /* A script that is in a file can begin so. */
  test_runtime_assert_eval ("#!/usr/bin/gjs -m\nimport Aw17 from 'gi://GLib'; Aw17.MAJOR_VERSION", "int64 2");
  test_runtime_assert_eval ("#!/usr/bin/gjs\nconst aw18 = 18; aw18", "int64 18");
  test_runtime_assert_eval ("#!/usr/bin/gjs\nawait null; new Error().lineNumber", "int64 2");
  /* It is no more strict than one that does not await. */
  test_runtime_assert_eval ("await 1; with ({aw19: 4}) { var aw20 = aw19 } aw20 + 010", "int64 12");
  test_runtime_assert_eval ("await 1; if (true) function aw21() {}\n(function (a, a) { return a })(1, 2)", "int64 2");
  test_runtime_assert_eval ("var aw22 = await 1; function aw22() {}\ndelete aw22; typeof aw22", "'number'");
  test_runtime_assert_eval ("'use strict';await 1; function aw23() { return this === undefined; }\n[aw23(), new Error().lineNumber]",
                            "[<true>, <int64 2>]");
  test_runtime_assert_eval ("'use strict'\nfunction aw24() { return this === undefined; } let aw25 = await 1; aw24()", "true");
  test_runtime_assert_eval ("aw24()", "true");
  /* The parser puts the branch that is taken in the place of such an `if`. */
  test_runtime_assert_eval ("await 1; if (true) 17", "@mv nothing");
  test_runtime_assert_eval ("if (false) 1; else await 2; if (true) 3; else await 4\n/* five */ 18", "int64 18");
  test_runtime_assert_eval ("let aw19 = 0; if (0) await 1; else aw19 = await 19; if (true) var aw20 = 1; else {}\naw19", "int64 19");
  /* A promise is awaited without being asked for, and so is what has then(). */
  test_runtime_assert_eval ("new Promise(resolve => setTimeout(() => resolve('late'), 5))", "'late'");
  test_runtime_assert_eval ("({then(resolve) { resolve('thenable'); }})", "'thenable'");
}

static void
test_imports (void)
{
  GError *missing;

  test_runtime_assert_eval ("import Im1 from 'gi://GLib?version=2.0'; Im1.MAJOR_VERSION", "int64 2");
  test_runtime_assert_eval ("Im1.MAJOR_VERSION", "int64 2");
  test_runtime_assert_eval ("import * as Im2 from 'system'\ntypeof Im2.default.exit", "'function'");
  test_runtime_assert_eval ("(await import('gi://Gio')).default.File.new_for_path('/tmp').get_basename()", "'tmp'");
  test_runtime_assert_eval ("imports.gi.Gio.File.new_for_path('/tmp').get_basename()", "'tmp'");

  missing = test_runtime_eval_error (NULL, "await import('file:///no/such/module.js')");
  test_assert_error (missing, MALT_ERROR, MALT_ERROR_REMOTE, "*ImportError*/no/such/module.js*");
  missing = test_runtime_eval_error (NULL, "\nimport {gettext, im4 as im5} from 'gettext'");
  test_assert_error (missing, MALT_ERROR, MALT_ERROR_REMOTE, "*SyntaxError: import not found: im4 (<eval *>, line 2, column 18)*");
  missing = test_runtime_eval_error (NULL, "import * as im6 from 'gi://GLib'\nimport {default as im7,\n MAJOR_VERSION} from 'gi://GLib'");
  test_assert_error (missing, MALT_ERROR, MALT_ERROR_REMOTE, "*SyntaxError: import not found: MAJOR_VERSION (<eval *>, line 3, column 2)*");
  missing = test_runtime_eval_error (NULL, "import Im3 from 'gi://NoSuchThing'");
  test_assert_error (missing, MALT_ERROR, MALT_ERROR_REMOTE, "*NoSuchThing*");
  missing = test_runtime_eval_error (NULL, "await import('gi://GLib?version=99.0')");
  test_assert_error (missing, MALT_ERROR, MALT_ERROR_REMOTE, "*GLib*99.0*");
  missing = test_runtime_eval_error (NULL, "imports.no_such_module");
  test_assert_error (missing, MALT_ERROR, MALT_ERROR_REMOTE, "*no_such_module*");
  test_runtime_assert_eval ("1", "int64 1");
}

/* Calling */

static void
test_call (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) keywords = NULL;
  GVariant *value;

  test_assert_value (test_runtime_call ("Math.max", "(@x 1, @x 3, @x 2)"), "int64 3");
  test_assert_value (test_runtime_call ("String", "(true,)"), "'true'");
  test_runtime_assert_eval ("const c1 = {n: 5, get() { return this?.n; }, deep: {get() { return typeof this.get; }}}\n"
                            "function c2() { 'use strict'; return this === undefined; }\n"
                            "const c3 = 'text', c4 = (first, {a, b}) => first + a - b", "@mv nothing");
  test_assert_value (test_runtime_call ("c1.get", NULL), "int64 5");
  test_assert_value (test_runtime_call ("c1.deep.get", NULL), "'function'");
  test_assert_value (test_runtime_call ("c2", NULL), "true");
  test_assert_value (test_runtime_call ("c3.toUpperCase", NULL), "'TEXT'");

  keywords = g_variant_ref_sink (g_variant_new_parsed ("{'a': <@x 10>, 'b': <@x 3>}"));
  value = malt_worker_remote_call_fetch (test_runtime_worker, "c4", g_variant_new_parsed ("(@x 100,)"), keywords,
                                         MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  test_assert_value (value, "int64 107");
}

static void
test_not_found (void)
{
  static const struct
  {
    const char *name;
    const char *message;
  } names[] = {
    { "nf_none", "*there is no function 'nf_none'" },
    { "nf_none.f", "*there is no 'nf_none' for 'nf_none.f', and no module of that name" },
    { "Math.none", "*'Math' has no property 'none'" },
    { "Math.max.none.deeper", "*'Math.max' has no property 'none'" },
    { "Math.PI", "*'Math.PI' is not a function but of the type 'number'" },
    { "a..b", "*'a..b' is not the name of a function" },
    { "1 + 1", "*there is no function '1 + 1'" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (names); i++)
    {
      GError *error = test_runtime_call_error (names[i].name, NULL);

      test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, names[i].message);
    }
}

/* Exceptions */

static void
assert_exception (const char *source,
                  const char *expected_type,
                  const char *expected_message,
                  const char *expected_traceback)
{
  g_autoptr (GError) error = test_runtime_eval_error (NULL, source);
  g_autofree char *type = malt_remote_error_dup_type (error);
  g_autofree char *message = malt_remote_error_dup_message (error);
  g_autofree char *traceback = malt_remote_error_dup_traceback (error);

  g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);
  g_assert_cmpstr (type, ==, expected_type);
  test_assert_match (message, expected_message);
  test_assert_match (traceback, expected_traceback);
  g_assert_null (strstr (traceback, "<malt>"));
}

static void
test_exceptions (void)
{
  assert_exception ("function e1() {\n  throw new TypeError('bad')\n}\ne1()", "TypeError", "bad",
                    "TypeError: bad\ne1@<eval *>:2:*\n@<eval *>:4:*");
  assert_exception ("class Own extends Error {}\nthrow new Own('mine')", "Own", "mine", "Own: mine*@<eval *>:2:*");
  assert_exception ("const named = new Error('n'); named.name = 'Named'; throw named", "Named", "n", "Named: n*");
  assert_exception ("throw new Error('outer', {cause: new RangeError('inner')})", "Error", "outer",
                    "Error: outer\n*Caused by: RangeError: inner\n*");
  assert_exception ("const cycle = new Error('a', {cause: new Error('b')}); cycle.cause.cause = cycle; throw cycle", "Error", "a",
                    "Error: a\n*Caused by: Error: b\n*\nCaused by: an error that is above");
  assert_exception ("throw new AggregateError([new RangeError('one'), 2], 'many', {cause: 3})", "AggregateError", "many",
                    "AggregateError: many\n*\nError 1 of 2: RangeError: one\n*\nError 2 of 2: 2\nCaused by: 3");
  assert_exception ("const all = new AggregateError([], 'all'); all.errors = [all, 1]; throw all", "AggregateError", "all",
                    "AggregateError: all\n*\nError 1 of 2: an error that is above\nError 2 of 2: 1");
  assert_exception ("throw imports.gi.GLib.Error.new_literal(imports.gi.Gio.IOErrorEnum, 1, 'made')", "Gio.IOErrorEnum", "made",
                    "Gio.IOErrorEnum: made*");
  assert_exception ("JSON.parse('{no')", "SyntaxError", "JSON.parse: *JSON data", "SyntaxError: *JSON data\n@<eval *");
  assert_exception ("throw new Error('odd', {cause: 5})", "Error", "odd", "Error: odd\n*\nCaused by: 5");
  assert_exception ("await null\nnull.property", "TypeError", "*null*", "*@<eval *>:2:*");
  assert_exception ("async function e2() {\n  await null\n  throw new Error('later')\n}\nawait e2()", "Error", "later",
                    "Error: later\ne2@<eval *>:3:*");
  assert_exception ("Promise.reject(new Error('rejected'))", "Error", "rejected", "*");
  assert_exception ("undefined_name", "ReferenceError", "undefined_name is not defined", "*");
  assert_exception ("(function e3() { e3(); })()", "InternalError", "too much recursion", "*");
  assert_exception ("imports.gi.Gio.File.new_for_path('/no/such').load_contents(null)", "Gio.IOErrorEnum",
                    "*/no/such*", "*");
  assert_exception ("throw 7", "number", "7", "number: 7*@<eval *>:1:*");
  assert_exception ("throw undefined", "undefined", "undefined", "*");
  assert_exception ("throw {code: 5, text: 'ü'}", "Object", "{\"code\":5,\"text\":\"ü\"}", "Object: {\"code\":5,*@<eval *>:1:*");
  assert_exception ("throw {code: 5, toString() { return 'own'; }}", "Object", "own", "Object: own*");
  assert_exception ("const round = {}; round.self = round; throw round", "Object", "?object Object?", "*");
  assert_exception ("throw Symbol('s')", "symbol", "a symbol", "*");
  assert_exception ("throw {toString() { throw 1; }}", "Object", "<no text>", "*");
  assert_exception ("throw Object.create(null)", "Object", "<no text>", "*");
  assert_exception ("const e4 = new Error(); Object.defineProperty(e4, 'message', {get() { throw 1; }}); throw e4",
                    "Error", "", "*");
  assert_exception ("throw new Error('a\\0b\\ud800')", "Error", "a\\0b\\ud800", "*");
  test_runtime_assert_eval ("1", "int64 1");
}

static void
test_syntax (void)
{
  g_autofree char *deep = NULL;
  g_autofree char *source = NULL;

  assert_exception ("let x = ;", "SyntaxError", "* (<eval *>, line 1, column 9)", "SyntaxError: *");
  assert_exception ("1 +\n  2 +", "SyntaxError", "* (<eval *>, line 2, column *)", "*");
  assert_exception ("await (\n\n  x y)", "SyntaxError", "* (<eval *>, line 3, column 5)", "*");
  deep = g_strnfill (100 * 1000, '[');
  source = g_strconcat ("await 1;", deep, NULL);
  assert_exception (source, "InternalError", "too much recursion", "*");
  assert_exception ("await 1;\nreturn 5", "SyntaxError", "return not in function (<eval *>, line 2, column 1)", "*");
  assert_exception ("await 1; }); (async () => {", "SyntaxError", "* (<eval *>, line 1, column 10)", "*");
  assert_exception ("await (1", "SyntaxError", "* (<eval *>, line 1, column 9)", "*");
  assert_exception ("await 1; with ({}) {}\nx y", "SyntaxError", "* (<eval *>, line 2, column 3)", "*");
  assert_exception ("import Sy1 from 'gi://GLib'\nwith ({}) {}", "SyntaxError", "*strict* (<eval *>, line 2, column *)", "*");
  assert_exception ("'use strict'; await 1; with ({}) {}", "SyntaxError", "*strict* (<eval *>, line 1, column 24)", "*");
  assert_exception ("let twice; let twice", "SyntaxError", "*twice* (<eval *>, line 1, column *)", "*");
}

/* Nobody awaits it: it is printed. */
static void
test_unhandled (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "gjs");
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltWorker) worker = malt_launcher_spawn (launcher, NULL, &error);

  g_assert_no_error (error);
  malt_worker_remote_eval_wait (worker, NULL,
                                "Promise.reject(new Error('lost one')); const handled = Promise.reject(2); handled.catch(() => {});"
                                "(async () => { await null; throw new TypeError('lost two'); })(); null",
                                MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  malt_worker_stop (worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  test_assert_match (malt_exit_info_get_stderr (malt_worker_get_exit_info (worker)),
                     "*Unhandled promise rejection: Error: lost one\n*Unhandled promise rejection: TypeError: lost two\n*");
}

static void
test_exit (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "gjs");
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltWorker) worker = malt_launcher_spawn (launcher, NULL, &error);

  g_assert_no_error (error);
  g_assert_null (malt_worker_remote_eval_fetch (worker, NULL, "imports.system.exit(3)", MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*exited with code 3*");
}

/* A worker that is stopped when a call is about to begin ends as it is asked to. */
static void
test_stop_beginning (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "gjs");
  guint i;

  for (i = 0; i < 20; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (MaltWorker) worker = malt_launcher_spawn (launcher, NULL, &error);
      TestAnswer *answer;

      g_assert_no_error (error);
      answer = test_answer_eval (worker, NULL, "for (;;) ;", MALT_TIMEOUT_NONE, NULL);
      g_usleep (i * 50);
      malt_worker_stop (worker, 60 * 1000, -1, NULL, &error);
      g_assert_no_error (error);
      g_assert_null (test_answer_wait (answer, &error));
      g_assert_nonnull (error);
      g_assert_cmpint (malt_exit_info_get_signal (malt_worker_get_exit_info (worker)), ==, 0);
    }
}

/* Interrupts */

#define APPLICATION \
  "const app = new imports.gi.Gio.Application({flags: imports.gi.Gio.ApplicationFlags.NON_UNIQUE});" \
  "app.connect('activate', () => { app.hold(); setTimeout(mark, 1); });"

/* In a main loop that code runs, by GLib's own function or turn by turn, and in what sources
 * of it do. */
static void
test_interrupt_loops (void)
{
  static const char * const sources[] = {
    "const loop = new imports.gi.GLib.MainLoop(context, false); mark(); loop.run(); 'over'",
    "mark(); for (;;) context.iteration(true)",
    "mark(); for (;;) ;",
    "mark(); while (true) { try { throw 1 } catch (e) { if (e !== 1) throw e } }",
    "mark(); for (;;) [3, 1, 2].sort((a, b) => a - b)",
    "mark(); 'x'.repeat(30).match(/(x+x+)+y/)",
    "mark(); new malt.Channel(1).takeSync()",
    /* A promise that is left would go on for ever. */
    "(async () => { for (;;) await null; })(); mark(); for (;;) ;",
    "new Promise(() => { (function again() { Promise.resolve().then(again); })(); mark(); })",
    "new Promise(() => { (function again() { Promise.resolve().then(again); })(); mark(); for (;;) ; })",
    ("(function again() { Promise.resolve().then(again); })();"
     "Promise.resolve().then(() => { mark(); for (;;) ; }); new Promise(() => {})"),
    /* GJS writes of an exception in a callback to the log, which ends a test in its process. */
    ("const loop = new imports.gi.GLib.MainLoop(context, false);"
     "const called = setInterval(() => { clearInterval(called); mark(); for (;;) ; }, 1); loop.run(); 'over'"),
    "setTimeout(() => { mark(); for (;;) ; }, 1); for (;;) context.iteration(true)",
    ("const outer = new imports.gi.GLib.MainLoop(context, false), inner = new imports.gi.GLib.MainLoop(context, false);"
     "setTimeout(() => { mark(); inner.run(); }, 1); outer.run(); 'over'"),
    APPLICATION "app.run([]); 'over'",
    (APPLICATION "const loop = new imports.gi.GLib.MainLoop(context, false);"
     "setTimeout(() => app.run([]), 1); loop.run(); 'over'"),
  };
  gsize n = test_runtime_is_process () ? G_N_ELEMENTS (sources) : G_N_ELEMENTS (sources) - 5;
  gsize i;

  for (i = 0; i < n; i++)
    {
      g_autofree char *mark = test_mark_new ();
      g_autofree char *source = g_strdup_printf ("const context = imports.gi.GLib.MainContext.ref_thread_default?.() ?? null;"
                                                 "function mark() { imports.gi.GLib.file_set_contents('%s', ''); }\n%s",
                                                 mark, sources[i]);
      TestAnswer *answer = start (source);

      g_test_message ("%s", sources[i]);
      test_mark_await (mark);
      malt_worker_interrupt (test_runtime_worker);
      assert_interrupted (answer);
    }
}

/* What C code calls is ended alone: what has called it goes on. */
static void
test_interrupt_called (void)
{
  static const char * const sources[] = {
    "const action = new Gio.SimpleAction({name: 'a'}); action.connect('activate', spin); action.activate(null)",
    ("const Emitter = GObject.registerClass({Signals: {spin: {}}}, class InterruptedEmitter extends GObject.Object {});"
     "const emitter = new Emitter(); emitter.connect('spin', spin); emitter.emit('spin')"),
    ("const Made = GObject.registerClass(class InterruptedMade extends GObject.Object { vfunc_constructed() { spin(); } });"
     "new Made()"),
    ("const store = Gio.ListStore.new(Gio.SimpleAction); for (const name of 'ab') store.append(new Gio.SimpleAction({name}));"
     "store.sort(spin)"),
  };
  gsize i;

  if (!test_runtime_is_process ())
    {
      g_test_skip ("GJS writes of an exception in a callback to the log, which ends the test");
      return;
    }

  for (i = 0; i < G_N_ELEMENTS (sources); i++)
    {
      g_autofree char *mark = test_mark_new ();
      g_autofree char *source = g_strdup_printf ("const {Gio, GLib, GObject} = imports.gi;"
                                                 "function spin() { GLib.file_set_contents('%s', ''); for (;;) ; }\n"
                                                 "%s; 'went on'", mark, sources[i]);
      g_autoptr (GError) error = NULL;
      TestAnswer *answer = start (source);

      g_test_message ("%s", sources[i]);
      test_mark_await (mark);
      malt_worker_interrupt (test_runtime_worker);
      test_assert_value (test_answer_wait (answer, &error), "'went on'");
    }
}

/* At any moment of a wait that blocks. */
static void
test_interrupt_blocked (void)
{
  guint i;

  for (i = 0; i < 50; i++)
    {
      g_autofree char *mark = test_mark_new ();
      g_autofree char *source = g_strdup_printf ("imports.gi.GLib.file_set_contents('%s', ''); new malt.Channel(1).takeSync()",
                                                 mark);
      TestAnswer *answer = start (source);

      test_mark_await (mark);
      g_usleep (i % 10 * 20);
      malt_worker_interrupt (test_runtime_worker);
      assert_interrupted (answer);
    }
}

/* At any moment of promises that never come to an end, also before the first of them is due. */
static void
test_interrupt_promises (void)
{
  guint i;

  for (i = 0; i < 100; i++)
    {
      g_autofree char *mark = test_mark_new ();
      g_autofree char *source = g_strdup_printf ("new Promise(() => { (function again() { Promise.resolve().then(again); })();"
                                                 "imports.gi.GLib.file_set_contents('%s', ''); })", mark);
      TestAnswer *answer = start (source);

      test_mark_await (mark);
      g_usleep (i % 10 * 20);
      malt_worker_interrupt (test_runtime_worker);
      assert_interrupted (answer);
    }
}

/* What waits for a promise is let go, and what it was to be told of does no harm. */
static void
test_interrupt_waiting (void)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answer;
  guint i;

  for (i = 0; i < 3; i++)
    {
      answer = start ("await new Promise(resolve => { globalThis.go_on = resolve; }); globalThis.went_on = true");
      test_runtime_assert_eval ("typeof go_on", "'function'");
      malt_worker_interrupt (test_runtime_worker);
      assert_interrupted (answer);
      test_runtime_assert_eval ("go_on(); null", "@mv nothing");
    }

  /* A deadline does the same. */
  answer = test_answer_eval (test_runtime_worker, NULL, "new Promise(() => {})", 20, NULL);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
  test_runtime_assert_eval ("1", "int64 1");
}

/* Code that is not a request's, and holds up the thread, is broken off, too; however soon after
 * its begin that is asked for. */
static void
test_interrupt_callback (void)
{
  g_autofree char *mark = test_mark_new ();
  g_autofree char *source = g_strdup_printf ("setTimeout(() => { imports.gi.GLib.file_set_contents('%s', ''); for (;;) ; }, 1);"
                                             "new Promise(() => {})", mark);
  TestAnswer *answer;

  if (!test_runtime_is_process ())
    {
      g_test_skip ("GJS writes of an exception in a callback to the log, which ends the test");
      return;
    }

  answer = start (source);
  test_mark_await (mark);
  malt_worker_interrupt (test_runtime_worker);
  assert_interrupted (answer);
}

/* So is what goes on when its request has ended, whatever holds up the thread then. */
static void
test_interrupt_rest (void)
{
  static const char * const sources[] = {
    "for (;;) ;",
    "for (;;) await null;",
    "let caught = 0; for (;;) { try { for (;;) ; } catch (e) { if (++caught === 3) throw e } }",
    "new malt.Channel(1).takeSync();",
    /* In the program posted requests are run by main loops that code runs. */
    "new imports.gi.GLib.MainLoop(context, false).run();",
    "for (;;) context.iteration(true);",
    "setTimeout(() => { for (;;) ; }, 1); for (;;) context.iteration(true);",
  };
  gsize n = test_runtime_is_process () ? G_N_ELEMENTS (sources) : G_N_ELEMENTS (sources) - 3;
  gsize i;

  for (i = 0; i < n; i++)
    {
      g_autofree char *mark = test_mark_new ();
      g_autofree char *source = g_strdup_printf ("const context = imports.gi.GLib.MainContext.ref_thread_default?.() ?? null;"
                                                 "await new Promise(resolve => { globalThis.go_on = resolve; });"
                                                 "imports.gi.GLib.file_set_contents('%s', ''); %s", mark, sources[i]);
      TestAnswer *answer = start (source);

      g_test_message ("%s", sources[i]);
      test_runtime_assert_eval ("typeof go_on", "'function'");
      malt_worker_interrupt (test_runtime_worker);
      assert_interrupted (answer);
      test_runtime_assert_eval ("setTimeout(go_on, 1); delete globalThis.go_on", "true");
      test_mark_await (mark);
      test_runtime_interrupt_until_usable ();
      test_runtime_assert_eval ("await null; 'usable'", "'usable'");
    }
}

/* A promise is waited for while others are answered. */
static void
test_interleaved (void)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *first = start ("let il1; new Promise(resolve => { il1 = resolve; })");
  TestAnswer *second = start ("let il2; await new Promise(resolve => { il2 = resolve; })");

  test_runtime_assert_eval ("il2('second'); null", "@mv nothing");
  test_assert_value (test_answer_wait (second, &error), "'second'");
  g_assert_no_error (error);
  g_assert_false (test_answer_is_there (first));
  test_runtime_assert_eval ("il1('first'); null", "@mv nothing");
  test_assert_value (test_answer_wait (first, &error), "'first'");
  g_assert_no_error (error);
}

/* What is found in `malt` */

static void
test_channels (void)
{
  test_runtime_assert_eval ("const ch1 = new malt.Channel(2); await ch1.put([1, 2]); ch1.putSync('b');"
                            "[ch1.capacity, ch1.isReady(), ch1.closed, await ch1.take(), ch1.takeSync()]",
                            "[<int64 2>, <true>, <false>, <[int64 1, 2]>, <'b'>]");
  test_runtime_assert_eval ("try { new malt.Channel(1).takeSync(0.001) } catch (e) { e.name }", "'TimeoutError'");
  test_runtime_assert_eval ("const ch2 = new Channel(5); for (const x of [1, 2, 3]) ch2.putSync(x); ch2.close();"
                            "let ch3 = 0; for await (const x of ch2) ch3 += x; ch3", "int64 6");
  test_runtime_assert_eval ("try { ch2.takeSync() } catch (e) { e instanceof malt.ChannelClosed }", "true");
  test_runtime_assert_eval ("try { new malt.Channel(0) } catch (e) { e.message }",
                            "'the capacity of a channel is 1 to 2147483647, not 0'");
  test_runtime_assert_eval ("try { ch1.putSync(() => 1) } catch (e) { `${e.name}: ${e.message}` }",
                            "'TypeError: cannot convert a function'");
}

static void
test_malt (void)
{
  g_autoptr (GError) error = NULL;

  test_runtime_assert_eval ("malt.cancelled()", "false");
  test_runtime_assert_eval ("malt.progress(0.5, 'half'); malt.progress(null); malt.progress()", "@mv nothing");
  test_runtime_assert_eval ("[-1, NaN, -Infinity].filter(x => { try { malt.progress(x); return true; }"
                            "catch (e) { return !e.message.startsWith('the fraction'); } }).length", "int64 0");
  test_runtime_assert_eval ("malt.progress(0); malt.progress(1); malt.progress(1 + 2 * Number.EPSILON)", "@mv nothing");
  error = test_runtime_eval_error (NULL, "await malt.host.no.such.function(1, malt.keywords({a: 1}))");
  test_assert_match (error->message, "*HostError*no.such.function*");
  assert_exception ("malt.keywords({a: 1})", "TypeError", "keyword arguments are no value: *", "*");
  assert_exception ("[1, {b: malt.keywords({a: 1})}]", "TypeError", "keyword arguments are no value: *", "*");
  assert_exception ("malt.host.f(malt.keywords({a: 1}), 2)", "TypeError", "keyword arguments are no value: *", "*");
  assert_exception ("malt.hostSync.f(malt.keywords({a: 1}), malt.keywords({}))", "TypeError",
                    "keyword arguments are no value: *", "*");
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    GTestFunc   func;
  } tests[] = {
    { "eval", test_eval },
    { "state", test_state },
    { "modules", test_modules },
    { "await", test_await },
    { "imports", test_imports },
    { "call", test_call },
    { "not-found", test_not_found },
    { "exceptions", test_exceptions },
    { "syntax", test_syntax },
    { "interrupt-loops", test_interrupt_loops },
    { "interrupt-called", test_interrupt_called },
    { "interrupt-blocked", test_interrupt_blocked },
    { "interrupt-promises", test_interrupt_promises },
    { "interrupt-waiting", test_interrupt_waiting },
    { "interrupt-callback", test_interrupt_callback },
    { "interrupt-rest", test_interrupt_rest },
    { "interleaved", test_interleaved },
    { "channels", test_channels },
    { "malt", test_malt },
  };
  gsize i;

  g_test_init (&argc, &argv, NULL);

  for (i = 0; i < G_N_ELEMENTS (tests); i++)
    test_runtime_add ("gjs", "gjs-runtime", tests[i].name, NULL, tests[i].func);
  g_test_add_func ("/gjs-runtime/unhandled", test_unhandled);
  g_test_add_func ("/gjs-runtime/exit", test_exit);
  g_test_add_func ("/gjs-runtime/stop-beginning", test_stop_beginning);

  return g_test_run ();
}
