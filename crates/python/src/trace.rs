//! The tracer: who is born where, and who dies how, kept in a ledger (undying_lives) while
//! the program runs.  It hooks the interpreter's object allocator, and from 3.13 on also
//! its tracer of references; it asks for no name and runs no code of the program but
//! where a place or class is new.

mod asked;
mod classes;
mod follow;
mod frames;
mod hooks;
mod interpreter;
mod memory;
mod tracer;

pub use asked::*;
pub use interpreter::{Allocator, Functions};
