//! Line tables of code objects: which line each instruction comes from.  Three forms:
//! `co_lnotab` (up to 3.9, `Objects/lnotab_notes.txt`), `co_linetable` as ranges (3.10,
//! PEP 626) and as locations (3.11 on, `Objects/locations.md`, PEP 657).  Knows bytes,
//! not where they were read.  A damaged table ends early.

/// How a table is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Pairs of steps: bytes, lines.
    Steps,
    /// Pairs: bytes of a range, lines from the one before; -128 is "no line".
    Ranges,
    /// Entries of a head byte with a kind and a length, and numbers of 6 bits a byte.
    Locations,
}

/// Instructions of one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// First byte of the first instruction, from the start of the code.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// The line, where there is one.
    pub line: Option<u32>,
}

/// Reads a table range by range, in the order of the instructions.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    form: Form,
    rest: &'a [u8],
    line: i64,
    at: u32,
    /// Bytes of the code, where the form needs it told.
    length: u32,
}

/// The ranges of a table.  `first_line` is `co_firstlineno`, `length` the bytes of the
/// code (only [`Form::Steps`] needs it: its last range ends there).
pub fn lines(form: Form, table: &[u8], first_line: u32, length: u32) -> Lines<'_> {
    Lines { form, rest: table, line: i64::from(first_line), at: 0, length }
}

impl Lines<'_> {
    /// The line of the instruction at a byte of the code.
    pub fn at(self, offset: u32) -> Option<u32> {
        let mut known = self;
        known.find(|r| (r.start..r.end).contains(&offset)).and_then(|r| r.line)
    }

    fn take(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn known_line(&self) -> Option<u32> {
        u32::try_from(self.line).ok()
    }

    fn range(&mut self, bytes: u32, line: Option<u32>) -> Range {
        let start = self.at;
        self.at = start.saturating_add(bytes);
        Range { start, end: self.at, line }
    }

    /// Steps before the first byte of a range are gone through together.
    fn step(&mut self) -> Option<Range> {
        loop {
            let line = self.known_line();
            // what is past the code was optimised away
            if self.at >= self.length {
                return None;
            }
            let [bytes, more, ..] = *self.rest else {
                let left = self.length.saturating_sub(self.at);
                self.rest = &[];
                return (left > 0).then(|| self.range(left, line));
            };
            self.rest = &self.rest[2..];
            self.line = self.line.saturating_add(i64::from(more as i8));
            if bytes > 0 {
                return Some(self.range(u32::from(bytes), line));
            }
        }
    }

    fn ranged(&mut self) -> Option<Range> {
        loop {
            let (bytes, more) = (self.take()?, self.take()? as i8);
            if more != i8::MIN {
                self.line = self.line.saturating_add(i64::from(more));
            }
            let line = if more == i8::MIN { None } else { self.known_line() };
            if bytes > 0 {
                return Some(self.range(u32::from(bytes), line));
            }
        }
    }

    fn location(&mut self) -> Option<Range> {
        let head = self.take()?;
        let (kind, units) = (head >> 3 & 15, u32::from(head & 7) + 1);
        if head < 0x80 {
            self.rest = &[];
            return None;
        }
        let line = match kind {
            15 => None,
            13 | 14 => {
                let step = self.signed()?;
                self.line = self.line.saturating_add(step);
                self.known_line()
            }
            10..=12 => {
                self.line = self.line.saturating_add(i64::from(kind - 10));
                self.known_line()
            }
            _ => self.known_line(),
        };
        // what is left of the entry has no head's mark
        while self.rest.first().is_some_and(|&b| b < 0x80) {
            self.rest = &self.rest[1..];
        }
        Some(self.range(units * 2, line))
    }

    /// 6 bits a byte, the lowest first, bit 6 set where more follow; the sign is bit 0.
    fn signed(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = self.take()?;
            value |= u64::from(byte & 63).checked_shl(shift).unwrap_or(0);
            shift += 6;
            if byte & 64 == 0 || shift > 60 {
                break;
            }
        }
        let size = (value >> 1) as i64;
        Some(if value & 1 == 1 { -size } else { size })
    }
}

impl Iterator for Lines<'_> {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        match self.form {
            Form::Steps => self.step(),
            Form::Ranges => self.ranged(),
            Form::Locations => self.location(),
        }
    }
}

#[cfg(test)]
mod tests;
