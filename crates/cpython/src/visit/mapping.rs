//! Sets, ordered dictionaries and the C `lru_cache`.

use undying_graph::EdgeKind;

use crate::object::{self, flag};
use crate::space::Body;
use crate::visit::{Context, Name, Out, dict};

/// `set` and `frozenset`: a table of key and hash; hash −1 is a deleted entry
/// (`Objects/setobject.c`).
pub fn set<O: Out>(cx: &Context, body: Body, out: &mut O) {
    let (s, e) = (&cx.layout.set, &cx.layout.set_entry);
    let (mask, used) = (body.word(s.mask), body.word(s.used));
    out.storage(body.word(s.table));
    if used == 0 {
        return;
    }
    let table = cx.space.body_or_empty(body.word(s.table));
    let slots = mask.saturating_add(1).min(table.0.len() as u64 / u64::from(e.size.max(1)));
    let slots = cx.believe(body.word(s.table), 0, slots, u64::from(e.size));
    for i in 0..slots {
        let entry = table.from(i * e.size as u64);
        if entry.signed(e.hash) != -1 {
            out.exact(entry.word(e.key), EdgeKind::Item, Name::None);
        }
    }
}

/// `collections.OrderedDict`: a dictionary, and nodes that hold each key once more
/// (`Objects/odictobject.c`).  `od_resize_sentinel` is a copy of the keys pointer
/// and no reference.
pub fn ordered_dict<O: Out>(cx: &Context, address: u64, body: Body, out: &mut O) {
    let (d, n) = (&cx.layout.odict, &cx.layout.odict_node);
    let used = dict::visit(cx, address, body, out);
    let mut at = body.word(d.first);
    for i in 0..used.saturating_add(1) {
        let Some(node) = cx.space.body(at).filter(|_| at != 0) else { break };
        out.storage(at);
        out.exact(node.word(n.key), EdgeKind::Key, Name::Index(i));
        at = node.word(n.next);
    }
}

/// `functools.lru_cache`: the wrapper holds its list's elements, and, as the
/// collector sees it (`lru_cache_tp_traverse`, `Modules/_functoolsmodule.c`), their
/// keys, results and (3.10 on) their class, so the elements are reported as holding nothing.
/// A bounded cache's `next` pointers own one reference to each element.
pub fn lru_cache<O: Out>(cx: &Context, address: u64, body: Body, out: &mut O) {
    let (w, e) = (&cx.layout.lru_cache, &cx.layout.lru_elem);
    let root = address.wrapping_add(u64::from(w.root_next.saturating_sub(e.next)));
    let mut at = body.word(w.root_next);
    // as many elements as the cache's dictionary can hold, whatever the chain says
    let cache = cx.space.body_or_empty(body.word(w.cache));
    let most = dict::parts(cx.space, cx.layout, cache).map_or(0, |p| p.keys.count);
    for i in 0..=most {
        let Some(element) = cx.space.body(at).filter(|_| at != 0 && at != root) else { break };
        out.exact(at, EdgeKind::Item, Name::Index(i));
        out.exact(element.word(e.key), EdgeKind::Key, Name::Index(i));
        out.exact(element.word(e.result), EdgeKind::Value, Name::Index(i));
        let class = element.word(object::TYPE);
        if cx.space.body_or_empty(class).word(cx.layout.type_.flags) & flag::HEAP != 0 {
            out.exact(class, EdgeKind::Attr, Name::Index(i));
        }
        at = element.word(e.next);
    }
}
