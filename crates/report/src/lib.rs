//! What is said, before it is printed: a [`Report`] is a list of blocks, a block
//! is made of cells with their units, a [`Link`] is the next command.  This
//! crate knows no graph and no target, and its writers compute nothing: what is
//! not in the report cannot be shown.

mod block;
mod cell;
mod style;
mod table;
mod text;
mod unit;

pub use block::{Block, Branch, Column, Fact, Hop, Path, Report, Table, Tone};
pub use cell::{Cell, Link};
pub use style::Style;
pub use text::write;
pub use unit::{address, bytes, count, seconds, share};
