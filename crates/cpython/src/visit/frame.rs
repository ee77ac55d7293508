//! Frames: objects up to 3.10, interpreter frames inside a thread's stack, a
//! generator or a frame object since 3.11.  Globals and builtins of an interpreter
//! frame are borrowed.  CPython `Include/internal/pycore_frame.h`,
//! `Objects/frameobject.c`, `Objects/genobject.c`.

use undying_graph::{Certainty, EdgeKind};

use crate::builtin::Visitor;
use crate::class::Class;
use crate::code;
use crate::layout::ABSENT;
use crate::space::Body;
use crate::visit::{Context, Name, Naming, Out, callable};

/// Owner byte of an interpreter frame: a frame object.
const OWNED_BY_FRAME_OBJECT: u8 = 2;
/// No frame has more places than this.
const MOST_PLACES: u64 = 1 << 16;

/// A frame object.
pub fn object<O: Out>(cx: &Context, address: u64, body: Body, out: &mut O) {
    let f = &cx.layout.frame;
    out.exact(body.word(f.trace), EdgeKind::Attr, Name::Known(cx.shape.frame_labels.trace));
    if f.frame == ABSENT {
        return old_object(cx, address, body, out);
    }
    out.exact(body.word(f.back), EdgeKind::Frame, Name::Known(cx.shape.frame_labels.back));
    out.exact(body.word(f.extra_locals), EdgeKind::Attr, Name::None);
    out.exact(body.word(f.locals_cache), EdgeKind::Attr, Name::None);
    let inner = body.word(f.frame);
    let frame = cx.space.body_or_empty(inner);
    out.named(address, Naming::Frame(frame.word(cx.layout.iframe.code), code::frame_line(cx, frame)));
    if frame.byte(cx.layout.iframe.owner) == OWNED_BY_FRAME_OBJECT {
        interpreter_frame(cx, frame, out);
    }
}

/// A frame object up to 3.10, which has everything inside.
fn old_object<O: Out>(cx: &Context, address: u64, body: Body, out: &mut O) {
    let (f, words) = (&cx.layout.frame, &cx.shape.frame_labels);
    out.named(address, Naming::Frame(body.word(f.code), code::frame_object_line(cx, body)));
    out.exact(body.word(f.back), EdgeKind::Frame, Name::Known(words.back));
    out.exact(body.word(f.code), EdgeKind::Attr, Name::Known(words.code));
    out.exact(body.word(f.builtins), EdgeKind::Attr, Name::Known(words.builtins));
    out.exact(body.word(f.globals), EdgeKind::Attr, Name::Known(words.globals));
    out.exact(body.word(f.locals), EdgeKind::Attr, Name::Known(words.locals));
    let places = address.wrapping_add(f.localsplus as u64);
    let stack = body.word(f.valuestack);
    let locals = stack.wrapping_sub(places) / 8;
    if stack < places || locals > MOST_PLACES {
        return;
    }
    let code = cx.space.body_or_empty(body.word(f.code));
    place_locals(cx, code, body, f.localsplus, locals, out);
    let (depth, certainty) = old_stack(cx, body, code, stack);
    for item in cx.space.body_or_empty(stack).words(0, depth.min(MOST_PLACES)) {
        out.edge(item, EdgeKind::Frame, certainty, Name::None);
    }
}

/// How many values are on the stack of an old frame object, and how we know: a frame
/// that runs does not say, so its stack is scanned.
fn old_stack(cx: &Context, body: Body, code: Body, stack: u64) -> (u64, Certainty) {
    let f = &cx.layout.frame;
    let room = u64::from(code.half(cx.layout.code.stacksize));
    if f.stackdepth != ABSENT {
        let depth = body.half(f.stackdepth) as i32;
        return match u64::try_from(depth) {
            Ok(depth) => (depth.min(room), Certainty::Exact),
            Err(_) => (room, Certainty::Conservative),
        };
    }
    match body.word(f.stacktop) {
        // it ended by an exception, which empties the stack (3.8, 3.9: Python/ceval.c,
        // `exit_unwind`; `f_executing` is cleared behind it)
        0 if f.executing != ABSENT && body.byte(f.executing) == 0 => (0, Certainty::Exact),
        0 => (room, Certainty::Conservative),
        top => ((top.saturating_sub(stack) / 8).min(room), Certainty::Exact),
    }
}

/// A generator, coroutine or asynchronous generator.
pub fn generator<O: Out>(cx: &Context, class: &Class, address: u64, body: Body, out: &mut O) {
    let g = &cx.layout.generator;
    if class.visitor == Visitor::Coroutine {
        // a generator has the field too since 3.11, and never writes to it
        let at = if g.origin == ABSENT { cx.layout.coroutine.origin } else { g.origin };
        out.exact(body.word(at), EdgeKind::Attr, Name::Known(cx.shape.origin_label));
    }
    if g.iframe == ABSENT {
        out.named(address, Naming::Code(body.word(g.code), body.word(g.qualname)));
        return out.exact(body.word(g.frame), EdgeKind::Frame, Name::Known(cx.shape.frame_labels.frame));
    }
    let frame = body.from(g.iframe as u64);
    // FRAME_CLEARED is 4: nothing is owned any more (Include/internal/pycore_frame.h)
    if body.byte(g.frame_state) as i8 >= 4 {
        return;
    }
    out.named(address, Naming::Code(frame.word(cx.layout.iframe.code), 0));
    interpreter_frame(cx, frame, out);
}

/// What an interpreter frame owns: function, code, locals dictionary, its frame
/// object, places and evaluation stack.
pub fn interpreter_frame<O: Out>(cx: &Context, frame: Body, out: &mut O) {
    let (i, words) = (&cx.layout.iframe, &cx.shape.frame_labels);
    out.exact(frame.word(i.func), EdgeKind::Frame, Name::Known(words.function));
    out.exact(frame.word(i.code), EdgeKind::Frame, Name::Known(words.code));
    out.exact(frame.word(i.locals), EdgeKind::Attr, Name::Known(words.locals));
    out.exact(frame.word(i.frame_obj), EdgeKind::Frame, Name::Known(words.frame));
    let code = cx.space.body_or_empty(frame.word(i.code));
    let locals = u64::from(code.half(cx.layout.code.nlocalsplus)).min(MOST_PLACES);
    let room = u64::from(code.half(cx.layout.code.stacksize)).min(MOST_PLACES);
    place_locals(cx, code, frame, i.localsplus, locals, out);
    let top = frame.half(i.stacktop) as i32;
    let (depth, certainty) = match u64::try_from(top) {
        Ok(top) => (top.saturating_sub(locals).min(room), Certainty::Exact),
        Err(_) => (room, Certainty::Conservative),
    };
    for item in frame.from(i.localsplus as u64).from(locals * 8).words(0, depth) {
        out.edge(item, EdgeKind::Frame, certainty, Name::None);
    }
}

/// Locals, cells and free variables by name.
fn place_locals<O: Out>(cx: &Context, code: Body, frame: Body, offset: u32, count: u64, out: &mut O) {
    for (n, value) in frame.words(offset, count).enumerate() {
        if value != 0 {
            let name = local_name(cx, code, n as u64).map_or(Name::Index(n as u64), Name::Identifier);
            out.exact(value, EdgeKind::Local, name);
        }
    }
}

/// The name of the n-th place: `co_localsplusnames`, or variable names, then cells,
/// then free variables (up to 3.10).
fn local_name(cx: &Context, code: Body, n: u64) -> Option<u64> {
    let c = &cx.layout.code;
    if c.localsplusnames != ABSENT {
        return callable::tuple_item(cx, code.word(c.localsplusnames), n);
    }
    let mut n = n;
    for names in [c.varnames, c.cellvars, c.freevars] {
        let tuple = code.word(names);
        let len = cx.space.body_or_empty(tuple).word(crate::object::SIZE);
        if n < len {
            return callable::tuple_item(cx, tuple, n);
        }
        n -= len;
    }
    None
}
