//! The ledger of lives: which object was born where, and how many died by their count or
//! by the collector.  It keeps numbers; what a block, a frame or a class is, whoever calls
//! knows.  Its memory is its own (no allocator of the process is asked), so it may be
//! written from inside an allocator, and its form is fixed ([`format`]), so that it can be
//! read from outside.

pub mod format;

mod index;
mod ledger;
mod rows;
mod shadow;

pub use ledger::{End, Ledger, Mode};
pub use rows::Full;
