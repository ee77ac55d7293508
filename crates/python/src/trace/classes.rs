//! What a block of the object allocator holds: which class's instance, or no object at
//! all.  A block that dies still says it: deallocators leave the type and a count of 0.
//! Words are believed only where the class they point to is known, or proves to be one.

use undying_lives::format::{Class, FOLLOWED, FREE_LIST, HEAP_TYPE, IS_CODE, IS_TYPE, Record, Text};
use undying_lives::{Full, Ledger};

use super::interpreter::{Functions, Offsets};
use super::memory::{Living, probe};

/// `tp_flags` (Include/cpython/object.h; the same in all versions from 3.8 on).
pub const FLAGS: u32 = 168;

const READY: u64 = 1 << 12;
const HEAP: u64 = 1 << 9;
const HAVE_GC: u64 = 1 << 14;
const TYPE_SUBCLASS: u64 = 1 << 31;

/// Types whose dead instances may wait in lists of the interpreter's
/// (`Include/internal/pycore_freelist.h`, up to 3.12 `PyXXX_MAXFREELIST` in each file).
const REUSED: &[&str] = &[
    "list",
    "dict",
    "tuple",
    "float",
    "frame",
    "slice",
    "method",
    "builtin_function_or_method",
    "MemoryError",
    "async_generator_asend",
    "async_generator_wrapped_value",
    "Context",
    "_contextvars.Context",
    "_asyncio.FutureIter",
    "int",
];

/// Answers that are remembered, by the class's address.
const SLOTS: usize = 2048;
/// A class object is at least so big (`PyHeapTypeObject`).
const LEAST_CLASS: usize = 600;

#[derive(Clone, Copy, Debug)]
struct Slot {
    address: u64,
    /// `None`: no class lies there.
    class: Option<Known>,
}

/// A class that is in the ledger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// Its row.
    pub number: u32,
    /// Bytes before the object in its block.
    pub before: u32,
    /// Its flags in the ledger.
    pub flags: u32,
    /// Bytes that a block must have at least to hold an instance.
    pub least: u32,
}

/// The classes met so far.
#[derive(Debug)]
pub struct Classes {
    slots: [Slot; SLOTS],
    /// Names, or ends of names, of classes each of whose births and deaths is told.
    pub followed: Vec<String>,
}

/// What telling classes needs beside the ledger.
#[derive(Clone, Copy)]
pub struct Telling<'a> {
    pub living: Living,
    pub offsets: &'a Offsets,
    pub functions: &'a Functions,
}

#[inline(always)]
fn slot_of(address: u64) -> usize {
    ((address >> 4) ^ (address >> 15)) as usize % SLOTS
}

impl Classes {
    /// None met.
    pub const fn new() -> Classes {
        Classes { slots: [Slot { address: 0, class: None }; SLOTS], followed: Vec::new() }
    }

    /// The class of a dead object whose block begins here.  What a deallocator leaves tells
    /// in this order, without one word being taken for another: an unlinked header of the
    /// collector's is no address, nor are cleared words before it.
    #[inline]
    pub fn of_dead(&mut self, of: &Telling<'_>, ledger: &mut Ledger, block: u64, birth: Record) -> Option<Known> {
        for before in [0, 16, 32] {
            if count(of, block + u64::from(before)) == 0
                && let Some(known) = self.at(of, ledger, of.living.word(block, before + 8))
                && known.before == before
                && birth.may_hold(u64::from(known.least))
            {
                return Some(known);
            }
            if !birth.may_hold(u64::from(before) + 32) {
                return None;
            }
        }
        None
    }

    /// The class of a living object whose block begins here.  Classes that are known are
    /// looked for first, for a linked header points to another one, not known for a class.
    pub fn of_living(&mut self, of: &Telling<'_>, ledger: &mut Ledger, block: u64, birth: Record) -> Option<Known> {
        // the header before an object begins with a link; the first item of a tuple may be a
        // class behind what reads as a count
        let linked = |before: u32| {
            let link = if before == 0 { 0 } else { of.living.word(block, before - 16) };
            link == 0 || (link & 7 == 0 && link >= 1 << 16)
        };
        let place = |before: &u32| {
            birth.may_hold(u64::from(*before) + 16) && count(of, block + u64::from(*before)) != 0 && linked(*before)
        };
        let class = |before: u32| of.living.word(block, before + 8);
        let fits = |known: &Known, before: u32| known.before == before && birth.may_hold(u64::from(known.least));
        let places = || [0, 16, 32].into_iter().filter(place);
        let met = places().find_map(|b| self.met(class(b)).filter(|k| fits(k, b)));
        met.or_else(|| places().find_map(|b| self.at(of, ledger, class(b)).filter(|k| fits(k, b))))
    }

    /// The class at an address, if it was met lately.
    #[inline]
    pub fn met(&self, address: u64) -> Option<Known> {
        let slot = &self.slots[slot_of(address)];
        slot.class.filter(|_| slot.address == address)
    }

    /// The class at an address that may be anything.
    #[inline]
    pub fn at(&mut self, of: &Telling<'_>, ledger: &mut Ledger, address: u64) -> Option<Known> {
        let slot = self.slots[slot_of(address)];
        if slot.address == address {
            return slot.class;
        }
        // no address of a class: small numbers, negative ones, odd ones
        if address & 7 != 0 || address < 4096 || address >> 47 != 0 {
            return None;
        }
        self.look(of, ledger, address)
    }

    #[cold]
    #[inline(never)]
    fn look(&mut self, of: &Telling<'_>, ledger: &mut Ledger, address: u64) -> Option<Known> {
        let known = match ledger.class_at(address).and_then(|n| Some((n, ledger.class_row(n)?))) {
            Some((number, row)) => Some(known(number, row)),
            None if is_class(of.offsets, address) => self.enter(of, ledger, address).ok(),
            None => None,
        };
        self.slots[slot_of(address)] = Slot { address, class: known };
        known
    }

    fn enter(&mut self, of: &Telling<'_>, ledger: &mut Ledger, address: u64) -> Result<Known, Full> {
        let (living, o) = (of.living, of.offsets);
        let tp_flags = living.word(address, FLAGS);
        let name = name(of, address, tp_flags);
        let gc = if tp_flags & HAVE_GC != 0 { 16 } else { 0 };
        let before = gc + if tp_flags & o.preheader != 0 { 16 } else { 0 };
        let mut flags = 0;
        if tp_flags & HEAP != 0 {
            flags |= HEAP_TYPE;
        } else if REUSED.contains(&name.as_str()) {
            flags |= FREE_LIST;
        }
        if tp_flags & TYPE_SUBCLASS != 0 {
            flags |= IS_TYPE;
        }
        if name == "code" && tp_flags & HEAP == 0 {
            flags |= IS_CODE;
        }
        if self.followed.iter().any(|f| ends_with(&name, f)) {
            flags |= FOLLOWED;
        }
        let basic_bytes = living.word(address, o.type_basic);
        let row = Class { address, name: Text::default(), before, flags, dead: [0; 2], basic_bytes };
        let number = ledger.add_class(&name, row)?;
        Ok(known(number, &row))
    }

    /// A block of this size came: what was known of its addresses no longer is.
    #[inline]
    pub fn came(&mut self, ledger: &mut Ledger, block: u64, size: usize) {
        if size >= LEAST_CLASS {
            self.forget_block(ledger, block);
        }
    }

    /// A block of unknown content went or came.
    #[cold]
    pub fn forget_block(&mut self, ledger: &mut Ledger, block: u64) {
        for object in [block, block + 16, block + 32] {
            self.gone(ledger, object);
        }
    }

    /// A class object is gone.
    pub fn gone(&mut self, ledger: &mut Ledger, address: u64) {
        let slot = &mut self.slots[slot_of(address)];
        if slot.address == address {
            *slot = Slot { address: 0, class: None };
        }
        ledger.class_gone(address);
    }
}

fn known(number: u32, row: &Class) -> Known {
    let least = u64::from(row.before).saturating_add(row.basic_bytes);
    Known { number, before: row.before, flags: row.flags, least: u32::try_from(least).unwrap_or(u32::MAX) }
}

#[inline(always)]
fn count(of: &Telling<'_>, object: u64) -> u64 {
    let word = of.living.word(object, 0);
    if of.offsets.short_count { u64::from(word as u32) } else { word }
}

/// Whether a class lies at an address that may be anything: it is ready, and its own class
/// is `type` or one that has `type` for a base.
fn is_class(o: &Offsets, address: u64) -> bool {
    /// Metaclasses of metaclasses.
    const DEEPEST: usize = 32;
    const WORDS: usize = FLAGS as usize / 8 + 1;
    let own = probe::<WORDS>(address).filter(|words| words[WORDS - 1] & READY != 0);
    let mut class = own.map_or(0, |words| words[1]);
    for _ in 0..DEEPEST {
        if class == o.type_type {
            return true;
        }
        if class & 7 != 0 || class < 4096 {
            return false;
        }
        let ready = probe::<WORDS>(class).is_some_and(|words| words[WORDS - 1] & READY != 0);
        let base = probe::<1>(class.wrapping_add(u64::from(o.type_base)));
        match base {
            Some([base]) if ready => class = base,
            _ => return false,
        }
    }
    false
}

/// `module.Qualname`; a builtin's bare name.
fn name(of: &Telling<'_>, class: u64, tp_flags: u64) -> String {
    let (living, o) = (of.living, of.offsets);
    if tp_flags & HEAP == 0 {
        return living.text(living.word(class, o.type_name));
    }
    let qualname = of.functions.text(living, living.word(class, o.type_qualname));
    let dict = living.word(class, o.type_dict);
    if dict == 0 {
        return qualname;
    }
    let module = of.functions.text(living, of.functions.item(living, dict, c"__module__"));
    if module.is_empty() || module == "builtins" { qualname } else { format!("{module}.{qualname}") }
}

/// Whether a dotted name is, or ends with, what was asked for.
fn ends_with(name: &str, asked: &str) -> bool {
    name.strip_suffix(asked).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
