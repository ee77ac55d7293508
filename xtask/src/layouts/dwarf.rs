//! Reads C structures out of the DWARF of ELF files: names, sizes, members and
//! what a pointer points to.  Knows nothing of CPython but how an object starts,
//! and nothing of the files that are made from what it finds.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use gimli::{AttributeValue, EndianSlice, LittleEndian};
use object::{Object, ObjectSection};

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// A row of [`Types`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TypeId(usize);

/// A member of a structure or union; without a name it is an unnamed inner one.
#[derive(Clone, Debug)]
struct Member {
    name: Option<String>,
    offset: u64,
    target: TypeId,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A structure or union with its members.
    Record { size: u64, members: Vec<Member> },
    /// A structure or union of which only the name is known here.
    Declared,
    /// A typedef, or const and the like.
    Alias(TypeId),
    /// A pointer to something.
    Pointer(TypeId),
    /// Anything else: numbers, arrays, functions.
    Other,
}

#[derive(Clone, Debug)]
struct Type {
    name: Option<String>,
    kind: Kind,
    file: Option<String>,
    object: usize,
}

/// Every type of the files read so far.
#[derive(Default)]
pub struct Types {
    types: Vec<Type>,
    by_name: HashMap<String, Vec<TypeId>>,
    objects: Vec<String>,
}

/// A member found by its path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// From the start of the outermost structure, in bytes.
    pub offset: u64,
    /// Its type.
    pub target: TypeId,
}

/// One reading of one ELF file.
struct Load<'t> {
    types: &'t mut Types,
    ids: HashMap<usize, TypeId>,
}

impl Types {
    /// Adds the types of an ELF file.  A file without debug information is an error.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let elf = object::File::parse(&*bytes)
            .with_context(|| format!("{} is no ELF file", path.display()))?;
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
        let mut load = Load {
            types: self,
            ids: HashMap::new(),
        };
        let mut headers = dwarf.units();
        while let Some(header) = headers.next()? {
            load.unit(&dwarf, &dwarf.unit(header)?)?;
        }
        let name = path.file_name().unwrap_or_default();
        self.objects.push(name.to_string_lossy().into_owned());
        Ok(())
    }

    /// The structures of this tag or typedef name that have a definition, those of
    /// the file read first before the others.
    pub fn records(&self, name: &str) -> Vec<TypeId> {
        let mut found = Vec::new();
        for &id in self.by_name.get(name).into_iter().flatten() {
            if let Some(record) = self.record(id)
                && !found.contains(&record)
            {
                found.push(record);
            }
        }
        if let Some(&first) = found.first() {
            let object = self.types[first.0].object;
            if object == 0 {
                found.retain(|id| self.types[id.0].object == 0);
            }
        }
        found
    }

    /// How C spells a structure of this name: a typedef as it is, a tag with its keyword.
    pub fn spelling(&self, name: &str) -> String {
        let named = self.by_name.get(name).into_iter().flatten();
        let is_typedef = |id: &TypeId| {
            matches!(self.types[id.0].kind, Kind::Alias(_)) && self.record(*id).is_some()
        };
        if named.into_iter().any(is_typedef) {
            name.to_string()
        } else {
            format!("struct {name}")
        }
    }

    /// The structure behind typedefs and qualifiers.
    fn record(&self, id: TypeId) -> Option<TypeId> {
        let mut id = id;
        for _ in 0..16 {
            match &self.types[id.0].kind {
                Kind::Record { .. } => return Some(id),
                Kind::Alias(target) => id = *target,
                Kind::Declared => return self.definition(self.types[id.0].name.as_deref()?),
                Kind::Pointer(_) | Kind::Other => return None,
            }
        }
        None
    }

    fn definition(&self, tag: &str) -> Option<TypeId> {
        let named = self.by_name.get(tag)?;
        named
            .iter()
            .copied()
            .find(|id| matches!(self.types[id.0].kind, Kind::Record { .. }))
    }

    /// The size of a structure in bytes.
    pub fn size(&self, id: TypeId) -> u64 {
        match self.types[id.0].kind {
            Kind::Record { size, .. } => size,
            _ => 0,
        }
    }

    /// The source file that declares a structure, from the source tree's root.
    pub fn file(&self, id: TypeId) -> Option<&str> {
        self.types[id.0].file.as_deref()
    }

    /// The file name of the ELF file a structure was read from.
    pub fn source(&self, id: TypeId) -> &str {
        self.objects
            .get(self.types[id.0].object)
            .map_or("", String::as_str)
    }

    fn members(&self, id: TypeId) -> &[Member] {
        match &self.types[id.0].kind {
            Kind::Record { members, .. } => members,
            _ => &[],
        }
    }

    /// The member at a path (`a.b`); unnamed inner structures are looked into.
    pub fn member(&self, record: TypeId, path: &str) -> Option<Place> {
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let place = self.direct(record, first, 0)?;
        let Some(rest) = rest else { return Some(place) };
        let inner = self.member(self.record(place.target)?, rest)?;
        Some(Place {
            offset: place.offset + inner.offset,
            target: inner.target,
        })
    }

    fn direct(&self, record: TypeId, name: &str, depth: u32) -> Option<Place> {
        for member in self.members(record) {
            if member.name.as_deref() == Some(name) {
                return Some(Place {
                    offset: member.offset,
                    target: member.target,
                });
            }
            if member.name.is_none()
                && depth < 8
                && let Some(inner) = self.record(member.target)
                && let Some(place) = self.direct(inner, name, depth + 1)
            {
                return Some(Place {
                    offset: member.offset + place.offset,
                    target: place.target,
                });
            }
        }
        None
    }

    /// Whether a structure starts as a Python object does (`Include/object.h`).
    pub fn is_object(&self, record: TypeId) -> bool {
        let mut record = record;
        for _ in 0..8 {
            if self.types[record.0].name.as_deref() == Some("_object") {
                return true;
            }
            let Some(first) = self.members(record).first() else {
                return false;
            };
            if matches!(first.name.as_deref(), Some("ob_base" | "ob_refcnt")) {
                return true;
            }
            match self.record(first.target) {
                Some(inner) => record = inner,
                None => return false,
            }
        }
        false
    }

    /// Every member that points to an object, by path, in order of offset; those of
    /// inner structures too, those of arrays not, the object's own header not.
    pub fn references(&self, record: TypeId) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        self.collect(record, "", 0, 0, &mut found);
        found.sort_by_key(|(_, offset)| *offset);
        found
    }

    fn collect(
        &self,
        record: TypeId,
        prefix: &str,
        base: u64,
        depth: u32,
        found: &mut Vec<(String, u64)>,
    ) {
        for member in self.members(record) {
            let path = match &member.name {
                Some(name) if prefix.is_empty() => name.clone(),
                Some(name) => format!("{prefix}.{name}"),
                None => prefix.to_string(),
            };
            let offset = base + member.offset;
            if self.points_to_object(member.target) {
                if !path.ends_with("ob_type") {
                    found.push((path, offset));
                }
            } else if depth < 8
                && let Some(inner) = self.record(member.target)
            {
                self.collect(inner, &path, offset, depth + 1, found);
            }
        }
    }

    fn points_to_object(&self, id: TypeId) -> bool {
        let mut id = id;
        for _ in 0..16 {
            match self.types[id.0].kind {
                Kind::Alias(target) => id = target,
                Kind::Pointer(target) => {
                    return self
                        .record(target)
                        .is_some_and(|record| self.is_object(record));
                }
                _ => return false,
            }
        }
        false
    }
}

impl Load<'_> {
    fn id(&mut self, offset: usize) -> TypeId {
        let types = &mut *self.types;
        *self.ids.entry(offset).or_insert_with(|| {
            types.types.push(Type {
                name: None,
                kind: Kind::Other,
                file: None,
                object: types.objects.len(),
            });
            TypeId(types.types.len() - 1)
        })
    }

    fn unit(&mut self, dwarf: &gimli::Dwarf<Reader>, unit: &gimli::Unit<Reader>) -> Result<()> {
        let files = source_files(dwarf, unit)?;
        let mut open: Vec<(isize, TypeId)> = Vec::new();
        let mut entries = unit.entries();
        while let Some(entry) = entries.next_dfs()? {
            while open
                .last()
                .is_some_and(|(depth, _)| *depth >= entry.depth())
            {
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
            Some(size) if !declared => Kind::Record {
                size,
                members: Vec::new(),
            },
            _ => Kind::Declared,
        };
        let file = match entry.entry.attr_value(gimli::DW_AT_decl_file) {
            Some(AttributeValue::FileIndex(index)) => files.get(index as usize).cloned(),
            _ => None,
        };
        Ok(self.define(entry.offset(), entry.name()?, kind, file))
    }

    fn define(
        &mut self,
        offset: usize,
        name: Option<String>,
        kind: Kind,
        file: Option<String>,
    ) -> TypeId {
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
            .or_else(|| {
                entry
                    .number(gimli::DW_AT_data_bit_offset)
                    .map(|bits| bits / 8)
            })
            .unwrap_or(0);
        let member = Member {
            name: entry.name()?,
            offset,
            target: self.id(target),
        };
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
        Ok(Some(
            self.dwarf
                .attr_string(self.unit, value)?
                .to_string_lossy()
                .into_owned(),
        ))
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
    let mut files = if header.version() >= 5 {
        Vec::new()
    } else {
        vec![String::new()]
    };
    for entry in header.file_names() {
        let mut path = match entry.directory(header) {
            Some(directory) => dwarf
                .attr_string(unit, directory)?
                .to_string_lossy()
                .into_owned(),
            None => String::new(),
        };
        path.push('/');
        path.push_str(
            &dwarf
                .attr_string(unit, entry.path_name())?
                .to_string_lossy(),
        );
        files.push(from_root(&path));
    }
    Ok(files)
}

/// What follows the last directory of CPython's source tree in `path`, that
/// directory included; the file name alone for a path outside of it.
fn from_root(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let roots = [
        "Include", "Modules", "Objects", "Parser", "Programs", "Python",
    ];
    match parts.iter().rposition(|part| roots.contains(part)) {
        Some(start) => parts[start..].join("/"),
        None => parts.last().unwrap_or(&"").to_string(),
    }
}
