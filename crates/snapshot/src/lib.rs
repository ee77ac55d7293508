//! The snapshot on disk: a directory of Parquet tables that needs nothing of
//! ours to be read (`docs/FORMAT.md` names every column).  Written aside and
//! renamed, so that it appears whole or not at all.  This crate knows the graph
//! and nothing of CPython's memory, of analyses, or of what a person will see.

mod directory;
mod error;
mod meta;
mod page;
mod read;
mod schema;
mod table;
mod write;

pub use error::{ReadError, WriteError};
pub use meta::{CheckpointMeta, Counts, Meta, RecordedMeta, read_meta};
pub use read::read;
pub use schema::SCHEMA;
pub use write::{Summary, Writer};
