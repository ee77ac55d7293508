//! Lists, tuples, deques and other rows of references.

use undying_graph::EdgeKind;

use crate::class::Class;
use crate::object;
use crate::space::Body;
use crate::visit::{Context, Name, Out};

/// A row of `count` references from a byte offset on.
pub fn items<O: Out>(body: Body, offset: u32, count: u64, out: &mut O) {
    for (i, item) in body.words(offset, count).enumerate() {
        out.exact(item, EdgeKind::Item, Name::Index(i as u64));
    }
}

/// `list`: items in a block of their own (`Include/cpython/listobject.h`).
pub fn list<O: Out>(cx: &Context, body: Body, out: &mut O) {
    let count = body.signed(object::SIZE).max(0) as u64;
    let block = body.word(cx.layout.list.item);
    out.storage(block);
    if count > 0 {
        items(cx.space.body_or_empty(block), 0, cx.believe(block, 0, count, 8), out);
    }
}

/// `tuple` and its subclasses; a structure sequence has hidden items behind the
/// visible ones ([`Class::hidden_items`]).
pub fn tuple<O: Out>(cx: &Context, class: &Class, address: u64, body: Body, out: &mut O) {
    let count = (body.signed(object::SIZE).max(0) as u64).max(class.hidden_items);
    let header = object::GC_HEADER;
    let count = cx.believe(address.wrapping_sub(header), header + u64::from(cx.layout.tuple.item), count, 8);
    items(body, cx.layout.tuple.item, count, out);
}

/// `collections.deque`: blocks in a doubly linked list (`Modules/_collectionsmodule.c`).
pub fn deque<O: Out>(cx: &Context, body: Body, out: &mut O) {
    let (d, b) = (&cx.layout.deque, &cx.layout.deque_block);
    let per_block = (b.rightlink.saturating_sub(b.data) / 8) as u64;
    let mut left = body.signed(object::SIZE).max(0) as u64;
    let mut at = body.word(d.leftblock);
    let mut index = body.word(d.leftindex).min(per_block);
    let mut position = 0;
    // a torn link may close the chain to a ring: the mark moves at each power of two
    let (mut mark, mut turns) = (0, 0u64);
    while left > 0 && per_block > 0 && at != mark {
        turns += 1;
        if turns.is_power_of_two() {
            mark = at;
        }
        let Some(block) = cx.space.body(at) else { break };
        out.storage(at);
        let here = left.min(per_block - index);
        for item in block.words(b.data + (index * 8) as u32, here) {
            out.exact(item, EdgeKind::Item, Name::Index(position));
            position += 1;
        }
        left -= here;
        index = 0;
        at = block.word(b.rightlink);
    }
}

/// The shared buffer of `itertools.tee` iterators.
pub fn tee_data<O: Out>(cx: &Context, body: Body, out: &mut O) {
    let t = &cx.layout.tee_data;
    items(body, t.values, u64::from(body.half(t.numread)).min(57), out);
}
