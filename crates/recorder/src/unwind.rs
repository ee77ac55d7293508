//! The native stack of a thread that stands, by the unwind tables that the mapped files
//! carry (System V ABI, `.eh_frame`).  Instructions in, names are somebody else's.

use framehop::{
    CacheNative, ExplicitModuleSectionInfo, FrameAddress, MayAllocateDuringUnwind, UnwindRegsNative, Unwinder as _,
    UnwinderNative,
};
use undying_memory::{Memory, Module, Process, modules};

/// Bytes of a stack that are read at once; frames further out are read word by word.
const WINDOW: usize = 16 << 10;
/// Larger tables are not read.
const LARGEST: u64 = 256 << 20;
/// Libraries may be loaded meanwhile; the list is read so often at most.
const RELOADS: u32 = 200;

/// An instruction that was running and where the stack of its frame begins (its canonical
/// frame address less what that adds; equal for all that happens in one call).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Place {
    /// The next instruction: behind the write, or behind the call.
    pub pc: u64,
    /// Where the next outer frame's stack ends.
    pub stack: u64,
}

/// Walks stacks of one process.
pub(crate) struct Unwinder {
    modules: Vec<(Module, bool)>,
    tables: UnwinderNative<Vec<u8>, MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
    reloads: u32,
}

impl Unwinder {
    /// For the files that are mapped now.
    pub fn new(process: &Process) -> Unwinder {
        let mut unwinder = Unwinder {
            modules: Vec::new(),
            tables: UnwinderNative::new(),
            cache: CacheNative::<MayAllocateDuringUnwind>::new_in(),
            reloads: 0,
        };
        unwinder.reload(process);
        unwinder
    }

    /// The files that were met.
    pub fn into_modules(self) -> Vec<Module> {
        self.modules.into_iter().map(|m| m.0).collect()
    }

    /// Where the innermost function outside of a file returns to that file: the instruction,
    /// and the stack pointer then.
    pub fn way_back(&self, frames: &[Place], file: &str) -> Option<Place> {
        let within = |p: &Place| {
            let probe = p.pc.wrapping_sub(1);
            self.modules.iter().rev().find(|(m, _)| (m.start..m.end).contains(&probe)).map(|(m, _)| m.path == file)
        };
        let first = frames.iter().position(|p| within(p) == Some(false))?;
        let beyond = first + frames[first..].iter().position(|p| within(p) == Some(true))?;
        Some(Place { pc: frames[beyond].pc, stack: frames.get(beyond.checked_sub(1)?)?.stack })
    }

    /// Add what was mapped since.
    fn reload(&mut self, process: &Process) {
        let Ok(mappings) = process.mappings() else { return };
        for module in modules(process, &mappings) {
            if !self.modules.iter().any(|(m, _)| m.start == module.start && m.path == module.path) {
                self.modules.push((module, false));
            }
        }
    }

    /// Have the tables of the file that an address lies in.
    fn prepare(&mut self, process: &Process, address: u64) {
        let holds = |m: &Module| (m.start..m.end).contains(&address);
        if !self.modules.iter().any(|(m, _)| holds(m)) && self.reloads < RELOADS {
            self.reloads += 1;
            self.reload(process);
        }
        let Some((module, loaded)) = self.modules.iter_mut().rev().find(|(m, _)| holds(m)) else { return };
        if !std::mem::replace(loaded, true) {
            let tables = tables(process, module);
            let range = module.start..module.end;
            self.tables.add_module(framehop::Module::new(module.path.clone(), range, module.slide, tables));
        }
    }

    /// The frames from the innermost on, at most so many.
    pub fn frames(&mut self, process: &Process, at: &libc::user_regs_struct, most: usize) -> Vec<Place> {
        let stack = Window::read(process, at.rsp);
        let mut registers = UnwindRegsNative::new(at.rip, at.rsp, at.rbp);
        let mut found = Vec::new();
        let mut next = Some(FrameAddress::from_instruction_pointer(at.rip));
        while let (Some(frame), true) = (next, found.len() < most) {
            self.prepare(process, frame.address_for_lookup());
            let mut read = |a: u64| stack.word(process, a).ok_or(());
            let outer = self.tables.unwind_frame(frame, &mut registers, &mut self.cache, &mut read);
            found.push(Place { pc: frame.address(), stack: registers.sp() });
            next = outer.ok().flatten().and_then(FrameAddress::from_return_address);
        }
        found
    }
}

/// The sections that tell how to unwind a file, from the target's own memory.
fn tables(process: &Process, module: &Module) -> ExplicitModuleSectionInfo<Vec<u8>> {
    let in_file = |at: u64, size: u64| {
        let start = at.wrapping_sub(module.slide);
        start..start.saturating_add(size)
    };
    let section = |name: &str| {
        let (at, size) = module.section(name).filter(|s| s.1 <= LARGEST)?;
        let mut bytes = vec![0; size as usize];
        process.read(at, &mut bytes).ok()?;
        Some((in_file(at, size), bytes))
    };
    let range = |name: &str| module.section(name).map(|(at, size)| in_file(at, size));
    let (frame, header) = (section(".eh_frame").unzip(), section(".eh_frame_hdr").unzip());
    ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: range(".text"),
        got_svma: range(".got"),
        eh_frame_svma: frame.0,
        eh_frame: frame.1,
        eh_frame_hdr_svma: header.0,
        eh_frame_hdr: header.1,
        ..Default::default()
    }
}

/// The inner end of a stack.
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// From an address on, as far as can be read.
    fn read(process: &Process, start: u64) -> Window {
        let mut bytes = vec![0; WINDOW];
        // the outer end of a stack may be nearer
        while !bytes.is_empty() && process.read(start, &mut bytes).is_err() {
            bytes.truncate(bytes.len() / 2);
        }
        Window { start, bytes }
    }

    fn word(&self, process: &Process, address: u64) -> Option<u64> {
        let at = usize::try_from(address.wrapping_sub(self.start)).ok();
        let held = at.and_then(|a| self.bytes.get(a..a.checked_add(8)?)?.try_into().ok());
        held.map(u64::from_le_bytes).or_else(|| process.word(address).ok())
    }
}
