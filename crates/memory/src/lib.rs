//! Bytes of another process: where they are mapped, how they are read, how the
//! process is held still for a moment.  This crate knows nothing of Python.

mod fault;
mod image;

pub use fault::{Fault, Memory};
pub use image::{Image, ImageBuilder, Segment};
