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
}

/// Where an interpreter's collector state lies: in the runtime (3.8), in the interpreter.
pub fn state_address(layout: &Layout, runtime: u64, interpreter: u64) -> u64 {
    match layout.interp.gc {
        ABSENT => runtime.wrapping_add(layout.runtime.gc as u64),
        inside => interpreter.wrapping_add(inside as u64),
    }
}

/// Whether a doubly linked list head lies there.
fn is_head(space: &Space, layout: &Layout, head: u64) -> bool {
    let g = &layout.gc_head;
    let Some(body) = space.body(head) else { return false };
    let (next, prev) = (body.word(g.next), body.word(g.prev) & !PREV_FLAGS);
    let back = space.body(next).map(|b| b.word(g.prev) & !PREV_FLAGS);
    let forth = space.body(prev).map(|b| b.word(g.next));
    next != 0 && prev != 0 && back == Some(head) && forth == Some(head)
}

fn are_generations(space: &Space, layout: &Layout, first: u64) -> bool {
    (0..GENERATIONS).all(|i| is_head(space, layout, first.wrapping_add(i * layout.gc_generation.size as u64)))
}

/// Read a collector.  If the table's place does not hold three linked heads (they
/// moved by 4 bytes between 3.13.0 and 3.13.18), they are looked for nearby.
pub fn read(space: &Space, layout: &Layout, state: u64) -> Option<Collector> {
    let expected = state.wrapping_add(layout.gc_state.generations as u64);
    let mut by_shape = false;
    let first = if are_generations(space, layout, expected) {
        expected
    } else {
        by_shape = true;
        let around = (0..512u64).map(|i| expected.wrapping_sub(1024).wrapping_add(i * 4));
        around.into_iter().find(|&a| are_generations(space, layout, a))?
    };
    let shift = first.wrapping_sub(expected);
    let generations: Vec<u64> = (0..GENERATIONS).map(|i| first + i * layout.gc_generation.size as u64).collect();
    let body = space.body(first)?;
    let number = |i: u64, at: u32| body.from(i * layout.gc_generation.size as u64).half(at) as i32 as i64;
    let permanent = state.wrapping_add(layout.gc_state.permanent_generation as u64).wrapping_add(shift);
    let permanent = if is_head(space, layout, permanent) {
        permanent
    } else {
        state.wrapping_add(layout.gc_state.permanent_generation as u64)
    };
    Some(Collector {
        state,
        enabled: space.body_or_empty(state).half(layout.gc_state.enabled) != 0,
        thresholds: (0..GENERATIONS).map(|i| number(i, layout.gc_generation.threshold)).collect(),
        counts: (0..GENERATIONS).map(|i| number(i, layout.gc_generation.count)).collect(),
        permanent: if is_head(space, layout, permanent) { permanent } else { 0 },
        generations,
        by_shape,
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
