//! Functions and code objects: what their tables of fixed places do not say.

use undying_graph::EdgeKind;

use crate::layout::ABSENT;
use crate::object;
use crate::space::Body;
use crate::visit::{Context, Name, Naming, Out};

/// A function's own name is its code's; the cells of its closure are named after the
/// free variables.
pub fn function<O: Out>(cx: &Context, address: u64, body: Body, out: &mut O) {
    let f = &cx.layout.function;
    out.named(address, Naming::Code(body.word(f.code), body.word(f.qualname)));
    let closure = body.word(f.closure);
    if closure == 0 {
        return;
    }
    let Some(cells) = cx.space.body(closure) else { return };
    let count = cells.word(object::SIZE).min(256);
    let code = cx.space.body_or_empty(body.word(f.code));
    for (i, cell) in cells.words(cx.layout.tuple.item, count).enumerate() {
        if let Some(name) = free_name(cx, code, i as u64) {
            out.named(cell, Naming::Text(name));
        }
    }
}

/// The name of a code object's free variable (`co_freevars`; the last of
/// `co_localsplusnames` since 3.11).
fn free_name(cx: &Context, code: Body, i: u64) -> Option<u64> {
    let c = &cx.layout.code;
    let (names, skip) = if c.localsplusnames != ABSENT {
        let all = u64::from(code.half(c.nlocalsplus));
        (code.word(c.localsplusnames), all.checked_sub(u64::from(code.half(c.nfreevars)))?)
    } else {
        (code.word(c.freevars), 0)
    };
    tuple_item(cx, names, skip.checked_add(i)?)
}

/// An item of the tuple at an address.
pub fn tuple_item(cx: &Context, tuple: u64, i: u64) -> Option<u64> {
    let body = cx.space.body(tuple).filter(|_| tuple != 0)?;
    (i < body.word(object::SIZE))
        .then(|| body.from(cx.layout.tuple.item as u64).from(i.checked_mul(8)?).word(0).into())?
}

/// A code object owns what its table says and four cached objects (3.12 on);
/// `co_zombieframe`, `co_opcache`, `co_extra`, inline caches are not references.
pub fn code<O: Out>(cx: &Context, address: u64, body: Body, out: &mut O) {
    out.named(address, Naming::Code(address, 0));
    let c = &cx.layout.code_cached;
    let cached = match cx.layout.code.cached {
        ABSENT => 0,
        at => body.word(at),
    };
    if cached != 0 && c.size != ABSENT {
        out.storage(cached);
        let Some(cached) = cx.space.body(cached) else { return };
        for at in [c.code, c.varnames, c.cellvars, c.freevars] {
            out.exact(cached.word(at), EdgeKind::Attr, Name::None);
        }
    }
}
