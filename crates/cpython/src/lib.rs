//! CPython's heap from outside: finds the interpreter in a process, copies its memory
//! while it stands still, and walks objects and references into a sink.  It judges
//! nothing and prints nothing; nothing is ever written to the target.

mod allocator;
mod births;
mod blocks;
mod builtin;
mod capture;
mod class;
mod code;
mod collector;
mod data;
mod discover;
mod emit;
mod index;
mod interpreter;
pub mod layout;
mod libraries;
mod lines;
mod locate;
mod native;
mod object;
mod origin;
mod owners;
mod proof;
mod returned;
mod select;
mod size;
mod space;
mod stack;
mod statics;
mod sweep;
mod text;
mod visit;
mod walk;
mod wrappers;

pub use capture::{CaptureError, Copied, Options, Target};
pub use locate::{OpenError, Runtime};
pub use select::supported;
pub use stack::Stacks;
