//! ELF files as they are loaded in a target: where they lie, where their data is, what
//! their symbols mean there.  Headers are read from the target's memory, symbols from
//! the file (where that cannot be had, the exported ones from memory too), and that only
//! when somebody asks: there may be hundreds of modules.

use std::sync::OnceLock;

use crate::dynamic::{self, Place};
use crate::elf::{self, Field, build_id, is_ours};
use crate::symbols::SymbolFile;
use crate::{Mapping, Mappings, Memory, Process};

/// An ELF file loaded in a target.
#[derive(Debug)]
pub struct Module {
    /// The file as the target sees it (may end in ` (deleted)`).
    pub path: String,
    /// First address of its first segment.
    pub start: u64,
    /// One past the last address of its last segment, uninitialised data included.
    pub end: u64,
    /// What to add (wrapping) to an address in the file to have it in the target.
    pub slide: u64,
    /// Start and end of its writable segments in the target, uninitialised data
    /// included, by address.  A part of the first one may be read-only after relocation.
    pub data: Vec<(u64, u64)>,
    /// The build identifier that the linker wrote.
    pub build_id: Option<Vec<u8>>,
    dynamic: Option<u64>,
    first: Mapping,
    process: Process,
    symbols: OnceLock<Option<SymbolFile>>,
}

/// Every ELF file loaded in the target, by address.  `mappings` should be of now or of
/// not long ago; a file that was unloaded since is left out.
pub fn modules(process: &Process, mappings: &Mappings) -> Vec<Module> {
    let heads = mappings.iter().filter(|m| m.is_file() && m.offset == 0 && m.perms.r);
    heads.filter_map(|m| Module::load(process, mappings, m)).collect()
}

impl Module {
    fn load(process: &Process, mappings: &Mappings, first: &Mapping) -> Option<Module> {
        let segments = program_headers(process, first.start)?;
        let loads = || segments.iter().filter(|s| s.kind == elf::PT_LOAD && s.in_memory > 0);
        let head = loads().find(|s| s.offset < PAGE)?;
        let slide = first.start.wrapping_sub(head.address & !(PAGE - 1));
        if !is_loaded(&segments, slide, mappings) {
            return None;
        }
        let mut data: Vec<_> = loads().filter(|s| s.flags & elf::PF_W != 0).filter_map(|s| s.place(slide)).collect();
        data.sort_unstable();
        let end = loads().filter_map(|s| s.place(slide)).map(|p| p.1).max()?;
        let dynamic = segments.iter().find(|s| s.kind == elf::PT_DYNAMIC).and_then(|s| s.place(slide));
        Some(Module {
            path: first.path.clone(),
            start: first.start,
            end,
            slide,
            data,
            build_id: find_build_id(process, &segments, slide),
            dynamic: dynamic.map(|d| d.0),
            first: first.clone(),
            process: process.clone(),
            symbols: OnceLock::new(),
        })
    }

    /// Where the symbol of this name lies in the target: the exported one, else a global
    /// one, else the first local one.
    pub fn symbol(&self, name: &str) -> Option<u64> {
        self.file()?.find(name).next().map(|s| self.in_target(s.address, s.absolute))
    }

    /// Every symbol of this name (local ones repeat) in the same order: address in the
    /// target, size in bytes (0 if the file does not say).
    pub fn symbols(&self, name: &str) -> Vec<(u64, u64)> {
        let all = self.file().into_iter().flat_map(|f| f.find(name));
        all.map(|s| (self.in_target(s.address, s.absolute), s.size)).collect()
    }

    /// Address in the target and size in bytes of a section that is loaded.
    pub fn section(&self, name: &str) -> Option<(u64, u64)> {
        let (address, size) = self.file()?.section(name)?;
        Some((address.wrapping_add(self.slide), size))
    }

    /// The function or object that an address of the target lies in, and how far in.
    pub fn symbol_at(&self, address: u64) -> Option<(String, u64)> {
        if !(self.start..self.end).contains(&address) {
            return None;
        }
        self.file()?.at(address.wrapping_sub(self.slide))
    }

    /// The file itself, if it is still the one that is loaded.
    pub fn file_itself(&self) -> Option<std::fs::File> {
        self.process.open_mapped_file(&self.first).ok()
    }

    fn in_target(&self, address: u64, absolute: bool) -> u64 {
        if absolute { address } else { address.wrapping_add(self.slide) }
    }

    fn file(&self) -> Option<&SymbolFile> {
        self.symbols.get_or_init(|| self.open()).as_ref()
    }

    fn open(&self) -> Option<SymbolFile> {
        let file = self.process.open_mapped_file(&self.first).ok().and_then(SymbolFile::read);
        // the file at a path may be another one by now
        let same = |f: &SymbolFile| self.build_id.is_none() || f.build_id.is_none() || self.build_id == f.build_id;
        let file = file.filter(same);
        if file.as_ref().is_some_and(SymbolFile::tells_exports) {
            return file;
        }
        let place = Place { start: self.start, end: self.end, slide: self.slide };
        match self.dynamic.and_then(|d| dynamic::exported(&self.process, &place, d)) {
            Some(table) => Some(SymbolFile::with_exports(file, table)),
            None => file,
        }
    }
}

const PAGE: u64 = 4096;

/// One program header.
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    in_memory: u64,
}

impl Segment {
    /// Its first address in the target, and one past the last.
    fn place(&self, slide: u64) -> Option<(u64, u64)> {
        let start = self.address.wrapping_add(slide);
        Some((start, start.checked_add(self.in_memory).filter(|&e| e >> 47 == 0)?))
    }
}

/// A file that is only read has its segments nowhere: its code is not where code may run.
fn is_loaded(segments: &[Segment], slide: u64, mappings: &Mappings) -> bool {
    let having = |flag: u32| segments.iter().find(|s| s.kind == elf::PT_LOAD && s.flags & flag != 0);
    let mapped = |s: &Segment| s.place(slide).and_then(|p| mappings.find(p.0));
    match (having(elf::PF_X), having(elf::PF_W)) {
        (Some(code), _) => mapped(code).is_some_and(|m| m.perms.x),
        (None, Some(data)) => mapped(data).is_some_and(|m| m.perms.private),
        (None, None) => false,
    }
}

fn find_build_id(memory: &dyn Memory, segments: &[Segment], slide: u64) -> Option<Vec<u8>> {
    let notes = segments.iter().filter(|s| s.kind == elf::PT_NOTE && s.in_memory <= 0x10000);
    notes.into_iter().find_map(|s| {
        let mut bytes = vec![0; s.in_memory as usize];
        memory.read(s.place(slide)?.0, &mut bytes).ok()?;
        build_id(&bytes)
    })
}

/// The program headers of the 64-bit x86 file whose first byte is at `start`.
fn program_headers(memory: &dyn Memory, start: u64) -> Option<Vec<Segment>> {
    let mut head = [0; 64];
    memory.read(start, &mut head).ok()?;
    if !is_ours(&head) {
        return None;
    }
    let (offset, size, count) = (head.u64(32)?, head.u16(54)?, head.u16(56)?);
    if size != 56 || count > 512 || offset > 1 << 20 {
        return None;
    }
    let mut table = vec![0; 56 * usize::from(count)];
    memory.read(start.checked_add(offset)?, &mut table).ok()?;
    let segment = |h: &[u8]| {
        Some(Segment {
            kind: h.u32(0)?,
            flags: h.u32(4)?,
            offset: h.u64(8)?,
            address: h.u64(16)?,
            in_memory: h.u64(40)?,
        })
    };
    table.chunks_exact(56).map(segment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_itself_with_symbols_and_sections() {
        let me = Process::open(std::process::id() as i32).unwrap();
        let all = modules(&me, &me.mappings().unwrap());
        let exe = me.exe().unwrap();
        let own = all.iter().find(|m| exe.as_os_str() == m.path.as_str()).unwrap();
        let here = finds_itself_with_symbols_and_sections as *const () as u64;
        let (name, offset) = own.symbol_at(here).unwrap();
        assert!(name.contains("finds_itself_with_symbols_and_sections"), "{name}");
        assert_eq!(offset, 0);
        assert_eq!(own.symbol(&name), Some(here));
        let (text, size) = own.section(".text").unwrap();
        assert!((text..text + size).contains(&here));
        assert!(own.data.iter().all(|d| d.0 < d.1 && own.start <= d.0 && d.1 <= own.end));
        assert!(own.symbol("no such symbol").is_none() && own.section(".nothing").is_none());
        assert!(own.symbol_at(own.end).is_none());
    }

    #[test]
    fn a_library_exports_what_the_program_calls() {
        let me = Process::open(std::process::id() as i32).unwrap();
        let all = modules(&me, &me.mappings().unwrap());
        let libc = all.iter().find(|m| m.path.contains("libc.so") || m.path.contains("libc-")).unwrap();
        assert_eq!(libc.symbol("getpid"), Some(libc::getpid as *const () as u64));
        assert!(libc.build_id.as_ref().is_some_and(|b| b.len() >= 8));
        assert!(!libc.data.is_empty());
    }

    use crate::ImageBuilder;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn damaged_headers_in_memory_are_no_harm(
            changes in prop::collection::vec((0..1024usize, any::<u8>()), 0..60),
            sections in prop::collection::vec(any::<u64>(), 0..64),
        ) {
            let mut bytes = std::fs::read("/proc/self/exe").unwrap();
            bytes.truncate(0x4000);
            changes.iter().filter(|c| c.0 > 18).for_each(|&(at, b)| bytes[at] = b);
            sections.iter().enumerate().for_each(|(i, w)| bytes[0x1000 + i * 8..][..8].copy_from_slice(&w.to_le_bytes()));
            let mut image = ImageBuilder::with_room(0x4000).unwrap();
            image.add_all(&[(0x10000, 0x14000)], |room| { room.copy_from_slice(&bytes); Vec::new() });
            let image = image.finish();
            if let Some(segments) = program_headers(&image, 0x10000) {
                let _ = find_build_id(&image, &segments, 0x10000);
                let _ = is_loaded(&segments, 0x10000, &Mappings::parse("10000-14000 r-xp 0 0:0 0\n"));
            }
            let place = Place { start: 0x10000, end: 0x14000, slide: 0x10000 };
            let _ = dynamic::exported(&image, &place, 0x11000);
        }
    }
}
