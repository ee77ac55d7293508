//! The collector's lists and settings.
//! CPython `Modules/gcmodule.c`, `Include/internal/pycore_gc.h` (3.8 to 3.13).

use crate::layout::{ABSENT, Layout};
use crate::object::{GC_HEADER, PREV_FLAGS};
use crate::space::Space;

/// Three generations, youngest first.
pub const GENERATIONS: u64 = 3;

/// One interpreter's collector.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    /// Address of the state structure.
    pub state: u64,
    /// Addresses of the lists' heads, youngest first.
    pub generations: Vec<u64>,
    /// The head of the permanent generation (`gc.freeze`).
    pub permanent: u64,
    /// `gc.isenabled()`.
    pub enabled: bool,
    /// `gc.get_threshold()`.
    pub thresholds: Vec<i64>,
    /// `gc.get_count()`.
    pub counts: Vec<i64>,
    /// The lists were found by their shape, not by the table.
    pub by_shape: bool,
    /// Heads whose list was being changed: one of its two ends does not lead back.
    pub torn_heads: u64,
}

/// Where an interpreter's collector state lies: in the runtime (3.8), in the interpreter.
pub fn state_address(layout: &Layout, runtime: u64, interpreter: u64) -> u64 {
    match layout.interp.gc {
        ABSENT => runtime.wrapping_add(layout.runtime.gc as u64),
        inside => interpreter.wrapping_add(inside as u64),
    }
}

/// How well a head of a doubly linked list lies there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Head {
    /// Both ends lead back to it.
    Linked,
    /// Both are heads of objects, and one does not lead back: a thread was stopped
    /// between two stores of `_PyObject_GC_TRACK` or `_PyObject_GC_UNTRACK`.
    Torn,
    /// None.
    No,
}

fn head(space: &Space, layout: &Layout, at: u64) -> Head {
    let g = &layout.gc_head;
    let Some(body) = space.body(at) else { return Head::No };
    let (next, prev) = (body.word(g.next), body.word(g.prev) & !PREV_FLAGS);
    let (Some(after), Some(before)) = (space.body(next), space.body(prev)) else { return Head::No };
    let back = after.word(g.prev) & !PREV_FLAGS == at;
    let forth = before.word(g.next) == at;
    match (back, forth) {
        (true, true) => Head::Linked,
        (true, false) | (false, true) => Head::Torn,
        // the first object of an empty list: only the head's own next is set yet
        (false, false) if prev == at && next != 0 => Head::Torn,
        (false, false) => Head::No,
    }
}

fn heads(space: &Space, layout: &Layout, first: u64) -> impl Iterator<Item = Head> {
    (0..GENERATIONS).map(move |i| head(space, layout, first.wrapping_add(i * layout.gc_generation.size as u64)))
}

fn are_generations(space: &Space, layout: &Layout, first: u64) -> bool {
    heads(space, layout, first).all(|h| h == Head::Linked)
}

/// The heads that the table's place holds, when a single one of them is torn: one
/// thread at a time changes the lists.
fn torn_in_place(space: &Space, layout: &Layout, first: u64) -> bool {
    let torn = heads(space, layout, first).filter(|&h| h == Head::Torn).count();
    torn == 1 && heads(space, layout, first).all(|h| h != Head::No)
}

/// Read a collector.  If the table's place does not hold three linked heads (they
/// moved by 4 bytes between 3.13.0 and 3.13.18), they are looked for nearby.
pub fn read(space: &Space, layout: &Layout, state: u64) -> Option<Collector> {
    let expected = state.wrapping_add(layout.gc_state.generations as u64);
    let around = || (0..512u64).map(|i| expected.wrapping_sub(1024).wrapping_add(i * 4));
    let (first, torn_heads) = if are_generations(space, layout, expected) {
        (expected, 0)
    } else if torn_in_place(space, layout, expected) {
        (expected, 1)
    } else {
        (around().find(|&a| are_generations(space, layout, a))?, 0)
    };
    let shift = first.wrapping_sub(expected);
    let generations: Vec<u64> = (0..GENERATIONS).map(|i| first + i * layout.gc_generation.size as u64).collect();
    let body = space.body(first)?;
    let number = |i: u64, at: u32| body.from(i * layout.gc_generation.size as u64).half(at) as i32 as i64;
    let is_head = |at: u64| head(space, layout, at) == Head::Linked;
    let permanent = state.wrapping_add(layout.gc_state.permanent_generation as u64).wrapping_add(shift);
    let permanent =
        if is_head(permanent) { permanent } else { state.wrapping_add(layout.gc_state.permanent_generation as u64) };
    Some(Collector {
        state,
        enabled: space.body_or_empty(state).half(layout.gc_state.enabled) != 0,
        thresholds: (0..GENERATIONS).map(|i| number(i, layout.gc_generation.threshold)).collect(),
        counts: (0..GENERATIONS).map(|i| number(i, layout.gc_generation.count)).collect(),
        permanent: if is_head(permanent) { permanent } else { 0 },
        generations,
        by_shape: first != expected,
        torn_heads,
    })
}

/// Call `f` with every object of a list; how many links were wrong.  Never longer
/// than there is memory for objects.
pub fn walk(space: &Space, layout: &Layout, head: u64, mut f: impl FnMut(u64)) -> u64 {
    let g = &layout.gc_head;
    let mut wrong = 0;
    let mut before = head;
    let mut at = space.body_or_empty(head).word(g.next);
    let mut left = space.image.len() / 32;
    while at != head && at != 0 && left > 0 {
        let Some(body) = space.body(at) else { return wrong + 1 };
        wrong += u64::from(body.word(g.prev) & !PREV_FLAGS != before);
        f(at.wrapping_add(GC_HEADER));
        before = at;
        at = body.word(g.next);
        left -= 1;
    }
    wrong + u64::from(at != head)
}

#[cfg(test)]
mod tests {
    use undying_memory::{Image, ImageBuilder};

    use super::{Collector, GC_HEADER, read, walk};
    use crate::layout::{Layout, TABLES};
    use crate::space::Space;

    const STATE: u64 = 0x10000;
    const OBJECTS: u64 = 0x20000;
    const BYTES: usize = 0x20000;

    struct Heap<'l> {
        layout: &'l Layout,
        bytes: Vec<u8>,
    }

    impl Heap<'_> {
        fn set(&mut self, (at, to): (u64, u64)) {
            let at = (at - STATE) as usize;
            self.bytes[at..at + 8].copy_from_slice(&to.to_le_bytes());
        }

        fn image(&self) -> Image {
            let mut builder = ImageBuilder::with_room(BYTES as u64).expect("memory");
            builder.add(STATE, STATE + BYTES as u64, |room| {
                room.copy_from_slice(&self.bytes);
                room.len()
            });
            builder.finish()
        }

        fn read(&self, image: &Image) -> (Option<Collector>, Vec<u64>) {
            let space = Space::new(image, image);
            let found = read(&space, self.layout, STATE);
            let mut objects = Vec::new();
            if let Some(c) = &found {
                walk(&space, self.layout, c.generations[0], |o| objects.push(o));
            }
            (found, objects)
        }
    }

    /// The stores of `_PyObject_GC_TRACK` (pycore_object.h), one by one.
    fn stores(layout: &Layout, head: u64, last: u64, object: u64) -> [(u64, u64); 4] {
        let (next, prev) = (u64::from(layout.gc_head.next), u64::from(layout.gc_head.prev));
        [(last + next, object), (object + prev, last), (object + next, head), (head + prev, object)]
    }

    /// Three empty lists, of which the youngest then gets so many objects.
    fn heap(layout: &Layout, objects: u64) -> Heap<'_> {
        let mut heap = Heap { layout, bytes: vec![0; BYTES] };
        let first = STATE + u64::from(layout.gc_state.generations);
        for i in 0..super::GENERATIONS {
            let head = first + i * u64::from(layout.gc_generation.size);
            heap.set((head, head));
            heap.set((head + 8, head));
        }
        let mut last = first;
        for i in 0..objects {
            let object = OBJECTS + i * 64;
            stores(layout, first, last, object).into_iter().for_each(|s| heap.set(s));
            last = object;
        }
        heap
    }

    #[test]
    fn a_list_caught_while_it_takes_an_object_is_read_and_said_to_be_torn() {
        for layout in TABLES {
            for before in [0, 1, 5] {
                let mut heap = heap(layout, before);
                let first = STATE + u64::from(layout.gc_state.generations);
                let last = if before == 0 { first } else { OBJECTS + (before - 1) * 64 };
                let all = stores(layout, first, last, OBJECTS + before * 64);
                for done in 0..=all.len() {
                    let (found, objects) = heap.read(&heap.image());
                    let torn = found.map(|c| (c.torn_heads, c.by_shape));
                    let at = format!("{:?}, {before} objects, {done} stores", layout.version);
                    assert_eq!(torn, Some((u64::from(done > 0 && done < all.len()), false)), "{at}");
                    assert!(objects.len() as u64 >= before, "{at}");
                    assert!(objects.iter().enumerate().all(|(i, o)| *o == OBJECTS + i as u64 * 64 + GC_HEADER), "{at}");
                    if let Some(&store) = all.get(done) {
                        heap.set(store);
                    }
                }
            }
        }
    }
}
