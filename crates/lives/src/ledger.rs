//! The ledger itself: births and deaths by place and class.

use std::mem::offset_of;

use crate::format::{
    Anchor, Checkpoint, Class, Code, EVERY, MAGIC, NONE, OFF, Place, Record, SAMPLE, Sample, Tally, Text, VERSION,
};
use crate::index::{Index, mix};
use crate::rows::{Full, Rows};
use crate::shadow::Shadow;

/// The ledger of one process.  It begins as an [`Anchor`] does.
#[repr(C)]
#[derive(Debug)]
pub struct Ledger {
    magic: u64,
    version: u32,
    size: u32,
    /// The process that keeps it.
    pub pid: u32,
    mode: u32,
    /// Frames to keep of a stack.
    pub depth: u32,
    epoch: u32,
    sample_bytes: u64,
    lost: u64,
    places: Rows<Place>,
    codes: Rows<Code>,
    classes: Rows<Class>,
    tallies: Rows<Tally>,
    text: Rows<u8>,
    shadow: Shadow,
    samples: Rows<Sample>,
    checkpoints: Rows<Checkpoint>,
    // Not of the form:
    place_index: Index,
    code_index: Index,
    class_index: Index,
    samples_used: usize,
}

const _: () = {
    assert!(offset_of!(Ledger, lost) == offset_of!(Anchor, lost));
    assert!(offset_of!(Ledger, places) == offset_of!(Anchor, places));
    assert!(offset_of!(Ledger, text) == offset_of!(Anchor, text));
    assert!(offset_of!(Ledger, shadow) == offset_of!(Anchor, chunks));
    assert!(offset_of!(Ledger, checkpoints) == offset_of!(Anchor, checkpoints));
};

/// What is kept.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mode {
    /// Every block.
    Every,
    /// One byte in so many, on the average.
    Sample(u64),
}

/// How an object ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Its last reference went.
    Count = 0,
    /// The cyclic collector found it.
    Collector = 1,
}

/// Room for samples, of which a quarter is used at most: at one in 512 KiB enough for a heap of 16 GiB.
const SAMPLES: usize = 1 << 17;

impl Default for Ledger {
    fn default() -> Self {
        Ledger::new()
    }
}

impl Ledger {
    /// Empty and without memory; nothing is kept until [`Ledger::begin`].
    pub const fn new() -> Ledger {
        Ledger {
            magic: MAGIC,
            version: VERSION,
            size: size_of::<Anchor>() as u32,
            pid: 0,
            mode: OFF,
            depth: 0,
            epoch: 0,
            sample_bytes: 0,
            lost: 0,
            places: Rows::new(),
            codes: Rows::new(),
            classes: Rows::new(),
            tallies: Rows::new(),
            text: Rows::new(),
            shadow: Shadow::new(),
            samples: Rows::new(),
            checkpoints: Rows::new(),
            place_index: Index::new(),
            code_index: Index::new(),
            class_index: Index::new(),
            samples_used: 0,
        }
    }

    /// Opens the ledger; what was kept before stays.
    pub fn begin(&mut self, pid: u32, mode: Mode, depth: u32) -> Result<(), Full> {
        if self.places.is_empty() {
            // code 0 and place 0: no frame of Python at all
            let code = Code { address: 0, file: Text::default(), name: Text::default(), line: 0, hidden: 1 };
            self.codes.push(code)?;
            self.places.push(Place { parent: NONE, code: 0, ..NOWHERE })?;
        }
        (self.pid, self.depth) = (pid, depth);
        match mode {
            Mode::Every => self.mode = EVERY,
            Mode::Sample(bytes) => {
                if self.samples.is_empty() {
                    self.samples = Rows::zeroed(SAMPLES)?;
                }
                (self.mode, self.sample_bytes) = (SAMPLE, bytes);
            }
        }
        self.epoch = self.epoch.max(1);
        Ok(())
    }

    /// No births are taken in any more.  Whatever happens to objects from now on is not
    /// seen, so births are forgotten, and who lay where; counts stay.
    pub fn end(&mut self) {
        self.mode = OFF;
        self.shadow.clear();
        self.samples.all_mut().fill(Sample::default());
        self.samples_used = 0;
        self.codes.all_mut().iter_mut().for_each(|c| c.address = 0);
        self.classes.all_mut().iter_mut().for_each(|c| c.address = 0);
        self.code_index.clear();
        self.class_index.clear();
    }

    /// A child of a fork: it keeps the births it was born with, and counts deaths anew.
    pub fn forked(&mut self, pid: u32) {
        self.pid = pid;
        self.tallies.all_mut().iter_mut().for_each(|t| t.dead = [0; 2]);
        self.classes.all_mut().iter_mut().for_each(|c| c.dead = [0; 2]);
    }

    /// The epoch under way.
    #[inline]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// A new epoch begins; its number.
    pub fn advance(&mut self) -> u32 {
        self.epoch = self.epoch.wrapping_add(1).max(1);
        self.epoch
    }

    /// A new epoch under a name.
    pub fn checkpoint(&mut self, name: &str, at: f64) -> Result<u32, Full> {
        let name = self.text(name)?;
        let epoch = self.advance();
        self.checkpoints.push(Checkpoint { epoch, unused: 0, name, at })?;
        Ok(epoch)
    }

    /// Mean bytes from one sample to the next.
    pub fn sample_bytes(&self) -> u64 {
        self.sample_bytes
    }

    /// How many births could not be kept.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// A block was born at a place; what lay there before is forgotten.
    #[inline]
    pub fn birth(&mut self, block: u64, place: u32, bytes: usize) {
        let record = Record::new(place, self.epoch, bytes);
        match self.shadow.get_or_make(block) {
            Ok(there) => *there = record,
            Err(Full) => self.lost += 1,
        }
    }

    /// The birth of a block, which is forgotten.
    #[inline]
    pub fn take(&mut self, block: u64) -> Option<Record> {
        let there = self.shadow.get(block)?;
        let record = *there;
        if record.place == 0 {
            return None;
        }
        *there = Record::default();
        Some(record)
    }

    /// The birth of a block.
    #[inline]
    pub fn record(&mut self, block: u64) -> Option<Record> {
        self.shadow.get(block).map(|r| *r).filter(|r| r.place != 0)
    }

    /// A block goes on at another address.
    #[inline]
    pub fn moved(&mut self, record: Record, to: u64) {
        match self.shadow.get_or_make(to) {
            Ok(there) => *there = record,
            Err(Full) => self.lost += 1,
        }
    }

    /// An object of this class died, whose birth is given.
    #[inline]
    pub fn died(&mut self, birth: Record, class: u32, end: End) {
        self.died_many(birth, class, end, 1);
    }

    /// So many at once: one of a sample stands for others.
    #[inline]
    pub fn died_many(&mut self, birth: Record, class: u32, end: End, many: u64) {
        if let Some(c) = self.classes.all_mut().get_mut(class as usize) {
            c.dead[end as usize] += many;
        }
        let place = birth.place.wrapping_sub(1);
        let Some(row) = self.places.all().get(place as usize) else { return };
        let mut at = row.tally;
        let tallies = self.tallies.all_mut();
        while let Some(tally) = tallies.get_mut(at as usize) {
            if tally.class == class {
                tally.dead[end as usize] += many;
                return;
            }
            at = tally.next;
        }
        self.first_death(place, class, end, many);
    }

    #[cold]
    fn first_death(&mut self, place: u32, class: u32, end: End, many: u64) {
        let mut dead = [0; 2];
        dead[end as usize] = many;
        let next = self.places.all()[place as usize].tally;
        match self.tallies.push(Tally { place, class, dead, next, unused: 0 }) {
            Ok(n) => self.places.all_mut()[place as usize].tally = n,
            Err(Full) => self.lost += 1,
        }
    }

    /// The place below `parent` that was met last, if it is this one.
    #[inline]
    pub fn place_again(&self, parent: u32, code: u64, instruction: u64) -> Option<u32> {
        let n = self.places.all().get(parent as usize)?.last_child;
        let place = self.places.all().get(n as usize)?;
        let same = place.instruction == instruction && self.codes.all().get(place.code as usize)?.address == code;
        same.then_some(n)
    }

    /// The place below `parent` (0 for the outermost) at this instruction of this code.
    /// `line` is asked for a new place.
    pub fn place(&mut self, parent: u32, code: u32, instruction: u64, line: impl FnOnce() -> u32) -> Result<u32, Full> {
        let places = &self.places;
        let key = |p: &Place| mix([u64::from(p.parent), u64::from(p.code), p.instruction]);
        let hash = mix([u64::from(parent), u64::from(code), instruction]);
        let is = |n: u32| {
            let p = &places.all()[n as usize];
            p.parent == parent && p.code == code && p.instruction == instruction
        };
        let n = match self.place_index.find(hash, is) {
            Some(n) => n,
            None => {
                let n = self.places.push(Place { parent, code, instruction, line: line(), ..NOWHERE })?;
                let places = &self.places;
                self.place_index.insert(hash, n, |n| key(&places.all()[n as usize]))?;
                n
            }
        };
        if let Some(parent) = self.places.all_mut().get_mut(parent as usize) {
            parent.last_child = n;
        }
        Ok(n)
    }

    /// A place.
    pub fn place_row(&self, n: u32) -> Option<&Place> {
        self.places.all().get(n as usize)
    }

    /// A code's number.
    #[inline]
    pub fn code_at(&self, address: u64) -> Option<u32> {
        self.code_index.find(mix([address, 0, 0]), |n| self.codes.all()[n as usize].address == address)
    }

    /// A code that was not met before.
    pub fn add_code(&mut self, address: u64, file: &str, name: &str, line: u32, hidden: bool) -> Result<u32, Full> {
        let (file, name) = (self.text(file)?, self.text(name)?);
        let n = self.codes.push(Code { address, file, name, line, hidden: u32::from(hidden) })?;
        let codes = &self.codes;
        self.code_index.insert(mix([address, 0, 0]), n, |n| mix([codes.all()[n as usize].address, 0, 0]))?;
        Ok(n)
    }

    /// A code.
    #[inline]
    pub fn code_row(&self, n: u32) -> Option<&Code> {
        self.codes.all().get(n as usize)
    }

    /// A code object is gone; another one may lie at its address.
    pub fn code_gone(&mut self, address: u64) {
        if let Some(n) = self.code_at(address) {
            self.code_index.remove(mix([address, 0, 0]), n);
            self.codes.all_mut()[n as usize].address = 0;
        }
    }

    /// A class's number.
    pub fn class_at(&self, address: u64) -> Option<u32> {
        self.class_index.find(mix([address, 0, 0]), |n| self.classes.all()[n as usize].address == address)
    }

    /// A class that was not met before.
    pub fn add_class(&mut self, name: &str, class: Class) -> Result<u32, Full> {
        let name = self.text(name)?;
        let n = self.classes.push(Class { name, ..class })?;
        let classes = &self.classes;
        let hash = |n: u32| mix([classes.all()[n as usize].address, 0, 0]);
        self.class_index.insert(hash(n), n, hash)?;
        Ok(n)
    }

    /// A class.
    #[inline]
    pub fn class_row(&self, n: u32) -> Option<&Class> {
        self.classes.all().get(n as usize)
    }

    /// A class object is gone; another one may lie at its address.
    pub fn class_gone(&mut self, address: u64) {
        if let Some(n) = self.class_at(address) {
            self.class_index.remove(mix([address, 0, 0]), n);
            self.classes.all_mut()[n as usize].address = 0;
        }
    }

    /// All classes, all tallies, in the order of their numbers.
    pub fn counted(&self) -> (&[Class], &[Tally]) {
        (self.classes.all(), self.tallies.all())
    }

    /// A piece of the text; what is no UTF-8 is not there.
    pub fn words(&self, text: Text) -> &str {
        let start = text.start as usize;
        let bytes = self.text.all().get(start..start.saturating_add(text.len as usize));
        bytes.and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }

    fn text(&mut self, text: &str) -> Result<Text, Full> {
        let len = u32::try_from(text.len()).map_err(|_| Full)?;
        Ok(Text { start: self.text.extend(text.as_bytes())?, len })
    }

    /// Births that have not ended, of one stretch of memory after another: block and birth
    /// are added to `found`.  `false` when there is no stretch of this number.
    pub fn alive(&mut self, stretch: usize, found: &mut Vec<(u64, Record)>) -> bool {
        self.shadow.stretch(stretch, found)
    }

    /// A sampled block's birth.
    pub fn sample(&mut self, block: u64, bytes: u64, place: u32) {
        let record = Record::new(place, self.epoch, bytes as usize);
        if self.samples.is_empty() || self.samples_used * 4 > SAMPLES * 3 {
            self.lost += 1;
            return;
        }
        let samples = self.samples.all_mut();
        let mut at = mix([block, 0, 0]) as usize & (SAMPLES - 1);
        while samples[at].address > 1 {
            at = (at + 1) & (SAMPLES - 1);
        }
        self.samples_used += usize::from(samples[at].address == 0);
        samples[at] = Sample { address: block, bytes, record };
    }

    /// A sampled block, which is forgotten.
    pub fn take_sample(&mut self, block: u64) -> Option<Sample> {
        let samples = self.samples.all_mut();
        if samples.is_empty() {
            return None;
        }
        let mut at = mix([block, 0, 0]) as usize & (SAMPLES - 1);
        while samples[at].address != 0 {
            if samples[at].address == block {
                let sample = samples[at];
                // the end of a run can be used again as if it had never been
                let last = samples[(at + 1) & (SAMPLES - 1)].address == 0;
                samples[at] = Sample { address: u64::from(!last), ..Sample::default() };
                self.samples_used -= usize::from(last);
                return Some(sample);
            }
            at = (at + 1) & (SAMPLES - 1);
        }
        None
    }

    /// All samples that have not ended.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.all().iter().filter(|s| s.address > 1)
    }
}

const NOWHERE: Place =
    Place { parent: NONE, code: 0, instruction: 0, line: 0, tally: NONE, last_child: NONE, unused: 0 };
