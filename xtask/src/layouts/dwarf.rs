//! Reads C structures out of the DWARF of ELF files: names, sizes, members and
//! what a pointer points to.  Knows nothing of CPython but how an object starts,
//! and nothing of the files that are made from what it finds.

mod load;

use std::collections::HashMap;

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

impl Types {
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
        let is_typedef = |id: &TypeId| matches!(self.types[id.0].kind, Kind::Alias(_)) && self.record(*id).is_some();
        if named.into_iter().any(is_typedef) { name.to_string() } else { format!("struct {name}") }
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
        named.iter().copied().find(|id| matches!(self.types[id.0].kind, Kind::Record { .. }))
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
        self.objects.get(self.types[id.0].object).map_or("", String::as_str)
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
        Some(Place { offset: place.offset + inner.offset, target: inner.target })
    }

    fn direct(&self, record: TypeId, name: &str, depth: u32) -> Option<Place> {
        for member in self.members(record) {
            if member.name.as_deref() == Some(name) {
                return Some(Place { offset: member.offset, target: member.target });
            }
            if member.name.is_none()
                && depth < 8
                && let Some(inner) = self.record(member.target)
                && let Some(place) = self.direct(inner, name, depth + 1)
            {
                return Some(Place { offset: member.offset + place.offset, target: place.target });
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

    fn collect(&self, record: TypeId, prefix: &str, base: u64, depth: u32, found: &mut Vec<(String, u64)>) {
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
                    return self.record(target).is_some_and(|record| self.is_object(record));
                }
                _ => return false,
            }
        }
        false
    }
}
