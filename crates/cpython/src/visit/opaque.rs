//! Words that nothing explains: the bodies of unknown C types and the raw blocks
//! they own, one level deep.  A word that equals the address of an object is taken
//! for a reference and marked as such; an object's pointer to itself is borrowed.

use undying_graph::{Certainty, EdgeKind};

use crate::class::Class;
use crate::object;
use crate::space::Body;
use crate::visit::Context;

/// A raw block longer than this is data, not a table of references.
const LONGEST_BLOCK: u64 = 1 << 28;

/// Which words of an object are references, and what takes them.
pub trait Finder {
    /// Whether an object lies there.
    fn is_object(&mut self, address: u64) -> bool;
    /// A reference was found.
    fn found(&mut self, target: u64, kind: EdgeKind, offset: u64);
    /// Whether this raw block was not scanned before; it is from now on.
    fn claim(&mut self, start: u64) -> bool;
}

/// Scan the unexplained words of an instance.
pub fn scan<F: Finder>(cx: &Context, class: &Class, address: u64, body: Body, finder: &mut F) {
    for &(from, to) in &class.scan {
        let words = u64::from(to.saturating_sub(from)) / 8;
        for (i, word) in body.words(from, words).enumerate() {
            one(cx, class, address, word, u64::from(from) + i as u64 * 8, finder);
        }
    }
    if class.scan_items {
        let items = body.signed(object::SIZE).unsigned_abs().saturating_mul(u64::from(class.itemsize));
        for (i, word) in body.words(class.basicsize.next_multiple_of(8), items / 8).enumerate() {
            one(cx, class, address, word, u64::from(class.basicsize) + i as u64 * 8, finder);
        }
    }
}

fn one<F: Finder>(cx: &Context, class: &Class, address: u64, word: u64, offset: u64, finder: &mut F) {
    if word < 0x1000 || !word.is_multiple_of(8) || word == address {
        return;
    }
    if finder.is_object(word) {
        finder.found(word, EdgeKind::Unknown, offset);
    } else if class.follow_raw
        && let Some(block) = cx.allocator.block_in_use(word).filter(|b| b.start == word)
    {
        raw(cx, address, block.start, block.length, finder);
    }
}

/// Scan a block of known owner and length (a module's state), and the raw blocks it
/// points to: tables that the module made of its own types.
pub fn state<F: Finder>(cx: &Context, start: u64, length: u64, finder: &mut F) {
    for (i, word) in cx.space.body_or_empty(start).words(0, length.min(LONGEST_BLOCK) / 8).enumerate() {
        if word < 0x1000 || !word.is_multiple_of(8) {
            continue;
        }
        if finder.is_object(word) {
            finder.found(word, EdgeKind::Native, i as u64 * 8);
        } else if let Some(block) = cx.allocator.block_in_use(word).filter(|b| b.start == word) {
            raw(cx, start, block.start, block.length, finder);
        }
    }
}

/// Scan a raw block, once.
pub fn raw<F: Finder>(cx: &Context, owner: u64, start: u64, length: u64, finder: &mut F) {
    if length > LONGEST_BLOCK || !finder.claim(start) {
        return;
    }
    for (i, word) in cx.space.body_or_empty(start).words(0, length / 8).enumerate() {
        if word >= 0x1000 && word.is_multiple_of(8) && word != owner && finder.is_object(word) {
            finder.found(word, EdgeKind::Native, i as u64 * 8);
        }
    }
}

/// The certainty of everything found here.
pub const CERTAINTY: Certainty = Certainty::Conservative;
