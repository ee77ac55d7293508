//! How the ledger of lives lies in the memory of the process that keeps it: an anchor
//! with a mark and tables of fixed rows.  The tracer writes it, a debugger reads it from
//! outside, a core file holds it.  Little-endian, no pointers but those named here.
//!
//! A reader must believe nothing: the process may have been stopped in the middle of a
//! growth, when a table's base is already or still another.  Row numbers past `len` are
//! not there; a place's parent always has a lower number than the place.

/// The symbol under which a library that keeps a ledger exports its [`Anchor`].
pub const SYMBOL: &str = "undying_ledger";

/// The first word of an [`Anchor`].
pub const MAGIC: u64 = u64::from_le_bytes(*b"undying\0");

/// Raised when anything here changes its meaning or place.
pub const VERSION: u32 = 1;

/// The number of what there is not: no parent, no class.
pub const NONE: u32 = u32::MAX;

/// Bytes of memory that one [`Record`] stands for: blocks of the object allocator begin at
/// multiples of it (`ALIGNMENT` of `Objects/obmalloc.c` on 64 bits).
pub const GRANULE: u64 = 16;

/// Bytes of memory that one [`Chunk`] stands for.
pub const CHUNK_BYTES: u64 = 1 << 20;

/// Records of a chunk.
pub const CHUNK_RECORDS: u64 = CHUNK_BYTES / GRANULE;

/// Nothing is recorded.
pub const OFF: u32 = 0;
/// Every block of the object allocator is.
pub const EVERY: u32 = 1;
/// A sample by bytes is: each byte with the chance `1 / sample_bytes`.
pub const SAMPLE: u32 = 2;

/// From which everything is found.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`VERSION`].
    pub version: u32,
    /// Bytes of this structure.
    pub size: u32,
    /// The process that keeps the ledger; another one after a fork has not taken it over.
    pub pid: u32,
    /// [`OFF`], [`EVERY`] or [`SAMPLE`].
    pub mode: u32,
    /// Frames that are kept of a stack.
    pub depth: u32,
    /// The epoch under way; it rises at every checkpoint.
    pub epoch: u32,
    /// Mean bytes from one sample to the next.
    pub sample_bytes: u64,
    /// Births that could not be recorded for want of memory.
    pub lost: u64,
    /// Rows of [`Place`].
    pub places: Table,
    /// Rows of [`Code`].
    pub codes: Table,
    /// Rows of [`Class`].
    pub classes: Table,
    /// Rows of [`Tally`].
    pub tallies: Table,
    /// UTF-8 bytes of names, one after another.
    pub text: Table,
    /// Rows of [`Chunk`]: an open hash table, all rows of its capacity valid.
    pub chunks: Table,
    /// Rows of [`Sample`]: an open hash table, all rows of its capacity valid.
    pub samples: Table,
    /// Rows of [`Checkpoint`].
    pub checkpoints: Table,
}

/// A growing array.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Address of row 0.
    pub base: u64,
    /// Rows in use.
    pub len: u64,
    /// Rows there is room for.
    pub capacity: u64,
    /// Bytes of a row.
    pub row: u64,
}

/// One line of one function, under the place that called it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Who called; 0 at the outermost frame that was kept.  Place 0 is no frame at all, and
    /// its parent is [`NONE`].
    pub parent: u32,
    /// The function: a row of the codes.
    pub code: u32,
    /// The instruction as the frame tells it; with `code` and `parent` the place's identity.
    pub instruction: u64,
    /// The line; 0 where there is none.
    pub line: u32,
    /// The first of its tallies, or [`NONE`].
    pub tally: u32,
    /// The place below this one that was met last, or [`NONE`]: a shortcut of the writer.
    pub last_child: u32,
    /// Nothing yet.
    pub unused: u32,
}

/// A function's code.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The code object, or 0 once it is gone.
    pub address: u64,
    /// First byte and length of the file's name in the text.
    pub file: Text,
    /// Of the function's (`co_qualname`, `co_name` up to 3.10).
    pub name: Text,
    /// Its first line.
    pub line: u32,
    /// 1 where it is a frame of the interpreter's own that nobody wrote.
    pub hidden: u32,
}

/// A piece of the text.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// First byte.
    pub start: u32,
    /// Bytes.
    pub len: u32,
}

/// A class.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// The class object, or 0 once it is gone.
    pub address: u64,
    /// `module.Qualname`.
    pub name: Text,
    /// Bytes between a block's start and the object in it: 0, 16 or 32.
    pub before: u32,
    /// What is special: [`HEAP_TYPE`], [`FREE_LIST`], [`FOLLOWED`], [`IS_CODE`], [`IS_TYPE`].
    pub flags: u32,
    /// Instances that died by their count, by the collector, of those whose birth was seen.
    pub dead: [u64; 2],
    /// `tp_basicsize`.
    pub basic_bytes: u64,
}

/// The class was made at run time.
pub const HEAP_TYPE: u32 = 1;
/// Dead instances may wait in a list of the interpreter's for a new life that no allocator
/// sees: their numbers and birthplaces are not exact.
pub const FREE_LIST: u32 = 2;
/// Each birth and death is told.
pub const FOLLOWED: u32 = 4;
/// Instances are code objects.
pub const IS_CODE: u32 = 8;
/// Instances are classes.
pub const IS_TYPE: u32 = 16;

/// What was born at a place and died: one row a place and class, chained by `next`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    /// The birthplace.
    pub place: u32,
    /// The class.
    pub class: u32,
    /// Dead by count, by the collector.
    pub dead: [u64; 2],
    /// The next of this place, or [`NONE`].
    pub next: u32,
    /// Nothing yet.
    pub unused: u32,
}

/// A birth, in the place of its block's address: chunk `address / CHUNK_BYTES`, row
/// `address % CHUNK_BYTES / GRANULE`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The birthplace's number and 1; 0 is no birth.
    pub place: u32,
    /// The epoch of the birth in the low [`EPOCH_BITS`], the block's size above them: in
    /// granules, rounded down, 15 for all that are larger.
    pub epoch_and_size: u32,
}

/// Bits of an epoch in a [`Record`]; past the last one, births are of that.
pub const EPOCH_BITS: u32 = 28;

/// The last epoch that a record can tell.
pub const LAST_EPOCH: u32 = (1 << EPOCH_BITS) - 1;

impl Record {
    /// A birth at a place (its number) in an epoch, of a block of so many bytes.
    #[inline]
    pub fn new(place: u32, epoch: u32, bytes: usize) -> Record {
        let size = (bytes / GRANULE as usize).min(15) as u32;
        let epoch = if epoch > LAST_EPOCH { LAST_EPOCH } else { epoch };
        Record { place: place.wrapping_add(1), epoch_and_size: epoch | size << EPOCH_BITS }
    }

    /// The epoch of the birth.
    #[inline]
    pub fn epoch(self) -> u32 {
        self.epoch_and_size & LAST_EPOCH
    }

    /// Whether the block may have so many bytes.
    #[inline]
    pub fn may_hold(self, bytes: u64) -> bool {
        bytes / GRANULE <= u64::from(self.epoch_and_size >> EPOCH_BITS) || self.epoch_and_size >> EPOCH_BITS == 15
    }
}

/// Where the records of one stretch of memory are.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// `address / CHUNK_BYTES` and 1; 0 is an empty row.
    pub key: u64,
    /// Address of its [`CHUNK_RECORDS`] records.
    pub records: u64,
}

/// A block that is in the sample.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The block; 0 is an empty row, 1 one that was used.
    pub address: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The birth.
    pub record: Record,
}

/// A name the program gave to a moment.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Checkpoint {
    /// The first epoch after it.
    pub epoch: u32,
    /// Nothing yet.
    pub unused: u32,
    /// Its name.
    pub name: Text,
    /// Seconds since 1970.
    pub at: f64,
}
