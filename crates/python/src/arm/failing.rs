//! Hooks in the interpreter's allocators that only look whether they failed.
//!
//! Unsafe, because these functions are called from C with addresses; each serves its
//! domain by the allocator that was there before, which its context points to.  They stay
//! for good: whoever hooks in later may have kept them.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::trace::{Allocator, Functions};

struct Hooked {
    functions: Functions,
    before: [Allocator; 3],
}

// SAFETY: written once; the contexts in it are handed on to whom they belong.
unsafe impl Send for Hooked {}
// SAFETY: as above.
unsafe impl Sync for Hooked {}

static HOOKED: OnceLock<Hooked> = OnceLock::new();
/// What the child and its making ask for is nobody's failure.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Hooks in, once; else the name of what the interpreter lacks.
pub fn hook() -> Result<(), &'static str> {
    if HOOKED.get().is_some() {
        return Ok(());
    }
    let functions = Functions::find()?;
    let before = [0, 1, 2].map(|domain| functions.allocator(domain));
    let hooked = HOOKED.get_or_init(|| Hooked { functions, before });
    for (domain, before) in hooked.before.iter().enumerate() {
        let context = std::ptr::from_ref(before).cast_mut().cast();
        let ours = Allocator { context, malloc, calloc, realloc, free };
        // SAFETY: every block is served by the allocator that was there before.
        unsafe { functions.set_allocator(domain as i32, &ours) };
    }
    Ok(())
}

/// The allocator behind a hook.
///
/// # Safety
/// The context is one that [`hook`] gave.
unsafe fn behind(context: *mut c_void) -> &'static Allocator {
    // SAFETY: it points into `HOOKED`, which is never changed.
    unsafe { &*context.cast::<Allocator>() }
}

#[inline(always)]
fn seen(block: *mut c_void) -> *mut c_void {
    if block.is_null() {
        failed();
    }
    block
}

#[cold]
fn failed() {
    let Some(hooked) = HOOKED.get() else { return };
    // without the lock objects may change meanwhile
    if hooked.functions.holds_lock() && hooked.functions.thread() != 0 && !BUSY.swap(true, Relaxed) {
        super::now("MemoryError", true);
        BUSY.store(false, Relaxed);
    }
}

unsafe extern "C" fn malloc(context: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: handed on as it came.
    unsafe {
        let b = behind(context);
        seen((b.malloc)(b.context, size))
    }
}

unsafe extern "C" fn calloc(context: *mut c_void, count: usize, size: usize) -> *mut c_void {
    // SAFETY: as above.
    unsafe {
        let b = behind(context);
        seen((b.calloc)(b.context, count, size))
    }
}

unsafe extern "C" fn realloc(context: *mut c_void, block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: as above.
    unsafe {
        let b = behind(context);
        seen((b.realloc)(b.context, block, size))
    }
}

unsafe extern "C" fn free(context: *mut c_void, block: *mut c_void) {
    // SAFETY: as above.
    unsafe {
        let b = behind(context);
        (b.free)(b.context, block);
    }
}
