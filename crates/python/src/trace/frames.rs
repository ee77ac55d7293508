//! The stack that runs, as a place of the ledger.  All frames are looked at each time, a
//! few loads each; names are asked for only where a place is new.

use undying_cpython::layout::ABSENT;
use undying_lives::{Full, Ledger};

use super::interpreter::{Functions, Offsets};
use super::memory::Living;

/// Frames that can be kept at most.
pub const DEEPEST: usize = 1024;

/// `FRAME_OWNED_BY_CSTACK`: an entry of C into Python, nobody's function (3.12 on).
const OF_C: u8 = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Frame {
    code: u64,
    instruction: u64,
}

/// The stack at the last birth, by which most of the next one is known.
#[derive(Debug)]
pub struct Stack {
    /// Filled from the end, so that what is left is outermost first.
    now: [Frame; DEEPEST],
    before: [(Frame, u32); DEEPEST],
    len: usize,
}

impl Stack {
    /// Nothing known.
    pub const fn new() -> Stack {
        const NO: Frame = Frame { code: 0, instruction: 0 };
        Stack { now: [NO; DEEPEST], before: [(NO, 0); DEEPEST], len: 0 }
    }

    /// Nothing of the last stack holds any more: a code object is gone.
    pub fn forget(&mut self) {
        self.len = 0;
    }

    /// Where this thread is.
    #[inline]
    pub fn place(&mut self, living: Living, of: &Reading<'_>, ledger: &mut Ledger, thread: u64) -> Result<u32, Full> {
        let first = self.walk(living, of.offsets, ledger.depth as usize, thread);
        let now = &self.now[first..];
        let same = now.iter().zip(&self.before[..self.len]).take_while(|(now, (before, _))| *now == before).count();
        let mut place = match same.checked_sub(1) {
            Some(last) => self.before[last].1,
            None => 0,
        };
        self.len = same;
        for frame in &now[same..] {
            place = step(living, of, ledger, place, *frame)?;
            self.before[self.len] = (*frame, place);
            self.len += 1;
        }
        Ok(place)
    }

    /// Reads the frames; where they begin.
    #[inline]
    fn walk(&mut self, living: Living, o: &Offsets, depth: usize, thread: u64) -> usize {
        let mut frame = living.word(thread, o.first);
        if o.via != ABSENT && frame != 0 {
            frame = living.word(frame, o.via);
        }
        let mut at = DEEPEST;
        let last = DEEPEST - depth.min(DEEPEST);
        while frame != 0 && at > last {
            if o.owner == ABSENT {
                at -= 1;
                let instruction = u64::from(living.half(frame, o.instruction));
                self.now[at] = Frame { code: living.word(frame, o.code), instruction };
            } else if living.byte(frame, o.owner) != OF_C {
                at -= 1;
                self.now[at] =
                    Frame { code: living.word(frame, o.code), instruction: living.word(frame, o.instruction) };
            }
            frame = living.word(frame, o.back);
        }
        at
    }
}

/// What the reading of frames needs beside the ledger.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub offsets: &'a Offsets,
    pub functions: &'a Functions,
}

#[inline]
fn step(living: Living, of: &Reading<'_>, ledger: &mut Ledger, parent: u32, frame: Frame) -> Result<u32, Full> {
    match ledger.place_again(parent, frame.code, frame.instruction) {
        Some(place) => Ok(place),
        None => new_step(living, of, ledger, parent, frame),
    }
}

#[cold]
#[inline(never)]
fn new_step(living: Living, of: &Reading<'_>, ledger: &mut Ledger, parent: u32, frame: Frame) -> Result<u32, Full> {
    let code = match ledger.code_at(frame.code) {
        Some(code) => code,
        None => describe(living, of, ledger, frame.code)?,
    };
    if ledger.code_row(code).is_some_and(|c| c.hidden != 0) {
        return Ok(parent);
    }
    let line = || of.functions.line(living, frame.code, byte(of.offsets, frame));
    ledger.place(parent, code, frame.instruction, line)
}

/// The byte of the instruction in its code.
fn byte(o: &Offsets, frame: Frame) -> i32 {
    if o.owner == ABSENT {
        return (frame.instruction as u32 as i32).wrapping_mul(o.unit);
    }
    frame.instruction.wrapping_sub(frame.code.wrapping_add(u64::from(o.instructions))) as i32
}

fn describe(living: Living, of: &Reading<'_>, ledger: &mut Ledger, code: u64) -> Result<u32, Full> {
    let (o, functions) = (of.offsets, of.functions);
    let file = functions.text(living, living.word(code, o.code_file));
    let name = functions.text(living, living.word(code, o.code_name));
    // a frame that waits for `__init__` to return (Python/specialize.c, `_Py_InitCleanup`)
    let hidden = file == "__init__";
    ledger.add_code(code, &file, &name, living.half(code, o.code_line), hidden)
}
