//! What a code object says of itself: name, file, and which line an instruction is of.
//! CPython `Objects/codeobject.c`, `Include/cpython/code.h` (3.8 to 3.13).

use crate::layout::{ABSENT, Layout};
use crate::lines::{self, Form};
use crate::object;
use crate::space::{Body, Space};
use crate::text;
use crate::visit::Context;

/// A longer line table is not read.
const LONGEST_TABLE: u64 = 1 << 24;

/// `CO_OPTIMIZED` and `CO_NEWLOCALS` (Include/code.h): it is a function's.
const OPTIMIZED_LOCALS: u32 = 3;

/// A code object's line table.
#[derive(Clone, Copy, Debug)]
pub struct LineTable<'a> {
    /// How it is written.
    pub form: Form,
    /// It.
    pub bytes: &'a [u8],
    /// `co_firstlineno`.
    pub first_line: u32,
    /// Bytes of the code, where it is an object (up to 3.10).
    pub length: u32,
}

impl<'a> LineTable<'a> {
    /// Of the code object with this body; empty where it cannot be read.
    pub fn of(cx: &Context<'a>, code: Body) -> LineTable<'a> {
        LineTable::read(cx.space, cx.layout, code)
    }

    /// Of the code object with this body.
    pub fn read(space: &Space<'a>, layout: &Layout, code: Body) -> LineTable<'a> {
        let c = &layout.code;
        // the instructions are a part of the code object since its lines are locations
        let (form, table) = match (c.linetable, c.code_adaptive) {
            (ABSENT, _) => (Form::Steps, c.lnotab),
            (at, ABSENT) => (Form::Ranges, at),
            (at, _) => (Form::Locations, at),
        };
        let bytes = space.body_or_empty(code.word(table));
        let room = bytes.from(u64::from(layout.bytes.value)).0;
        let length = bytes.word(object::SIZE).min(LONGEST_TABLE).min(room.len() as u64);
        let instructions = space.body_or_empty(code.word(c.code)).word(object::SIZE);
        LineTable {
            form,
            bytes: &room[..length as usize],
            first_line: code.half(c.firstlineno),
            length: u32::try_from(instructions).unwrap_or(0),
        }
    }

    /// Its ranges.
    pub fn ranges(&self) -> lines::Lines<'a> {
        lines::lines(self.form, self.bytes, self.first_line, self.length)
    }
}

/// The qualified name of a code object, its bare name up to 3.10.
pub fn name(cx: &Context, code: u64) -> Option<String> {
    name_in(cx.space, cx.layout, cx.space.body(code)?)
}

/// The same of the code object with this body.
pub fn name_in(space: &Space, layout: &Layout, body: Body) -> Option<String> {
    let c = &layout.code;
    let read = |at: u32| text::text(space, layout, body.word(at)).filter(|_| at != ABSENT && body.word(at) != 0);
    read(c.qualname).or_else(|| read(c.name))
}

/// Whether Cython made it for a function that it compiled: no bytecode, and flags that the
/// interpreter's own empty code objects do not have (`__Pyx_PyCode_New`,
/// Cython/Compiler/Code.py and Utility/ModuleSetupCode.c of 0.29; `PyCode_NewEmpty`,
/// Objects/codeobject.c up to 3.10).
pub fn is_compiled(cx: &Context, code: Body) -> bool {
    let c = &cx.layout.code;
    let has_flags = || code.half(c.flags) & OPTIMIZED_LOCALS == OPTIMIZED_LOCALS;
    c.code != ABSENT && has_flags() && cx.space.body(code.word(c.code)).is_some_and(|b| b.word(object::SIZE) == 0)
}

/// The line that an interpreter frame is at (3.11 on), else its function's first.
pub fn frame_line(cx: &Context, frame: Body) -> u32 {
    let (code, offset) = frame_at(cx.layout, frame);
    line_at(cx, code, offset)
}

/// The line that a frame object is at (up to 3.10), else its function's first.
pub fn frame_object_line(cx: &Context, frame: Body) -> u32 {
    let (code, offset) = object_at(cx.layout, frame);
    line_at(cx, code, offset)
}

/// The code object of an interpreter frame (3.11 on), and the byte of the code it is at.
pub fn frame_at(layout: &Layout, frame: Body) -> (u64, u64) {
    let (i, c) = (&layout.iframe, &layout.code);
    let code = frame.word(i.code);
    let instructions = code.wrapping_add(u64::from(c.code_adaptive));
    (code, frame.word(i.prev_instr).wrapping_sub(instructions))
}

/// The code object of a frame object (up to 3.10), and the byte of the code it is at.
pub fn object_at(layout: &Layout, frame: Body) -> (u64, u64) {
    let f = &layout.frame;
    // the number of an instruction since the table is one of ranges, of a byte before
    let width = if layout.code.linetable == ABSENT { 1 } else { 2 };
    let last = i64::from(frame.half(f.lasti) as i32).wrapping_mul(width);
    (frame.word(f.code), last as u64)
}

/// The line of the instruction at a byte of the code; the function's first where the
/// instruction has none, or is not in the code.
fn line_at(cx: &Context, code: u64, offset: u64) -> u32 {
    let body = cx.space.body_or_empty(code);
    let table = LineTable::of(cx, body);
    let at = u32::try_from(offset).ok().filter(|&o| o < u32::MAX);
    at.and_then(|o| table.ranges().at(o)).unwrap_or(table.first_line)
}
