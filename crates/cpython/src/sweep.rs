//! Objects that no list and no reference leads to: found by their blocks.  A block that
//! holds an object has the object's header, a class, links that fit, and the length
//! that such an object takes; anything else is raw memory.

use crate::allocator::Block;
use crate::builtin::SizeRule;
use crate::class::Class;
use crate::index::AddressSet;
use crate::object::{self, flag};
use crate::size;
use crate::space::Body;
use crate::visit::Context;

/// Bytes that may lie before an object in its block (`object::before`).
const BEFORE: [u64; 3] = [0, 16, 32];
/// Of an object: its count and its class.
const HEADER: u64 = 16;
/// An array of pointers has its length before them, a split dictionary's values up to 32
/// bytes (`_Py_SIZE_ROUND_UP(usable + 2, 8)`, 3.11 and 3.12): what owns them points inside.
const WORDS: u64 = 5;

/// A place of the block that is in one of the sets: the object or the table that lives there.
pub fn known(cx: &Context, objects: &AddressSet, tables: &AddressSet, block: Block) -> bool {
    objects.any(tables, cx.space.image, block.start, WORDS.min(block.length / 8) as u32)
}

/// The class of the word at an address, by a test that remembers nothing: most words are
/// no class.
pub fn may_be_class(cx: &Context, address: u64) -> bool {
    let meta = cx.space.body(address).filter(|_| address.is_multiple_of(8)).map_or(0, |b| b.word(object::TYPE));
    cx.space.body(meta).is_some_and(|b| b.word(cx.layout.type_.flags) & flag::TYPE_SUBCLASS != 0)
}

/// The places of a block where an object could begin.
pub fn candidates(cx: &Context, block: Block) -> impl Iterator<Item = u64> {
    let body = cx.space.body_or_empty(block.start);
    BEFORE
        .into_iter()
        .filter(move |&b| b + 16 <= block.length && may_be_class(cx, body.from(b).word(object::TYPE)))
        .map(move |b| block.start + b)
}

/// Whether an object of this class takes a block of this length.
pub fn fits(cx: &Context, class: &Class, body: Body, block: Block) -> bool {
    let before = object::before(class.flags);
    let Some(room) = block.length.checked_sub(before) else { return false };
    let need = in_block(cx, class, body);
    // allocators round up; strings and bytes that shrink keep up to a quarter more; one
    // item more is asked for by `PyType_GenericAlloc`
    let inline = class.has(flag::INLINE_VALUES);
    let slack = need / 3 + 48 + u64::from(class.itemsize);
    need <= room && (inline || room - need <= slack)
}

/// What is left of an object that nobody refers to any more, kept in a block for the next of
/// its class: code's own frame and the list of frames (`Objects/frameobject.c`, up to 3.10),
/// lists of containers.  Only the header counts: some keep the reference to their class
/// (`Modules/_asynciomodule.c`, 3.12).
pub fn dead(cx: &Context, block: Block) -> Option<Block> {
    let is_dead = |address: &u64| {
        let body = cx.space.body_or_empty(*address);
        let class = cx.classes.at(cx.space, cx.layout, body.word(object::TYPE)).and_then(|n| cx.classes.get(n));
        // a dead frame's code may be gone, so how long it is cannot be told
        body.word(0) == 0 && class.is_some_and(|c| c.size == SizeRule::Frame || fits(cx, c, body, block))
    };
    candidates(cx, block).find(is_dead).map(|start| Block { start, length: HEADER })
}

/// Bytes of an object in the block where its header is.
fn in_block(cx: &Context, class: &Class, body: Body) -> u64 {
    let basic = u64::from(class.basicsize);
    match class.size {
        SizeRule::Str => size::str_in_block(cx.layout, class, body),
        SizeRule::Int | SizeRule::Frame | SizeRule::Generator => size::of_body(cx, class, body),
        SizeRule::Type => {
            let members = body.signed(object::SIZE).unsigned_abs().min(1 << 16);
            basic.saturating_add(members.saturating_mul(u64::from(cx.layout.member_def.size)))
        }
        SizeRule::Plain | SizeRule::Code if class.itemsize > 0 => {
            let items = body.signed(object::SIZE).unsigned_abs();
            basic.saturating_add(items.saturating_mul(u64::from(class.itemsize)))
        }
        _ => basic,
    }
}
