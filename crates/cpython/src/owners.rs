//! Which variable a C allocation hangs on: variables of libraries point to allocations, and
//! these to others (a linked list, a table of buckets).  A pointer to an allocation's start
//! is taken for ownership; the first way found, breadth first, is the name.

use rustc_hash::FxHashMap;

use crate::allocator::Block;
use crate::visit::Context;

/// Allocations farther from a variable than this keep no name.
const FARTHEST: u32 = 64;
/// Longer allocations are data, and not looked into for pointers.
const LONGEST: u64 = 1 << 20;

/// Names of allocations by their start.
pub struct Owners(FxHashMap<u64, u64>);

impl Owners {
    /// For the allocations that no object owns.
    pub fn find(cx: &Context, raw: &[Block]) -> Owners {
        let lengths: FxHashMap<u64, u64> = raw.iter().map(|b| (b.start, b.length)).collect();
        let mut variable: FxHashMap<u64, u64> = FxHashMap::default();
        let mut reached: Vec<u64> = Vec::new();
        // the interpreter's own variables last: its tables point everywhere
        let (own, others): (Vec<_>, Vec<_>) = cx.statics.parts().partition(|p| cx.statics.is_interpreter(p.0));
        // a library's data begins with what is made read-only, which is not copied
        for (start, end) in others.into_iter().chain(own).flat_map(|part| cx.space.image.within(part)) {
            let from = start.next_multiple_of(8);
            let words = end.saturating_sub(from) / 8;
            for (i, word) in cx.space.body_or_empty(from).words(0, words).enumerate() {
                if lengths.contains_key(&word) && !variable.contains_key(&word) {
                    variable.insert(word, from + i as u64 * 8);
                    reached.push(word);
                }
            }
        }
        for _ in 0..FARTHEST {
            if reached.is_empty() {
                break;
            }
            for block in std::mem::take(&mut reached) {
                let (name, length) = (variable[&block], lengths[&block].min(LONGEST));
                for word in cx.space.body_or_empty(block).words(0, length / 8) {
                    if lengths.contains_key(&word) && !variable.contains_key(&word) {
                        variable.insert(word, name);
                        reached.push(word);
                    }
                }
            }
        }
        Owners(variable)
    }

    /// The variable's address.
    pub fn of(&self, block: &Block) -> Option<u64> {
        self.0.get(&block.start).copied()
    }
}
