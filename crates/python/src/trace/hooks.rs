//! The hooks in the interpreter's allocators.  They serve every block by the allocator
//! that was there before, and tell the tracer.
//!
//! Every block is told in the mode that keeps all births.  In the mode that keeps a sample,
//! blocks are only counted by their bytes; one that is drawn is served by the raw
//! allocator, whose blocks the small-object allocator knows not to be its own and hands
//! back to it (`Objects/obmalloc.c`, `_PyObject_Free`), so that the death of all others
//! costs nothing.
//!
//! Unsafe, because these functions are called from C with addresses.  The interpreter's
//! lock is held in all of the object domain, so what is shared is used by one thread at a
//! time; interpreters with a lock of their own are left out.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use undying_lives::format::{EVERY, FREE_LIST, OFF, SAMPLE};
use undying_lives::{Ledger, Mode};

use super::interpreter::{Allocator, Functions, OBJ, RAW, RefTracer};
use super::memory::Living;
use super::tracer::{Event, Plan, Tracer};

/// The ledger: found from outside by this name (undying_lives::format::SYMBOL).
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static undying_ledger: Shared<Ledger> = Shared(UnsafeCell::new(Ledger::new()));

static TRACER: Shared<MaybeUninit<Tracer>> = Shared(UnsafeCell::new(MaybeUninit::uninit()));
static BEFORE: Shared<MaybeUninit<Before>> = Shared(UnsafeCell::new(MaybeUninit::uninit()));

/// Whether the two above are set.
static READY: AtomicBool = AtomicBool::new(false);
/// [`OFF`], [`EVERY`] or [`SAMPLE`]: what the hooks do.
static MODE: AtomicU32 = AtomicU32::new(OFF);
/// Hooks of ours could not be taken out, since somebody hooked in after us.
static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);
/// The tracer is at work: what it asks of the interpreter is not told to it.
static BUSY: AtomicBool = AtomicBool::new(false);
/// A fork made this process.
static FORKED: AtomicBool = AtomicBool::new(false);
/// Where samples may be: a bit for each hash of an address that was one.
static FILTER: [AtomicU64; 1 << 10] = [const { AtomicU64::new(0) }; 1 << 10];

/// The bytes of a dead block that are looked at.
const REMAINS: usize = 48;

/// What one thread at a time uses, by the interpreter's lock.
#[repr(transparent)]
pub struct Shared<T>(UnsafeCell<T>);

// SAFETY: used with the interpreter's lock held, and not while `BUSY`.
unsafe impl<T> Sync for Shared<T> {}

/// Who served and who was told before us.
struct Before {
    objects: Allocator,
    raw: Allocator,
    tracer: Option<RefTracer>,
    tracer_data: *mut c_void,
}

fn before() -> &'static Before {
    // SAFETY: set before the first hook is, never changed while one is.
    unsafe { (*BEFORE.0.get()).assume_init_ref() }
}

/// The work with tracer and ledger, unless it is under way already.
#[inline(always)]
fn with<R>(f: impl FnOnce(&mut Tracer, &mut Ledger, Event) -> R) -> Option<R> {
    if BUSY.load(Relaxed) {
        return None;
    }
    // SAFETY: set before the first hook is; the lock is held and nobody else is at work.
    let (tracer, ledger) = unsafe { ((*TRACER.0.get()).assume_init_mut(), &mut *undying_ledger.0.get()) };
    let thread = tracer.functions.thread();
    // SAFETY: a hook of the object domain, or a call from Python: the lock is held.
    let living = unsafe { Living::new() };
    let foreign = |t: u64| tracer.offsets.own_locks && living.word(t, tracer.offsets.interpreter) != tracer.interpreter;
    if thread == 0 || foreign(thread) {
        return None;
    }
    BUSY.store(true, Relaxed);
    if FORKED.load(Relaxed) {
        FORKED.store(false, Relaxed);
        ledger.forked(std::process::id());
    }
    let done = f(tracer, ledger, Event { living, thread });
    BUSY.store(false, Relaxed);
    Some(done)
}

/// The same from Python, with the lock held; `None` before the first start.
pub fn ask<R>(f: impl FnOnce(&mut Tracer, &mut Ledger, Event) -> R) -> Option<R> {
    if READY.load(Relaxed) { with(f) } else { None }
}

/// What the hooks do now.
pub fn mode() -> u32 {
    MODE.load(Relaxed)
}

#[inline(always)]
fn born(block: *mut c_void, size: usize) -> *mut c_void {
    if !block.is_null() && MODE.load(Relaxed) == EVERY {
        with(|tracer, ledger, event| tracer.born(event, ledger, block as u64, size));
    }
    block
}

unsafe extern "C" fn every_malloc(_: *mut c_void, size: usize) -> *mut c_void {
    let b = &before().objects;
    // SAFETY: handed on as it came.
    let block = unsafe { (b.malloc)(b.context, size) };
    if !block.is_null() {
        // What lay there before could be taken for what dies there one day.
        // SAFETY: a fresh block of `size` bytes, whose content is nobody's.
        unsafe { block.cast::<u8>().write_bytes(0, size.min(REMAINS)) };
    }
    born(block, size)
}

unsafe extern "C" fn every_calloc(_: *mut c_void, count: usize, size: usize) -> *mut c_void {
    let b = &before().objects;
    // SAFETY: handed on as it came.
    born(unsafe { (b.calloc)(b.context, count, size) }, count.saturating_mul(size))
}

unsafe extern "C" fn every_realloc(_: *mut c_void, block: *mut c_void, size: usize) -> *mut c_void {
    let b = &before().objects;
    // SAFETY: handed on as it came.
    let moved = unsafe { (b.realloc)(b.context, block, size) };
    if block.is_null() {
        return born(moved, size);
    }
    if !moved.is_null() && moved != block {
        with(|_, ledger, _| {
            if let Some(birth) = ledger.take(block as u64) {
                ledger.moved(birth, moved as u64);
            }
        });
    }
    moved
}

unsafe extern "C" fn every_free(_: *mut c_void, block: *mut c_void) {
    let b = &before().objects;
    if !block.is_null() && MODE.load(Relaxed) == EVERY {
        with(|tracer, ledger, event| tracer.died(event, ledger, block as u64));
    }
    // SAFETY: handed on as it came.
    unsafe { (b.free)(b.context, block) }
}

/// Counts the bytes; whether this block is drawn.
#[inline(always)]
fn is_drawn(size: usize) -> bool {
    // SAFETY: the lock is held in the object domain.
    let tracer = unsafe { (*TRACER.0.get()).assume_init_mut() };
    tracer.until_sample = tracer.until_sample.wrapping_sub(size as i64);
    tracer.until_sample < 0
}

#[cold]
#[inline(never)]
fn drawn(size: usize, serve: impl FnOnce(&Before) -> *mut c_void) -> *mut c_void {
    let mean = sample_bytes();
    // SAFETY: as above.
    unsafe { (*TRACER.0.get()).assume_init_mut() }.draw(mean);
    let block = serve(before());
    if !block.is_null() && MODE.load(Relaxed) == SAMPLE {
        let bit = filter_bit(block as u64);
        FILTER[bit / 64].fetch_or(1 << (bit % 64), Relaxed);
        with(|tracer, ledger, event| tracer.sampled(event, ledger, block as u64, size));
    }
    block
}

fn sample_bytes() -> u64 {
    // SAFETY: written at the start only.
    unsafe { (*undying_ledger.0.get()).sample_bytes() }
}

#[inline(always)]
fn filter_bit(block: u64) -> usize {
    (block.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

unsafe extern "C" fn sample_malloc(_: *mut c_void, size: usize) -> *mut c_void {
    if is_drawn(size) {
        // SAFETY: a block of the raw domain, which takes it back (see above).
        return drawn(size, |b| unsafe { (b.raw.malloc)(b.raw.context, size) });
    }
    let b = &before().objects;
    // SAFETY: handed on as it came.
    unsafe { (b.malloc)(b.context, size) }
}

unsafe extern "C" fn sample_calloc(_: *mut c_void, count: usize, size: usize) -> *mut c_void {
    let bytes = count.saturating_mul(size);
    if is_drawn(bytes) {
        // SAFETY: as above.
        return drawn(bytes, |b| unsafe { (b.raw.calloc)(b.raw.context, count, size) });
    }
    let b = &before().objects;
    // SAFETY: handed on as it came.
    unsafe { (b.calloc)(b.context, count, size) }
}

unsafe extern "C" fn raw_malloc(_: *mut c_void, size: usize) -> *mut c_void {
    let b = &before().raw;
    // SAFETY: handed on as it came.
    unsafe { (b.malloc)(b.context, size) }
}

unsafe extern "C" fn raw_calloc(_: *mut c_void, count: usize, size: usize) -> *mut c_void {
    let b = &before().raw;
    // SAFETY: handed on as it came.
    unsafe { (b.calloc)(b.context, count, size) }
}

unsafe extern "C" fn raw_realloc(_: *mut c_void, block: *mut c_void, size: usize) -> *mut c_void {
    let b = &before().raw;
    let sample =
        if may_be_sample(block) { with(|_, ledger, _| ledger.take_sample(block as u64)).flatten() } else { None };
    // SAFETY: handed on as it came.
    let moved = unsafe { (b.realloc)(b.context, block, size) };
    if let Some(sample) = sample {
        let now = if moved.is_null() { block } else { moved } as u64;
        let bit = filter_bit(now);
        FILTER[bit / 64].fetch_or(1 << (bit % 64), Relaxed);
        with(|_, ledger, _| ledger.sample(now, sample.bytes, sample.record.place.wrapping_sub(1)));
    }
    moved
}

unsafe extern "C" fn raw_free(_: *mut c_void, block: *mut c_void) {
    if may_be_sample(block) {
        let mean = sample_bytes();
        with(|tracer, ledger, event| tracer.sample_died(event, ledger, block as u64, mean));
    }
    let b = &before().raw;
    // SAFETY: handed on as it came.
    unsafe { (b.free)(b.context, block) }
}

/// Samples are few, and the filter is nearly empty.  A block that only looks like one may
/// be freed without the interpreter's lock: then its thread has no state, or waits.
#[inline(always)]
fn may_be_sample(block: *mut c_void) -> bool {
    let bit = filter_bit(block as u64);
    FILTER[bit / 64].load(Relaxed) & 1 << (bit % 64) != 0 && holds_lock()
}

fn holds_lock() -> bool {
    // SAFETY: set before the first hook is, and this part never changed.
    unsafe { (*TRACER.0.get()).assume_init_ref() }.functions.holds_lock()
}

/// Whether an object may come from a list of the interpreter's, as few classes' do.
#[inline(always)]
fn may_be_reused(object: *mut c_void) -> bool {
    // SAFETY: the object is alive or about to die, and whoever calls holds its interpreter's
    // lock; with another one's, what is read here may be wrong, and is not used further.
    let class = unsafe {
        let class = Living::new().word(object as u64, 8);
        (*TRACER.0.get()).assume_init_ref().classes.met(class)
    };
    class.is_none_or(|c| c.flags & FREE_LIST != 0)
}

unsafe extern "C" fn referred(object: *mut c_void, event: c_int, _: *mut c_void) -> c_int {
    if MODE.load(Relaxed) == EVERY && may_be_reused(object) {
        with(|tracer, ledger, e| tracer.referred(e, ledger, object as u64, event == 0));
    }
    let b = before();
    // SAFETY: handed on as it came, with the data of that tracer.
    b.tracer.map_or(0, |tracer| unsafe { tracer(object, event, b.tracer_data) })
}

/// In the child of a fork: the ledger is taken over at the next event.
extern "C" fn forked() {
    FORKED.store(true, Relaxed);
}

/// Begins.  The lock is held.
pub fn start(tracer: Tracer, plan: Plan) -> Result<(), &'static str> {
    if MODE.load(Relaxed) != OFF {
        return Err("the tracer runs already; stop it first");
    }
    let functions = tracer.functions;
    let first = !READY.load(Relaxed);
    if plan.mode != Mode::Every && LEFT_BEHIND.load(Relaxed) {
        return Err("another tool hooked in after the tracer, so a sample cannot be begun in this process any more");
    }
    // SAFETY: the lock is held, and hooks that are still in place do nothing while off.
    unsafe { *TRACER.0.get() = MaybeUninit::new(tracer) };
    begin(plan)?;
    if first {
        // SAFETY: the function only stores.
        unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    }
    if first || !is_in_chain(&functions, plan.mode) {
        // SAFETY: no hook of ours is in place.
        unsafe { *BEFORE.0.get() = MaybeUninit::new(who_is_there(&functions)) };
        READY.store(true, Relaxed);
        hook(&functions, plan.mode);
    }
    let mode = if plan.mode == Mode::Every { EVERY } else { SAMPLE };
    MODE.store(mode, Relaxed);
    Ok(())
}

fn begin(plan: Plan) -> Result<(), &'static str> {
    // SAFETY: the lock is held, and hooks do nothing while off.
    let ledger = unsafe { &mut *undying_ledger.0.get() };
    ledger.begin(std::process::id(), plan.mode, plan.depth).map_err(|_| "there is no memory for the ledger")
}

fn who_is_there(functions: &Functions) -> Before {
    let (tracer, tracer_data) = functions.ref_tracer().unwrap_or((None, null_mut()));
    Before { objects: functions.allocator(OBJ), raw: functions.allocator(RAW), tracer, tracer_data }
}

/// Whether hooks of an earlier start are still reached, below those of somebody else: to
/// hook in again above them would make a ring.
fn is_in_chain(functions: &Functions, mode: Mode) -> bool {
    if mode != Mode::Every || !LEFT_BEHIND.load(Relaxed) {
        return false;
    }
    MODE.store(EVERY, Relaxed);
    let reached = is_reached(functions);
    MODE.store(OFF, Relaxed);
    reached
}

/// Whether the birth of a block comes to the ledger.
fn is_reached(functions: &Functions) -> bool {
    let objects = functions.allocator(OBJ);
    // SAFETY: a block is asked for and given back, with the lock held.
    unsafe {
        let block = (objects.malloc)(objects.context, 16);
        let reached = ask(|_, ledger, _| ledger.record(block as u64).is_some()).unwrap_or(false);
        (objects.free)(objects.context, block);
        reached
    }
}

fn is_ours(objects: &Allocator) -> bool {
    let malloc = objects.malloc as usize;
    malloc == every_malloc as *const () as usize || malloc == sample_malloc as *const () as usize
}

fn hook(functions: &Functions, mode: Mode) {
    let b = before();
    match mode {
        Mode::Every => {
            let ours = Allocator {
                context: null_mut(),
                malloc: every_malloc,
                calloc: every_calloc,
                realloc: every_realloc,
                free: every_free,
            };
            // SAFETY: every block is served by the allocator that was there before.
            unsafe {
                functions.set_allocator(OBJ, &ours);
                functions.set_ref_tracer(Some(referred), null_mut());
            }
        }
        Mode::Sample(mean) => {
            // SAFETY: as above.
            unsafe { (*TRACER.0.get()).assume_init_mut() }.draw(mean);
            let ours = Allocator { context: null_mut(), malloc: sample_malloc, calloc: sample_calloc, ..b.objects };
            let ours = Allocator { context: b.objects.context, ..ours };
            let raw = Allocator {
                context: null_mut(),
                malloc: raw_malloc,
                calloc: raw_calloc,
                realloc: raw_realloc,
                free: raw_free,
            };
            // SAFETY: drawn blocks are of the raw domain, which the small-object allocator
            // hands back to it; all others are served as before, with the same context.
            unsafe {
                functions.set_allocator(RAW, &raw);
                functions.set_allocator(OBJ, &ours);
            }
        }
    }
}

/// Ends; what was kept stays.  Whoever hooked in after us keeps us in place, passing on.
pub fn stop() {
    if !READY.load(Relaxed) || MODE.swap(OFF, Relaxed) == OFF {
        return;
    }
    let functions = ask(|tracer, ledger, _| {
        ledger.end();
        tracer.functions
    });
    functions.as_ref().inspect(|f| unhook(f));
}

fn unhook(functions: &Functions) {
    let b = before();
    if let Some((Some(tracer), _)) = functions.ref_tracer()
        && tracer as usize == referred as RefTracer as usize
    {
        // SAFETY: the one that was there before.
        unsafe { functions.set_ref_tracer(b.tracer, b.tracer_data) };
    }
    let on_top = is_ours(&functions.allocator(OBJ));
    LEFT_BEHIND.store(!on_top, Relaxed);
    if on_top {
        // SAFETY: the allocators that were there before; blocks are theirs.
        unsafe { functions.set_allocator(OBJ, &b.objects) };
    }
    if functions.allocator(RAW).malloc as usize == raw_malloc as *const () as usize {
        // SAFETY: as above.
        unsafe { functions.set_allocator(RAW, &b.raw) };
    }
}

/// Whether births still reach us: somebody may have put back an allocator of before us.
pub fn is_in_place() -> bool {
    let Some(functions) = ask(|tracer, _, _| tracer.functions) else { return false };
    match MODE.load(Relaxed) {
        EVERY => is_reached(&functions),
        SAMPLE => is_ours(&functions.allocator(OBJ)),
        _ => false,
    }
}

/// Whether the interpreter still tells us of births (3.13 on).
pub fn is_told() -> bool {
    let Some(functions) = ask(|tracer, _, _| tracer.functions) else { return false };
    functions.ref_tracer().and_then(|(f, _)| f).is_some_and(|f| f as usize == referred as RefTracer as usize)
}
