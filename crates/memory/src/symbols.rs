//! Symbols and sections of an ELF file, read from the file and kept.  Addresses are the
//! file's own; knows nothing of processes.  The file may be cut short or garbage.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use crate::elf::{self, Field, build_id, is_ours};

/// A table or its names may be so large at most.
const LARGEST: u64 = 512 << 20;
/// Names are not longer.
const NAME: usize = 1 << 16;

#[derive(Debug)]
struct Section {
    name: String,
    kind: u32,
    flags: u64,
    address: u64,
    offset: u64,
    size: u64,
    link: u32,
}

/// One symbol that is defined in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Symbol {
    pub address: u64,
    pub size: u64,
    /// Not to be moved with the file.
    pub absolute: bool,
    name: u32,
    global: bool,
    /// A function or object: the other kinds mark places, not things.
    thing: bool,
}

/// A symbol table and its names.
#[derive(Debug, Default)]
pub(crate) struct Table {
    symbols: Vec<Symbol>,
    names: Vec<u8>,
}

/// What is known of one file; the tables are read when first asked for.
#[derive(Debug)]
pub(crate) struct SymbolFile {
    pub build_id: Option<Vec<u8>>,
    file: Option<File>,
    sections: Vec<Section>,
    exported: OnceLock<Table>,
    all: OnceLock<Table>,
    by_address: OnceLock<Vec<(u64, bool, u32)>>,
}

impl SymbolFile {
    /// `None` if it is no 64-bit x86 program or library.
    pub fn read(file: File) -> Option<SymbolFile> {
        let head = read_at(&file, 0, 64)?;
        if !is_ours(&head) {
            return None;
        }
        let sections = sections(&file, &head).unwrap_or_default();
        let mut notes = sections.iter().filter(|s| s.kind == elf::SHT_NOTE);
        let build_id = notes.find_map(|s| build_id(&read_at(&file, s.offset, s.size.min(0x10000))?));
        Some(SymbolFile {
            build_id,
            file: Some(file),
            sections,
            exported: OnceLock::new(),
            all: OnceLock::new(),
            by_address: OnceLock::new(),
        })
    }

    /// Whether the file itself tells what it exports.
    pub fn tells_exports(&self) -> bool {
        self.sections.iter().any(|s| s.kind == elf::SHT_DYNSYM)
    }

    /// With the exported symbols as they were found elsewhere.
    pub fn with_exports(file: Option<SymbolFile>, table: Table) -> SymbolFile {
        let (build_id, sections, file) = file.map_or_else(Default::default, |f| (f.build_id, f.sections, f.file));
        let (all, by_address) = (OnceLock::new(), OnceLock::new());
        SymbolFile { build_id, file, sections, exported: OnceLock::from(table), all, by_address }
    }

    /// Address and size of a section that is loaded.
    pub fn section(&self, name: &str) -> Option<(u64, u64)> {
        let loaded = |s: &&Section| s.flags & elf::SHF_ALLOC != 0 && s.name == name;
        self.sections.iter().find(loaded).map(|s| (s.address, s.size))
    }

    /// All symbols of this name: exported, then global, then local ones.  The full table
    /// is read only if the caller goes on past the exported ones.
    pub fn find<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Symbol> + 'a {
        let rest = || {
            let exported: Vec<Symbol> = self.exported().named(name).collect();
            let fresh = move |s: &Symbol| !exported.iter().any(|e| (e.address, e.size) == (s.address, s.size));
            let mut found: Vec<Symbol> = self.all().named(name).filter(fresh).collect();
            found.sort_by_key(|s| !s.global);
            found
        };
        self.exported().named(name).chain(std::iter::once_with(rest).flatten())
    }

    /// The function or object at an address, and how far into it the address is.
    pub fn at(&self, address: u64) -> Option<(String, u64)> {
        let index = self.by_address.get_or_init(|| self.index());
        let end = index.partition_point(|e| e.0 <= address);
        // several may begin at one place, and one without a size covers nothing certain
        for &(start, full, i) in index[..end].iter().rev().take(16) {
            let table = if full { self.all() } else { self.exported() };
            let s = table.symbols.get(i as usize)?;
            let offset = address - start;
            if offset < s.size || (s.size == 0 && offset == 0) {
                return Some((String::from_utf8_lossy(table.name(s)).into_owned(), offset));
            }
        }
        None
    }

    fn index(&self) -> Vec<(u64, bool, u32)> {
        let things = |full, table: &Table| {
            let all = table.symbols.iter().enumerate().filter(|(_, s)| s.thing && !s.absolute);
            all.map(move |(i, s)| (s.address, full, i as u32)).collect::<Vec<_>>()
        };
        let mut index = things(false, self.exported());
        index.extend(things(true, self.all()));
        index.sort_unstable();
        index
    }

    fn exported(&self) -> &Table {
        self.exported.get_or_init(|| self.table(elf::SHT_DYNSYM).unwrap_or_default())
    }

    fn all(&self) -> &Table {
        self.all.get_or_init(|| self.table(elf::SHT_SYMTAB).unwrap_or_default())
    }

    fn table(&self, kind: u32) -> Option<Table> {
        let section = self.sections.iter().find(|s| s.kind == kind)?;
        let names = self.sections.get(section.link as usize)?;
        let file = self.file.as_ref()?;
        let rows = read_at(file, section.offset, section.size)?;
        let names = read_at(file, names.offset, names.size)?;
        Some(Table::new(&rows, names))
    }
}

impl Table {
    /// From records of 24 bytes.
    pub fn new(rows: &[u8], names: Vec<u8>) -> Table {
        Table { symbols: rows.chunks_exact(24).filter_map(symbol).collect(), names }
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Symbol> + 'a {
        let same = move |s: &&Symbol| {
            let at = s.name as usize;
            let held = self.names.get(at..).unwrap_or(&[]);
            held.len() > name.len() && held.starts_with(name.as_bytes()) && held[name.len()] == 0
        };
        self.symbols.iter().filter(same).copied()
    }

    fn name(&self, s: &Symbol) -> &[u8] {
        c_name(&self.names, s.name as usize)
    }
}

fn c_name(names: &[u8], at: usize) -> &[u8] {
    let held = names.get(at..).unwrap_or(&[]);
    let end = held.iter().take(NAME).position(|&b| b == 0).unwrap_or(0);
    &held[..end]
}

/// A record of a symbol table, if it is of something with an address in this file.
fn symbol(row: &[u8]) -> Option<Symbol> {
    let (name, info, section) = (row.u32(0)?, *row.get(4)?, row.u16(6)?);
    let kind = info & 0xf;
    let placed = !matches!(kind, elf::STT_SECTION | elf::STT_FILE | elf::STT_TLS);
    (placed && section != elf::SHN_UNDEF && name != 0).then_some(Symbol {
        address: row.u64(8)?,
        size: row.u64(16)?,
        absolute: section == elf::SHN_ABS,
        name,
        global: info >> 4 != elf::STB_LOCAL,
        thing: matches!(kind, elf::STT_FUNC | elf::STT_OBJECT | elf::STT_GNU_IFUNC),
    })
}

fn sections(file: &File, head: &[u8]) -> Option<Vec<Section>> {
    let (offset, size) = (head.u64(40)?, head.u16(58)?);
    if size != 64 || offset == 0 {
        return None;
    }
    // with very many sections the first record holds the counts
    let first = read_at(file, offset, 64)?;
    let count = match head.u16(60)? {
        0 => first.u64(32)?,
        n => n.into(),
    };
    let names = match head.u16(62)? {
        elf::SHN_XINDEX => first.u32(40)?,
        n => n.into(),
    };
    let table = read_at(file, offset, count.checked_mul(64)?)?;
    let names = table.get(names as usize * 64..).and_then(|s| read_at(file, s.u64(24)?, s.u64(32)?));
    let names = names.unwrap_or_default();
    let section = |s: &[u8]| {
        Some(Section {
            name: String::from_utf8_lossy(c_name(&names, s.u32(0)? as usize)).into_owned(),
            kind: s.u32(4)?,
            flags: s.u64(8)?,
            address: s.u64(16)?,
            offset: s.u64(24)?,
            size: s.u64(32)?,
            link: s.u32(40)?,
        })
    };
    table.chunks_exact(64).map(section).collect()
}

/// A stretch of the file; `None` unless all of it is there.
fn read_at(file: &File, offset: u64, size: u64) -> Option<Vec<u8>> {
    let length = file.metadata().ok()?.len();
    if size > LARGEST || offset.checked_add(size)? > length {
        return None;
    }
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamic::{Place, exported};
    use crate::{Module, Process, modules};
    use proptest::prelude::*;
    use std::io::Write;

    fn library() -> (Process, Module) {
        let me = Process::open(std::process::id() as i32).unwrap();
        let all = modules(&me, &me.mappings().unwrap());
        let m = all.into_iter().find(|m| m.path.contains("/libgcc_s")).expect("this program loads libgcc_s");
        (me, m)
    }

    fn sorted(t: &Table) -> Vec<(String, u64, u64)> {
        let name = |s: &Symbol| String::from_utf8_lossy(t.name(s)).into_owned();
        let mut all: Vec<_> = t.symbols.iter().map(|s| (name(s), s.address, s.size)).collect();
        all.sort();
        all
    }

    #[test]
    fn memory_tells_the_same_exports_as_the_file() {
        let (me, m) = library();
        let file = SymbolFile::read(File::open(&m.path).unwrap()).unwrap();
        let section = m.section(".dynamic").unwrap().0;
        let place = Place { start: m.start, end: m.end, slide: m.slide };
        let found = exported(&me, &place, section).unwrap();
        assert!(file.tells_exports() && found.symbols.len() > 50);
        assert_eq!(sorted(&found), sorted(file.exported()));
        let alone = SymbolFile::with_exports(None, found);
        let name = "_Unwind_Backtrace";
        assert_eq!(alone.find(name).next(), file.find(name).next());
        assert!(alone.section(".text").is_none());
    }

    /// Ask all there is to ask.
    fn exercise(bytes: &[u8]) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let Some(f) = SymbolFile::read(file) else { return };
        let _ = (f.section(".text"), f.find("_Unwind_Backtrace").count(), f.find("").count());
        for address in [0, 1, 0x2000, u64::MAX] {
            let _ = f.at(address);
        }
        f.exported().symbols.iter().take(50).for_each(|s| drop(f.at(s.address)));
    }

    fn small_library() -> Vec<u8> {
        std::fs::read(library().1.path).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn a_damaged_file_is_read_without_harm(
            cut in 0.0..1.2f64,
            header in prop::collection::vec((0..64usize, any::<u8>()), 0..4),
            tail in prop::collection::vec((0..4096usize, any::<u8>()), 0..40),
        ) {
            let mut bytes = small_library();
            let length = bytes.len();
            // the section table lies at the end
            tail.iter().for_each(|&(at, b)| bytes[length - 1 - at] = b);
            header.iter().filter(|h| h.0 > 18).for_each(|&(at, b)| bytes[at] = b);
            bytes.truncate((length as f64 * cut) as usize);
            exercise(&bytes);
        }

        #[test]
        fn garbage_behind_the_first_bytes_of_a_file_is_no_harm(rest in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut bytes = small_library();
            bytes.truncate(20);
            bytes.extend(rest);
            exercise(&bytes);
        }
    }
}
