//! What happens at a birth and at a death.  Called from the allocator's hooks with the
//! interpreter's lock held, never twice at once.

use undying_cpython::layout::Layout;
use undying_lives::format::{FOLLOWED, FREE_LIST, IS_CODE, IS_TYPE};
use undying_lives::{End, Full, Ledger, Mode};

use super::classes::{Classes, Known, Telling};
use super::follow;
use super::frames::{Reading, Stack};
use super::interpreter::{Functions, Offsets};
use super::memory::Living;

/// Blocks whose class is not known yet, while classes are followed.
const YOUNG: usize = 8;

/// The tracer of this process.
pub struct Tracer {
    pub functions: Functions,
    pub offsets: Offsets,
    pub stack: Stack,
    pub classes: Classes,
    /// The interpreter that is traced.
    pub interpreter: u64,
    /// The flag of its collector that says it is at work.
    collecting: u64,
    /// Who runs the collection under way, and the first epoch in it.
    collector: Option<(u64, u32)>,
    /// The block that was born last.
    last: u64,
    young: [u64; YOUNG],
    /// Bytes until the next sample.
    pub until_sample: i64,
    pub random: u64,
}

/// What the hooks hand on.
#[derive(Clone, Copy)]
pub struct Event {
    pub living: Living,
    pub thread: u64,
}

impl Tracer {
    /// For an interpreter whose collector's state is at `collector`.
    pub fn new(functions: Functions, layout: &Layout, interpreter: u64, collector: u64) -> Tracer {
        Tracer {
            functions,
            offsets: Offsets::of(layout),
            stack: Stack::new(),
            classes: Classes::new(),
            interpreter,
            collecting: collector + u64::from(layout.gc_state.collecting),
            collector: None,
            last: 0,
            young: [0; YOUNG],
            until_sample: 0,
            random: 0x2545_f491_4f6c_dd1d,
        }
    }

    /// A block came.
    #[inline]
    pub fn born(&mut self, event: Event, ledger: &mut Ledger, block: u64, size: usize) {
        self.look_at_collector(event, ledger);
        self.classes.came(ledger, block, size);
        if let Ok(place) = self.place(event, ledger) {
            ledger.birth(block, place, size);
        }
        self.last = block;
        if !self.classes.followed.is_empty() {
            self.grow_up(event, ledger);
            if let Some(free) = self.young.iter_mut().find(|b| **b == 0) {
                *free = block;
            }
        }
    }

    #[inline]
    fn place(&mut self, event: Event, ledger: &mut Ledger) -> Result<u32, Full> {
        let of = Reading { offsets: &self.offsets, functions: &self.functions };
        self.stack.place(event.living, &of, ledger, event.thread)
    }

    /// A block goes.
    #[inline]
    pub fn died(&mut self, event: Event, ledger: &mut Ledger, block: u64) {
        self.look_at_collector(event, ledger);
        if !self.classes.followed.is_empty() {
            self.grow_up(event, ledger);
        }
        let Some(birth) = ledger.take(block) else {
            // born before the ledger: a class or a code of which something is known?
            self.classes.forget_block(ledger, block);
            self.code_gone(ledger, block);
            return;
        };
        let of = Telling { living: event.living, offsets: &self.offsets, functions: &self.functions };
        let Some(class) = self.classes.of_dead(&of, ledger, block, birth) else { return };
        let end = match self.collector {
            // what a finalizer makes and drops meanwhile dies by its count
            Some((thread, since)) if thread == event.thread && birth.epoch() < since => End::Collector,
            _ => End::Count,
        };
        ledger.died(birth, class.number, end);
        if class.flags & (FOLLOWED | IS_CODE | IS_TYPE) != 0 {
            self.special(ledger, block, class, end);
        }
    }

    #[cold]
    fn special(&mut self, ledger: &mut Ledger, block: u64, class: Known, end: End) {
        let object = block + u64::from(class.before);
        if class.flags & FOLLOWED != 0 {
            follow::dead(ledger, class.number, object, end);
        }
        if class.flags & IS_CODE != 0 {
            self.code_gone(ledger, object);
        }
        if class.flags & IS_TYPE != 0 {
            self.classes.gone(ledger, object);
        }
    }

    fn code_gone(&mut self, ledger: &mut Ledger, object: u64) {
        if ledger.code_at(object).is_some() {
            ledger.code_gone(object);
            self.stack.forget();
        }
    }

    /// Whether a collection began or ended.  One that begins begins an epoch, so that what
    /// is born in it can be told.
    #[inline(always)]
    fn look_at_collector(&mut self, event: Event, ledger: &mut Ledger) {
        let at_work = event.living.half(self.collecting, 0) != 0;
        if at_work != self.collector.is_some() {
            self.collector = at_work.then(|| (event.thread, ledger.advance()));
        }
    }

    /// Tells of followed classes' births, as soon as blocks know what they are.
    pub fn grow_up(&mut self, event: Event, ledger: &mut Ledger) {
        let of = Telling { living: event.living, offsets: &self.offsets, functions: &self.functions };
        for block in self.young.iter_mut().filter(|b| **b != 0) {
            let Some(birth) = ledger.record(*block) else {
                *block = 0;
                continue;
            };
            let known = self.classes.of_living(&of, ledger, *block, birth);
            let known = known.or_else(|| self.classes.of_dead(&of, ledger, *block, birth));
            if let Some(class) = known {
                if class.flags & FOLLOWED != 0 {
                    follow::born(ledger, class.number, *block + u64::from(class.before), birth);
                }
                *block = 0;
            }
        }
        // what never tells makes room for others
        if self.young.iter().all(|b| *b != 0) {
            self.young.rotate_left(1);
            self.young[YOUNG - 1] = 0;
        }
    }

    /// An object that may have come from one of the interpreter's lists, where no allocator
    /// sees it.
    pub fn referred(&mut self, event: Event, ledger: &mut Ledger, object: u64, is_birth: bool) {
        let of = Telling { living: event.living, offsets: &self.offsets, functions: &self.functions };
        let Some(class) = self.classes.at(&of, ledger, event.living.word(object, 8)) else { return };
        let block = object - u64::from(class.before);
        if class.flags & FREE_LIST == 0 || (is_birth && block == self.last) {
            return;
        }
        self.look_at_collector(event, ledger);
        if let Some(birth) = ledger.take(block) {
            let end = match self.collector {
                Some((thread, since)) if thread == event.thread && birth.epoch() < since => End::Collector,
                _ => End::Count,
            };
            ledger.died(birth, class.number, end);
        }
        if is_birth {
            self.last = block;
            if let Ok(place) = self.place(event, ledger) {
                // as large as it must be; what a list held is not asked
                ledger.birth(block, place, usize::MAX);
            }
        }
    }

    /// A block that is in the sample.
    pub fn sampled(&mut self, event: Event, ledger: &mut Ledger, block: u64, size: usize) {
        self.look_at_collector(event, ledger);
        if let Ok(place) = self.place(event, ledger) {
            ledger.sample(block, size as u64, place);
        }
    }

    /// A sampled block goes; it stands for as many as it had a chance to be one of.
    pub fn sample_died(&mut self, event: Event, ledger: &mut Ledger, block: u64, mean: u64) {
        self.look_at_collector(event, ledger);
        let Some(sample) = ledger.take_sample(block) else { return };
        let of = Telling { living: event.living, offsets: &self.offsets, functions: &self.functions };
        let Some(class) = self.classes.of_dead(&of, ledger, block, sample.record) else { return };
        let end = match self.collector {
            Some((thread, since)) if thread == event.thread && sample.record.epoch() < since => End::Collector,
            _ => End::Count,
        };
        let stands_for = (1.0 / -(-(sample.bytes as f64) / mean as f64).exp_m1()).round();
        ledger.died_many(sample.record, class.number, end, stands_for as u64);
        if class.flags & (IS_CODE | IS_TYPE) != 0 {
            self.special(ledger, block, Known { flags: class.flags & !FOLLOWED, ..class }, end);
        }
    }

    /// The bytes to the next sample, so that each byte has the same chance.
    pub fn draw(&mut self, mean: u64) {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let uniform = (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64;
        self.until_sample = (-(1.0 - uniform).ln() * mean as f64) as i64;
    }
}

/// How to begin.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub mode: Mode,
    pub depth: u32,
}
