//! Walks the debugging information entries of one ELF file (DWARF 4 or 5) and adds its
//! types to [`Types`]; asks nothing of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use gimli::{AttributeValue, EndianSlice, LittleEndian};
use object::{Object, ObjectSection};

use super::{Kind, Member, Type, TypeId, Types};

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// One reading of one ELF file.
struct Load<'t> {
    types: &'t mut Types,
    ids: HashMap<usize, TypeId>,
}

impl Types {
    /// Adds the types of an ELF file.  A file without debug information is an error.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let elf = object::File::parse(&*bytes).with_context(|| format!("{} is no ELF file", path.display()))?;
        if elf.section_by_name(".debug_info").is_none() {
            bail!("{} has no debug information", path.display());
        }
        let sections = gimli::DwarfSections::load(|id| -> Result<Cow<[u8]>> {
            Ok(match elf.section_by_name(id.name()) {
                Some(section) => section.uncompressed_data()?,
                None => Cow::Borrowed(&[]),
            })
        })?;
        let dwarf = sections.borrow(|bytes| EndianSlice::new(bytes, LittleEndian));
        let mut load = Load { types: self, ids: HashMap::new() };
        let mut headers = dwarf.units();
        while let Some(header) = headers.next()? {
            load.unit(&dwarf, &dwarf.unit(header)?)?;
        }
        let name = path.file_name().unwrap_or_default();
        self.objects.push(name.to_string_lossy().into_owned());
        Ok(())
    }
}

impl Load<'_> {
    fn id(&mut self, offset: usize) -> TypeId {
        let types = &mut *self.types;
        *self.ids.entry(offset).or_insert_with(|| {
            types.types.push(Type { name: None, kind: Kind::Other, file: None, object: types.objects.len() });
            TypeId(types.types.len() - 1)
        })
    }

    fn unit(&mut self, dwarf: &gimli::Dwarf<Reader>, unit: &gimli::Unit<Reader>) -> Result<()> {
        let files = source_files(dwarf, unit)?;
        let mut open: Vec<(isize, TypeId)> = Vec::new();
        let mut entries = unit.entries();
        while let Some(entry) = entries.next_dfs()? {
            while open.last().is_some_and(|(depth, _)| *depth >= entry.depth()) {
                open.pop();
            }
            let entry = Entry { dwarf, unit, entry };
            match entry.entry.tag() {
                gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => {
                    let id = self.record(&entry, &files)?;
                    open.push((entry.entry.depth(), id));
                }
                gimli::DW_TAG_member => {
                    if let Some((depth, parent)) = open.last()
                        && *depth == entry.entry.depth() - 1
                    {
                        self.member(&entry, *parent)?;
                    }
                }
                gimli::DW_TAG_typedef
                | gimli::DW_TAG_const_type
                | gimli::DW_TAG_volatile_type
                | gimli::DW_TAG_atomic_type
                | gimli::DW_TAG_restrict_type => {
                    let name = entry.name()?;
                    let kind = match entry.target() {
                        Some(target) => Kind::Alias(self.id(target)),
                        None => Kind::Other,
                    };
                    self.define(entry.offset(), name, kind, None);
                }
                gimli::DW_TAG_pointer_type => {
                    let kind = match entry.target() {
                        Some(target) => Kind::Pointer(self.id(target)),
                        None => Kind::Other,
                    };
                    self.define(entry.offset(), None, kind, None);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn record(&mut self, entry: &Entry, files: &[String]) -> Result<TypeId> {
        let size = entry.number(gimli::DW_AT_byte_size);
        let declared = entry.entry.has_attr(gimli::DW_AT_declaration);
        let kind = match size {
            Some(size) if !declared => Kind::Record { size, members: Vec::new() },
            _ => Kind::Declared,
        };
        let file = match entry.entry.attr_value(gimli::DW_AT_decl_file) {
            Some(AttributeValue::FileIndex(index)) => files.get(index as usize).cloned(),
            _ => None,
        };
        Ok(self.define(entry.offset(), entry.name()?, kind, file))
    }

    fn define(&mut self, offset: usize, name: Option<String>, kind: Kind, file: Option<String>) -> TypeId {
        let id = self.id(offset);
        if let Some(name) = &name {
            self.types.by_name.entry(name.clone()).or_default().push(id);
        }
        let slot = &mut self.types.types[id.0];
        slot.name = name;
        slot.kind = kind;
        slot.file = file;
        id
    }

    fn member(&mut self, entry: &Entry, parent: TypeId) -> Result<()> {
        let Some(target) = entry.target() else {
            return Ok(());
        };
        // A union's members have no location; a bit field has one in bits.
        let offset = entry
            .number(gimli::DW_AT_data_member_location)
            .or_else(|| entry.number(gimli::DW_AT_data_bit_offset).map(|bits| bits / 8))
            .unwrap_or(0);
        let member = Member { name: entry.name()?, offset, target: self.id(target) };
        if let Kind::Record { members, .. } = &mut self.types.types[parent.0].kind {
            members.push(member);
        }
        Ok(())
    }
}

/// One debugging information entry with what is needed to read its attributes.
struct Entry<'e, 'a> {
    dwarf: &'e gimli::Dwarf<Reader<'a>>,
    unit: &'e gimli::Unit<Reader<'a>>,
    entry: &'e gimli::DebuggingInformationEntry<Reader<'a>>,
}

impl Entry<'_, '_> {
    /// The position in `.debug_info`, which names a type across units.
    fn offset(&self) -> usize {
        self.global(self.entry.offset()).unwrap_or(usize::MAX)
    }

    fn global(&self, offset: gimli::UnitOffset) -> Option<usize> {
        Some(offset.to_debug_info_offset(&self.unit.header)?.0)
    }

    fn name(&self) -> Result<Option<String>> {
        let Some(value) = self.entry.attr_value(gimli::DW_AT_name) else {
            return Ok(None);
        };
        Ok(Some(self.dwarf.attr_string(self.unit, value)?.to_string_lossy().into_owned()))
    }

    fn number(&self, name: gimli::DwAt) -> Option<u64> {
        self.entry.attr_value(name)?.udata_value()
    }

    fn target(&self) -> Option<usize> {
        match self.entry.attr_value(gimli::DW_AT_type)? {
            AttributeValue::UnitRef(offset) => self.global(offset),
            AttributeValue::DebugInfoRef(offset) => Some(offset.0),
            _ => None,
        }
    }
}

/// The files of a unit's line table, each from the source tree's root.
fn source_files(dwarf: &gimli::Dwarf<Reader>, unit: &gimli::Unit<Reader>) -> Result<Vec<String>> {
    let Some(program) = &unit.line_program else {
        return Ok(Vec::new());
    };
    let header = program.header();
    // Before DWARF 5 the numbers start at one.
    let mut files = if header.version() >= 5 { Vec::new() } else { vec![String::new()] };
    for entry in header.file_names() {
        let mut path = match entry.directory(header) {
            Some(directory) => dwarf.attr_string(unit, directory)?.to_string_lossy().into_owned(),
            None => String::new(),
        };
        path.push('/');
        path.push_str(&dwarf.attr_string(unit, entry.path_name())?.to_string_lossy());
        files.push(from_root(&path));
    }
    Ok(files)
}

/// What follows the last directory of CPython's source tree in `path`, that
/// directory included; the file name alone for a path outside of it.
fn from_root(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let roots = ["Include", "Modules", "Objects", "Parser", "Programs", "Python"];
    match parts.iter().rposition(|part| roots.contains(part)) {
        Some(start) => parts[start..].join("/"),
        None => parts.last().unwrap_or(&"").to_string(),
    }
}
