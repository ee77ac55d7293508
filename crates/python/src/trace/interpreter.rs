//! The interpreter that loaded us: functions of its that are not of the stable interface
//! and so are looked up by name, and where its structures keep what the tracer reads.
//!
//! Unsafe, because a symbol is called with the signature that the headers of all versions
//! from 3.9 on give it (`Include/cpython/pymem.h`, `pystate.h`, `code.h`,
//! `unicodeobject.h`, `object.h`, since 3.13 also `PyRefTracer`).
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};

use undying_cpython::layout::{ABSENT, Layout};

use super::memory::Living;

/// `PyMemAllocatorEx`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Allocator {
    pub context: *mut c_void,
    pub malloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    pub calloc: unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void,
    pub realloc: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    pub free: unsafe extern "C" fn(*mut c_void, *mut c_void),
}

/// `PyRefTracer`.
pub type RefTracer = unsafe extern "C" fn(*mut c_void, c_int, *mut c_void) -> c_int;

/// The domains of `PyMemAllocatorDomain`.
pub const RAW: c_int = 0;
/// Objects.
pub const OBJ: c_int = 2;

/// Functions of the interpreter.
#[derive(Clone, Copy)]
pub struct Functions {
    get_allocator: unsafe extern "C" fn(c_int, *mut Allocator),
    set_allocator: unsafe extern "C" fn(c_int, *const Allocator),
    thread: unsafe extern "C" fn() -> *mut c_void,
    line: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    utf8: unsafe extern "C" fn(*mut c_void, *mut isize) -> *const c_char,
    item: unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void,
    holds_lock: Option<unsafe extern "C" fn() -> c_int>,
    allocator_name: Option<unsafe extern "C" fn() -> *const c_char>,
    set_ref_tracer: Option<unsafe extern "C" fn(Option<RefTracer>, *mut c_void) -> c_int>,
    get_ref_tracer: Option<unsafe extern "C" fn(*mut *mut c_void) -> Option<RefTracer>>,
}

fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: asks the dynamic linker for a name.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// The function of this name.
///
/// # Safety
/// `F` is a pointer to a function of the signature that the headers give this name.
unsafe fn function<F: Copy>(names: &[&CStr]) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    let found = names.iter().find_map(|name| symbol(name))?;
    // SAFETY: by the caller's word; both are pointers.
    Some(unsafe { std::mem::transmute_copy(&found) })
}

impl Functions {
    /// All of them, or the name of one that this interpreter lacks.
    pub fn find() -> Result<Functions, &'static str> {
        // SAFETY: signatures as in the headers named above.
        unsafe {
            Ok(Functions {
                get_allocator: function(&[c"PyMem_GetAllocator"]).ok_or("PyMem_GetAllocator")?,
                set_allocator: function(&[c"PyMem_SetAllocator"]).ok_or("PyMem_SetAllocator")?,
                thread: function(&[c"PyThreadState_GetUnchecked", c"_PyThreadState_UncheckedGet"])
                    .ok_or("_PyThreadState_UncheckedGet")?,
                line: function(&[c"PyCode_Addr2Line"]).ok_or("PyCode_Addr2Line")?,
                utf8: function(&[c"PyUnicode_AsUTF8AndSize"]).ok_or("PyUnicode_AsUTF8AndSize")?,
                item: function(&[c"PyDict_GetItemString"]).ok_or("PyDict_GetItemString")?,
                holds_lock: function(&[c"PyGILState_Check"]),
                allocator_name: function(&[c"_PyMem_GetCurrentAllocatorName"]),
                set_ref_tracer: function(&[c"PyRefTracer_SetTracer"]),
                get_ref_tracer: function(&[c"PyRefTracer_GetTracer"]),
            })
        }
    }

    /// The allocator of a domain.
    pub fn allocator(&self, domain: c_int) -> Allocator {
        let mut found = std::mem::MaybeUninit::<Allocator>::uninit();
        // SAFETY: it fills the structure for the domains above.
        unsafe {
            (self.get_allocator)(domain, found.as_mut_ptr());
            found.assume_init()
        }
    }

    /// # Safety
    /// The allocator serves blocks as its domain promises, from now to the end of the
    /// process; the interpreter's lock is held.
    pub unsafe fn set_allocator(&self, domain: c_int, allocator: &Allocator) {
        // SAFETY: by the caller's word; the structure is copied.
        unsafe { (self.set_allocator)(domain, allocator) }
    }

    /// The thread that has the interpreter's lock and runs this, or 0.
    #[inline(always)]
    pub fn thread(&self) -> u64 {
        // SAFETY: it only reads.
        unsafe { (self.thread)() as u64 }
    }

    /// Whether the calling thread has the interpreter's lock, as far as can be told.
    pub fn holds_lock(&self) -> bool {
        // SAFETY: it only reads, without a state too.
        self.holds_lock.is_some_and(|check| unsafe { check() } == 1)
    }

    /// The line of a byte of a code's instructions; 0 where there is none.
    pub fn line(&self, _: Living, code: u64, byte: i32) -> u32 {
        // SAFETY: the code is alive, since a frame runs it; nothing is allocated.
        let line = unsafe { (self.line)(code as *mut c_void, byte) };
        u32::try_from(line).unwrap_or(0)
    }

    /// A str as UTF-8; empty for what is none.
    pub fn text(&self, living: Living, object: u64) -> String {
        /// `Py_TPFLAGS_UNICODE_SUBCLASS`.
        const STR: u64 = 1 << 28;
        let flags = |class: u64| living.word(class, super::classes::FLAGS);
        if object == 0 || flags(living.word(object, 8)) & STR == 0 {
            return String::new();
        }
        let mut len = 0;
        // SAFETY: a living str; the bytes are its own, and copied at once.
        unsafe {
            let bytes = (self.utf8)(object as *mut c_void, &mut len);
            if bytes.is_null() || len < 0 {
                // surrogates: the exception that says so is of no use to anybody
                pyo3::ffi::PyErr_Clear();
                return String::new();
            }
            String::from_utf8_lossy(std::slice::from_raw_parts(bytes.cast(), len as usize)).into_owned()
        }
    }

    /// What a dictionary has under a name, or 0.  Runs no code of the program: the keys of
    /// a class's dictionary are strings.
    pub fn item(&self, _: Living, dictionary: u64, name: &CStr) -> u64 {
        // SAFETY: a living dictionary; errors are swallowed by the function.
        unsafe { (self.item)(dictionary as *mut c_void, name.as_ptr()) as u64 }
    }

    /// Whether objects are served by the interpreter's own small-object allocator.
    pub fn has_pymalloc(&self) -> bool {
        let Some(name) = self.allocator_name else { return false };
        // SAFETY: a constant or null.
        unsafe {
            let name = name();
            !name.is_null() && CStr::from_ptr(name) == c"pymalloc"
        }
    }

    /// Who is told of births and deaths of objects, and with what; `None` before 3.13.
    pub fn ref_tracer(&self) -> Option<(Option<RefTracer>, *mut c_void)> {
        let mut data = std::ptr::null_mut();
        // SAFETY: it fills the pointer.
        self.get_ref_tracer.map(|get| unsafe { (get(&mut data), data) })
    }

    /// # Safety
    /// The function may be called at each birth and death to the end of the process.
    pub unsafe fn set_ref_tracer(&self, tracer: Option<RefTracer>, data: *mut c_void) -> bool {
        // SAFETY: by the caller's word.
        self.set_ref_tracer.is_some_and(|set| unsafe { set(tracer, data) } == 0)
    }
}

/// Where the tracer finds what it reads, in bytes; [`ABSENT`] where a version lacks it.
#[derive(Clone, Copy, Debug)]
pub struct Offsets {
    /// From the thread to its running frame, by way of `via` where there is one.
    pub first: u32,
    pub via: u32,
    pub back: u32,
    pub code: u32,
    pub instruction: u32,
    /// Of an interpreter frame: what it belongs to.
    pub owner: u32,
    /// Of the code: its first instruction, where frames point into it.
    pub instructions: u32,
    /// Bytes of a unit of `f_lasti`.
    pub unit: i32,
    pub code_file: u32,
    pub code_name: u32,
    pub code_line: u32,
    /// From the thread to its interpreter.
    pub interpreter: u32,
    pub type_name: u32,
    pub type_base: u32,
    /// The address of `type` itself.
    pub type_type: u64,
    pub type_basic: u32,
    pub type_dict: u32,
    pub type_qualname: u32,
    /// Flags of a class whose instances have two words before the collector's header.
    pub preheader: u64,
    /// A count's low half alone counts (PEP 683).
    pub short_count: bool,
    /// Interpreters may have a lock of their own.
    pub own_locks: bool,
}

impl Offsets {
    /// From a layout.
    pub fn of(l: &Layout) -> Offsets {
        let old = l.iframe.code == ABSENT;
        let (first, via) = match (l.thread.frame, l.thread.cframe) {
            (frame, _) if old => (frame, ABSENT),
            (_, ABSENT) => (l.thread.current_frame, ABSENT),
            (_, cframe) => (cframe, l.cframe.current_frame),
        };
        let pick = |a: u32, b: u32| if old { a } else { b };
        Offsets {
            first,
            via,
            back: pick(l.frame.back, l.iframe.previous),
            code: pick(l.frame.code, l.iframe.code),
            instruction: pick(l.frame.lasti, l.iframe.prev_instr),
            owner: pick(ABSENT, l.iframe.owner),
            instructions: pick(ABSENT, l.code.code_adaptive),
            // f_lasti counts instructions since 3.10 (Objects/frameobject.c)
            unit: if l.version >= (3, 10) { 2 } else { 1 },
            code_file: l.code.filename,
            code_name: if l.code.qualname == ABSENT { l.code.name } else { l.code.qualname },
            code_line: l.code.firstlineno,
            interpreter: l.thread.interp,
            type_name: l.type_.name,
            type_base: l.type_.base,
            type_type: (&raw const pyo3::ffi::PyType_Type) as u64,
            type_basic: l.type_.basicsize,
            type_dict: l.type_.dict,
            type_qualname: l.heap_type.qualname,
            // Py_TPFLAGS_PREHEADER (3.12), of which 3.11 has the dictionary's bit only
            preheader: if old { 0 } else { 3 << 3 },
            short_count: l.version >= (3, 12),
            own_locks: l.version >= (3, 12),
        }
    }
}
