//! Interpreters, their threads, and the references that they hold: the roots.
//! CPython `Include/internal/pycore_interp.h`, `pycore_pystate.h`, `Python/pystate.c`.

use rustc_hash::FxHashSet;
use undying_graph::{Certainty, EdgeKind, RootKind};
use undying_memory::Thread;

use crate::class::Class;
use crate::code;
use crate::layout::ABSENT;
use crate::space::Body;
use crate::text;
use crate::visit::{Context, Name, Naming, Out, dict, frame};

const MOST_INTERPRETERS: usize = 256;
const MOST_THREADS: usize = 1 << 16;
const MOST_FRAMES: usize = 1 << 16;
const MOST_CALLBACKS: u64 = 1 << 20;

/// A reference from outside the heap, by address.
#[derive(Clone, Debug)]
pub struct Held {
    /// What is held.
    pub target: u64,
    /// By what.
    pub kind: RootKind,
    /// Its name.
    pub label: String,
    /// A stale word on a running frame's stack may look like this.
    pub certain: bool,
}

/// Addresses of a linked list of structures.
fn list(cx: &Context, first: u64, next: u32, most: usize) -> Vec<u64> {
    let (mut found, mut seen) = (Vec::new(), FxHashSet::default());
    let mut at = first;
    while at != 0 && found.len() < most && seen.insert(at) {
        let Some(body) = cx.space.body(at) else { break };
        found.push(at);
        at = body.word(next);
    }
    found
}

/// All interpreters.
pub fn interpreters(cx: &Context, runtime: u64) -> Vec<u64> {
    let head = cx.space.body_or_empty(runtime).word(cx.layout.runtime.interpreters_head);
    list(cx, head, cx.layout.interp.next, MOST_INTERPRETERS)
}

/// The threads of an interpreter.
pub fn threads(cx: &Context, interpreter: u64) -> Vec<u64> {
    let head = cx.space.body_or_empty(interpreter).word(cx.layout.interp.threads_head);
    list(cx, head, cx.layout.thread.next, MOST_THREADS)
}

/// Everything that an interpreter and its threads hold.
pub fn held(cx: &Context, interpreter: u64, collector: u64, native: &[Thread]) -> Vec<Held> {
    let mut found = Vec::new();
    let body = cx.space.body_or_empty(interpreter);
    let mut hold = |target: u64, kind, label: &str| {
        if target != 0 {
            found.push(Held { target, kind, label: label.to_owned(), certain: true });
        }
    };
    let i = &cx.layout.interp;
    for (label, at) in [
        ("sys.modules", i.modules),
        ("sys.__dict__", i.sysdict),
        ("builtins.__dict__", i.builtins),
        ("builtins copy", i.builtins_copy),
        ("interpreter's dictionary", i.dict),
        ("modules by index", i.modules_by_index),
        ("importlib", i.importlib),
        ("__import__", i.import_func),
        ("codec search path", i.codec_search_path),
        ("codec search cache", i.codec_search_cache),
        ("codec error handlers", i.codec_error_registry),
        ("audit hooks", i.audit_hooks),
    ] {
        hold(body.word(at), RootKind::Interpreter, label);
    }
    for (label, at) in [
        ("before fork", i.before_forkers),
        ("after fork in the parent", i.after_forkers_parent),
        ("after fork in the child", i.after_forkers_child),
    ] {
        hold(body.word(at), RootKind::Fork, label);
    }
    let gc = cx.space.body_or_empty(collector);
    hold(gc.word(cx.layout.gc_state.garbage), RootKind::Interpreter, "gc.garbage");
    hold(gc.word(cx.layout.gc_state.callbacks), RootKind::Interpreter, "gc.callbacks");
    modules(cx, body.word(i.modules), &mut found);
    exit_roots(cx, body, &mut found);
    for state in threads(cx, interpreter) {
        thread(cx, state, native, &mut found);
    }
    found
}

/// Each module in `sys.modules`: a name for its root, not one more reference.
fn modules(cx: &Context, address: u64, found: &mut Vec<Held>) {
    for (key, module) in dict::entries(cx.space, cx.layout, address) {
        let label = text::text(cx.space, cx.layout, key).unwrap_or_default();
        found.push(Held { target: module, kind: RootKind::Module, label, certain: true });
    }
}

/// `atexit` callbacks are the interpreter's since 3.10; before that they are in the
/// module's state, and the module reports them.
fn exit_roots(cx: &Context, interpreter: Body, found: &mut Vec<Held>) {
    if cx.layout.interp.atexit == ABSENT {
        let module = interpreter.word(cx.layout.interp.pyexitmodule);
        if module != 0 {
            found.push(Held { target: module, kind: RootKind::Atexit, label: "atexit module".into(), certain: true });
        }
        return;
    }
    for (target, label) in exit_callbacks(cx, interpreter.from(u64::from(cx.layout.interp.atexit))) {
        found.push(Held { target, kind: RootKind::Atexit, label: label.into(), certain: true });
    }
}

/// Functions and arguments in the table of `atexit` callbacks
/// (`struct atexit_state`; `atexitmodule_state` up to 3.9).
pub fn exit_callbacks(cx: &Context, state: Body) -> Vec<(u64, &'static str)> {
    let (a, c) = (&cx.layout.atexit, &cx.layout.atexit_callback);
    let count = u64::try_from(state.half(a.ncallbacks) as i32).unwrap_or(0).min(MOST_CALLBACKS);
    let callbacks = cx.space.body_or_empty(state.word(a.callbacks));
    let parts = [(c.func, "atexit callback"), (c.args, "callback's arguments"), (c.kwargs, "callback's keywords")];
    let each = callbacks.words(0, count).flat_map(|callback| {
        let body = cx.space.body_or_empty(callback);
        parts.map(|(at, label)| (body.word(at), label))
    });
    each.filter(|e| e.0 != 0).collect()
}

/// What a thread state holds, and its frames.
fn thread(cx: &Context, address: u64, native: &[Thread], found: &mut Vec<Held>) {
    let t = &cx.layout.thread;
    let body = cx.space.body_or_empty(address);
    let name = thread_name(cx, body, native);
    let exc = body.from(u64::from(t.exc_state));
    let e = &cx.layout.exc_item;
    for (label, target) in [
        ("dictionary", body.word(t.dict)),
        ("context", body.word(t.context)),
        ("current exception", body.word(t.current_exception)),
        ("current exception's type", body.word(t.curexc_type)),
        ("current exception", body.word(t.curexc_value)),
        ("current traceback", body.word(t.curexc_traceback)),
        ("handled exception's type", exc.word(e.type_)),
        ("handled exception", exc.word(e.value)),
        ("handled traceback", exc.word(e.traceback)),
        ("asynchronous exception", body.word(t.async_exc)),
        ("asynchronous generator hook", body.word(t.async_gen_firstiter)),
        ("asynchronous generator finalizer", body.word(t.async_gen_finalizer)),
        ("profile function's argument", body.word(t.profile_object)),
        ("trace function's argument", body.word(t.trace_object)),
        ("thread-local key", body.word(t.threading_local_key)),
        ("thread-local sentinel", body.word(t.threading_local_sentinel)),
    ] {
        if target != 0 {
            let label = format!("{name} · {label}");
            found.push(Held { target, kind: RootKind::Thread, label, certain: true });
        }
    }
    if cx.layout.iframe.size == ABSENT {
        // whoever runs a frame has a reference to it (Python/ceval.c, Objects/call.c)
        for target in list(cx, body.word(t.frame), cx.layout.frame.back, MOST_FRAMES) {
            let label = format!("{name} · running frame");
            found.push(Held { target, kind: RootKind::Frame, label, certain: true });
        }
        return;
    }
    frames(cx, body, &name, found);
}

/// `main thread`, or the kernel's number of it.
fn thread_name(cx: &Context, body: Body, native: &[Thread]) -> String {
    let t = &cx.layout.thread;
    let known = match t.native_thread_id {
        ABSENT => native.iter().find(|n| n.registers.fs_base == body.word(t.thread_id)),
        at => native.iter().find(|n| n.tid as u64 == body.word(at)),
    };
    match known {
        Some(n) if native.first().is_some_and(|m| m.tid == n.tid) => "main thread".into(),
        Some(n) => format!("thread {}", n.tid),
        None => "thread".into(),
    }
}

/// The frames of a running thread, innermost first (3.11 on): they are no objects.
fn frames(cx: &Context, thread: Body, name: &str, found: &mut Vec<Held>) {
    let (t, i) = (&cx.layout.thread, &cx.layout.iframe);
    let first = match t.cframe {
        ABSENT => thread.word(t.current_frame),
        at => cx.space.body_or_empty(thread.word(at)).word(cx.layout.cframe.current_frame),
    };
    for at in list(cx, first, i.previous, MOST_FRAMES) {
        let frame = cx.space.body_or_empty(at);
        // 0: owned by the thread; a generator's and a frame object's are told by these;
        // from 3 on it is a shim without references
        if frame.byte(i.owner) == 0 {
            let mut out = FrameOut { cx, found, name: format!("{name} · {}", frame_name(cx, frame)) };
            frame::interpreter_frame(cx, frame, &mut out);
        }
    }
}

/// `function (file:line)` of a frame, the line being the one it is at.
fn frame_name(cx: &Context, frame: Body) -> String {
    let code = frame.word(cx.layout.iframe.code);
    let name = code::name(cx, code).unwrap_or_else(|| "?".into());
    let file = cx.space.body_or_empty(code).word(cx.layout.code.filename);
    let file = text::text(cx.space, cx.layout, file).unwrap_or_default();
    format!("{name} ({file}:{})", code::frame_line(cx, frame))
}

/// Takes the references of a thread's frame as roots.
struct FrameOut<'o, 'a> {
    cx: &'o Context<'a>,
    found: &'o mut Vec<Held>,
    name: String,
}

impl Out for FrameOut<'_, '_> {
    fn edge(&mut self, target: u64, kind: EdgeKind, certainty: Certainty, name: Name) {
        if target == 0 {
            return;
        }
        let what = match (kind, name) {
            (EdgeKind::Local, Name::Identifier(s)) => {
                text::text(self.cx.space, self.cx.layout, s).map_or_else(|| "local".into(), |t| format!("local {t}"))
            }
            (_, Name::Known(l)) => self.cx.classes.text(l),
            _ => "evaluation stack".into(),
        };
        let label = format!("{} · {what}", self.name);
        let certain = certainty != Certainty::Conservative;
        let kind = if certain { RootKind::Frame } else { RootKind::Stack };
        self.found.push(Held { target, kind, label, certain });
    }

    fn owns_keys(&mut self, _keys: u64, _owner: u64, _strong: bool) -> bool {
        false
    }

    fn opaque(&mut self, _class: &Class, _address: u64, _body: Body) {}

    fn raw(&mut self, _address: u64, _length: u64) {}

    fn named(&mut self, _address: u64, _name: Naming) {}
}
