//! Class objects: static and made at run time.
//! CPython `Objects/typeobject.c`, `Include/cpython/object.h` (3.8 to 3.13).

use undying_graph::{Certainty, EdgeKind};

use crate::object::{self, flag};
use crate::space::Body;
use crate::visit::{Context, Name, Naming, Out, dict};

/// A class.  A static builtin type's dictionary and subclasses are kept by the
/// interpreter since 3.12; a static type does not own the base that its source names.
pub fn class<O: Out>(cx: &Context, address: u64, body: Body, out: &mut O) {
    let t = &cx.layout.type_;
    let words = &cx.shape.class_labels;
    let heap = body.word(t.flags) & flag::HEAP != 0;
    out.named(address, Naming::Class);
    let state = cx.classes.statics().get(address);
    let dictionary = state.map_or_else(|| body.word(t.dict), |s| s.dict);
    let subclasses = state.map_or_else(|| body.word(t.subclasses), |s| s.subclasses);
    out.exact(dictionary, EdgeKind::Attr, Name::Known(words.dict));
    out.exact(body.word(t.bases), EdgeKind::Attr, Name::Known(words.bases));
    out.exact(body.word(t.mro), EdgeKind::Attr, Name::Known(words.mro));
    if is_pointer_to_object(cx, body.word(t.cache)) {
        out.exact(body.word(t.cache), EdgeKind::Attr, Name::Known(words.cache));
    }
    if is_pointer_to_object(cx, subclasses) {
        out.exact(subclasses, EdgeKind::Attr, Name::Known(words.subclasses));
    }
    if !heap {
        implicit_base(cx, body.word(t.base), out);
        return;
    }
    let h = &cx.layout.heap_type;
    out.exact(body.word(t.base), EdgeKind::Base, Name::None);
    out.exact(body.word(h.name), EdgeKind::Attr, Name::Known(words.name));
    out.exact(body.word(h.qualname), EdgeKind::Attr, Name::Known(words.qualname));
    out.exact(body.word(h.slots), EdgeKind::Attr, Name::Known(words.slots));
    out.exact(body.word(h.module), EdgeKind::Attr, Name::Known(words.module));
    dict::cached_keys(cx, body.word(h.cached_keys), address, out);
}

/// Up to 3.9 `PyType_Ready` gave a static type without a base a counted reference to
/// `object`; one whose source names `object` has none, which looks the same.
fn implicit_base<O: Out>(cx: &Context, base: u64, out: &mut O) {
    let is_object = cx.space.body(base).is_some_and(|b| b.word(cx.layout.type_.base) == 0);
    if cx.layout.version < (3, 10) && is_object {
        out.edge(base, EdgeKind::Base, Certainty::Member, Name::None);
    }
}

/// `tp_subclasses` of a static builtin type holds a number since 3.12, `tp_cache` may
/// hold anything in old ones: only what looks like an object is one.
fn is_pointer_to_object(cx: &Context, address: u64) -> bool {
    address > 0xffff
        && cx.space.body(address).is_some_and(|b| {
            let class = b.word(object::TYPE);
            cx.classes.at(cx.space, cx.layout, class).is_some()
        })
}
