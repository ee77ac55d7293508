//! Bytes of another process: where they are mapped, how they are read, how the
//! process is held still for a moment.  This crate knows nothing of Python.

mod attach;
mod capture;
mod copy;
mod dynamic;
mod elf;
mod fault;
mod image;
mod mapping;
mod mend;
mod module;
mod own;
mod process;
mod resident;
mod signals;
mod status;
mod stop;
mod symbols;
mod thread;
mod tracer;

pub use attach::AttachError;
pub use capture::{CaptureError, Captured, Plan, Rest, private_writable};
pub use fault::{Fault, Memory};
pub use image::{Image, ImageBuilder, Segment};
pub use mapping::{Mapping, Mappings, Perms};
pub use mend::mend_call;
pub use module::{Module, modules};
pub use process::Process;
pub use signals::SignalsHeld;
pub use thread::{Registers, Thread};
