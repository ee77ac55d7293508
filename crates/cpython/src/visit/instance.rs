//! What instances have beside the structure of their class: attribute values, the
//! attribute dictionary; modules and objects with a time zone.

use undying_graph::EdgeKind;

use crate::builtin::Visitor;
use crate::class::Class;
use crate::interpreter;
use crate::layout::ABSENT;
use crate::object::{self, flag};
use crate::select::Attributes;
use crate::space::Body;
use crate::visit::{Context, Name, Naming, Out, dict};

/// Attribute values and `__dict__`, wherever this version keeps them.
#[inline]
pub fn attributes<O: Out>(cx: &Context, class: &Class, address: u64, body: Body, out: &mut O) {
    if class.has(flag::MANAGED_DICT) && cx.shape.attributes != Attributes::Dictionary {
        return managed(cx, class, address, body, out);
    }
    let own = matches!(class.visitor, Visitor::Type | Visitor::Module);
    if class.dictoffset == 0 || own {
        return;
    }
    let at = match u32::try_from(class.dictoffset) {
        Ok(offset) => body.word(offset),
        Err(_) => {
            // negative: from the end of the variable part (`_PyObject_GetDictPtr`)
            let items = body.signed(object::SIZE).unsigned_abs().saturating_mul(class.itemsize as u64);
            let size = (class.basicsize as u64).saturating_add(items).saturating_add(7) & !7;
            body.from(size.wrapping_add(class.dictoffset as u64)).word(0)
        }
    };
    out.exact(at, EdgeKind::Attr, Name::Known(cx.shape.dict_label));
}

/// Values and dictionary before the object (3.11: two words; 3.12: one tagged word;
/// 3.13: the dictionary's word, values behind the object).
/// `Include/internal/pycore_object.h`, `Objects/dictobject.c`.
fn managed<O: Out>(cx: &Context, class: &Class, address: u64, body: Body, out: &mut O) {
    let before = |words: u64| address.checked_sub(words * 8).and_then(|a| cx.space.body(a)).map_or(0, |b| b.word(0));
    let slot = before(3);
    let (dictionary, values) = match cx.shape.attributes {
        Attributes::Dictionary => return,
        Attributes::TwoWords => (slot, before(4)),
        Attributes::Tagged if slot & 1 == 1 => (0, slot + 1),
        Attributes::Tagged => (slot, 0),
        Attributes::Inline => {
            let inline = class.has(flag::INLINE_VALUES) && {
                let v = body.from(class.basicsize as u64);
                v.byte(cx.layout.dict_values.valid) == 1
            };
            (slot, if inline { address.wrapping_add(class.basicsize as u64) } else { 0 })
        }
    };
    out.exact(dictionary, EdgeKind::Attr, Name::Known(cx.shape.dict_label));
    if values == 0 {
        return;
    }
    let Some(keys) = dict::Keys::at(cx.space, cx.layout, class.cached_keys) else { return };
    out.storage(values);
    let block = cx.space.body_or_empty(values);
    let capacity = match cx.layout.dict_values.capacity {
        ABSENT => keys.count,
        at => u64::from(block.byte(at)),
    };
    let values = block.from(dict::values_start(cx.layout));
    for (i, value) in values.words(0, keys.count.min(capacity)).enumerate() {
        if value != 0 {
            out.exact(value, EdgeKind::Attr, Name::Key(keys.entry(i as u64).0, i as u64));
        }
    }
}

/// A module, and the raw block of its state.
pub fn module<O: Out>(cx: &Context, address: u64, body: Body, out: &mut O) {
    out.named(address, Naming::Text(body.word(cx.layout.module.name)));
    if address == cx.exit_module && address != 0 {
        for (target, _) in interpreter::exit_callbacks(cx, cx.space.body_or_empty(body.word(cx.layout.module.state))) {
            out.exact(target, EdgeKind::Attr, Name::Known(cx.shape.callback_label));
        }
        return;
    }
    let state = body.word(cx.layout.module.state);
    let definition = cx.space.body_or_empty(body.word(cx.layout.module.def));
    let size = definition.signed(cx.layout.module_def.size_field);
    if state != 0 && (1..=1 << 20).contains(&size) {
        out.raw(state, size as u64);
    }
}

/// An element of `xml.etree` (`Modules/_elementtree.c`): the lowest bit of text and tail
/// is a flag; children in a block of their own past the fourth.
pub fn element<O: Out>(cx: &Context, body: Body, out: &mut O) {
    let (e, x) = (&cx.layout.element, &cx.layout.element_extra);
    out.exact(body.word(e.tag), EdgeKind::Attr, Name::Known(cx.shape.element_labels[0]));
    out.exact(body.word(e.text) & !1, EdgeKind::Attr, Name::Known(cx.shape.element_labels[1]));
    out.exact(body.word(e.tail) & !1, EdgeKind::Attr, Name::Known(cx.shape.element_labels[2]));
    let Some(extra) = cx.space.body(body.word(e.extra)) else { return };
    out.exact(extra.word(x.attrib), EdgeKind::Attr, Name::Known(cx.shape.element_labels[3]));
    out.storage(body.word(e.extra));
    out.storage(extra.word(x.children));
    let children = cx.space.body_or_empty(extra.word(x.children));
    for (i, child) in children.words(0, extra.word(x.length)).enumerate() {
        out.exact(child, EdgeKind::Item, Name::Index(i as u64));
    }
}

/// `datetime` and `time`: the zone's field exists only when the flag says so.
pub fn zoned<O: Out>(body: Body, flag: u32, zone: u32, out: &mut O) {
    if body.byte(flag) == 1 {
        out.exact(body.word(zone), EdgeKind::Attr, Name::None);
    }
}
