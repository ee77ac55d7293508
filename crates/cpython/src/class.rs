//! Classes of the target, read once each: name, sizes, and how instances are read.

use std::cell::RefCell;

use rustc_hash::{FxHashMap, FxHashSet};
use undying_graph::{Certainty, EdgeKind, LabelId, Labels, WrapperSystem};
use undying_memory::Memory;

use crate::builtin::{self, Known, SizeRule, Visitor};
use crate::layout::{ABSENT, Layout};
use crate::object::{self, flag};
use crate::space::{Body, Space};
use crate::statics::StaticTypes;
use crate::visit::dict;

/// A reference at a fixed place of an instance.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Bytes from the object's address.
    pub offset: u32,
    /// By what it holds.
    pub kind: EdgeKind,
    /// How we know.
    pub certainty: Certainty,
    /// Its name, in [`Classes::labels`].
    pub label: LabelId,
}

/// One class.
#[derive(Debug)]
pub struct Class {
    /// Where the class object lies.
    pub address: u64,
    /// Dotted name, in [`Classes::labels`].
    pub name: LabelId,
    /// `__module__`, in [`Classes::labels`].
    pub module: LabelId,
    /// `tp_flags`.
    pub flags: u64,
    /// `tp_basicsize`.
    pub basicsize: u32,
    /// `tp_itemsize`.
    pub itemsize: u32,
    /// `tp_dictoffset`.
    pub dictoffset: i64,
    /// Special visitor.
    pub visitor: Visitor,
    /// How an instance is measured.
    pub size: SizeRule,
    /// References at fixed places.
    pub fields: Box<[Field]>,
    /// Byte ranges of an instance that nothing explains: scanned.
    pub scan: Box<[(u32, u32)]>,
    /// The variable part is scanned too.
    pub scan_items: bool,
    /// Raw blocks that the scanned words point to are scanned, one level deep.
    pub follow_raw: bool,
    /// Instances hold nothing: there is nothing to visit.
    pub leaf: bool,
    /// Has `__del__` in Python.
    pub has_del: bool,
    /// Items of a structure sequence, hidden ones included (`n_fields`); else 0.
    pub hidden_items: u64,
    /// Whose binding instances are, where they stand for something native.
    pub wrapper: Option<WrapperSystem>,
    /// Attribute names of instances by place, `ht_cached_keys`; 0 where there are none.
    pub cached_keys: u64,
}

impl Class {
    /// A flag of `tp_flags`.
    #[inline]
    pub fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Whether instances have something to scan.
    #[inline]
    pub fn is_opaque(&self) -> bool {
        !self.scan.is_empty() || self.scan_items
    }
}

/// All classes met so far.
pub struct Classes {
    known: RefCell<FxHashMap<u64, u32>>,
    list: boxcar::Vec,
    labels: RefCell<Labels>,
    statics: StaticTypes,
}

/// A list that only grows and hands out references that stay: the classes.
mod boxcar {
    use super::Class;
    use std::cell::{Cell, OnceCell};

    const BLOCK: usize = 1024;
    const BLOCKS: usize = 4096;

    type Block = Box<[OnceCell<Class>]>;

    /// Up to 4 million classes, in blocks that never move.
    pub struct Vec {
        blocks: Box<[OnceCell<Block>]>,
        len: Cell<usize>,
    }

    impl Vec {
        pub fn new() -> Vec {
            Vec { blocks: (0..BLOCKS).map(|_| OnceCell::new()).collect(), len: Cell::new(0) }
        }

        pub fn len(&self) -> usize {
            self.len.get()
        }

        /// The new one's number; `None` when full.
        pub fn push(&self, class: Class) -> Option<u32> {
            let n = self.len.get();
            let block = self.blocks.get(n / BLOCK)?.get_or_init(|| (0..BLOCK).map(|_| OnceCell::new()).collect());
            block[n % BLOCK].set(class).ok()?;
            self.len.set(n + 1);
            Some(n as u32)
        }

        #[inline]
        pub fn get(&self, n: u32) -> Option<&Class> {
            self.blocks.get(n as usize / BLOCK)?.get()?[n as usize % BLOCK].get()
        }
    }
}

/// "Looked at, and no class."
const NO_CLASS: u32 = u32::MAX;
const DEEPEST: u32 = 8;
const LONGEST_CHAIN: usize = 256;
const MOST_MEMBERS: u64 = 4096;
/// Sane values of `tp_basicsize`.
const SIZES: std::ops::RangeInclusive<u64> = 16..=1 << 20;

impl Classes {
    /// None yet.
    pub fn new(statics: StaticTypes) -> Classes {
        Classes { known: RefCell::default(), list: boxcar::Vec::new(), labels: RefCell::default(), statics }
    }

    /// What interpreters keep for static types.
    pub fn statics(&self) -> &StaticTypes {
        &self.statics
    }

    /// The class at an address, read now if it is new; `None` when there is no class.
    #[inline]
    pub fn at(&self, space: &Space, layout: &Layout, address: u64) -> Option<u32> {
        if let Some(&n) = self.known.borrow().get(&address) {
            return (n != NO_CLASS).then_some(n);
        }
        let n = match is_class(space, layout, address, 0) {
            true => read(self, space, layout, address).and_then(|c| self.list.push(c)).unwrap_or(NO_CLASS),
            false => NO_CLASS,
        };
        self.known.borrow_mut().insert(address, n);
        (n != NO_CLASS).then_some(n)
    }

    /// The class with this number.
    #[inline]
    pub fn get(&self, n: u32) -> Option<&Class> {
        self.list.get(n)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// A name's number in this table.
    pub fn intern(&self, text: &str) -> LabelId {
        self.labels.borrow_mut().intern(text)
    }

    /// A name's text.
    pub fn text(&self, id: LabelId) -> String {
        self.labels.borrow().text(id).to_owned()
    }
}

/// Whether a class lies there: its own class is `type` or a subclass of it, and its
/// sizes and name are sane.  `tp_flags` ready is not asked for: static types that
/// were never readied have living instances (3.8, 3.9).
pub fn is_class(space: &Space, layout: &Layout, address: u64, depth: u32) -> bool {
    let t = &layout.type_;
    let Some(body) = space.body(address).filter(|b| b.0.len() >= t.size as usize) else { return false };
    if !address.is_multiple_of(8) || depth > DEEPEST {
        return false;
    }
    let meta = body.word(object::TYPE);
    let (basic, item) = (body.word(t.basicsize), body.signed(t.itemsize));
    if !SIZES.contains(&basic) || !(0..=1 << 20).contains(&item) {
        return false;
    }
    let named = space.c_string(body.word(t.name), 256).is_ok_and(|n| !n.is_empty());
    named && (meta == address || is_metaclass(space, layout, meta, depth + 1))
}

fn is_metaclass(space: &Space, layout: &Layout, address: u64, depth: u32) -> bool {
    let flags = space.body(address).map_or(0, |b| b.word(layout.type_.flags));
    flags & flag::TYPE_SUBCLASS != 0 && is_class(space, layout, address, depth)
}

/// The class and its bases by `tp_base`, itself first.
fn chain<'a>(space: &Space<'a>, layout: &Layout, address: u64) -> Vec<(u64, Body<'a>)> {
    let mut found: Vec<(u64, Body)> = Vec::new();
    let mut at = address;
    while at != 0 && found.len() < LONGEST_CHAIN && !found.iter().any(|f| f.0 == at) {
        let Some(body) = space.body(at).filter(|b| SIZES.contains(&b.word(layout.type_.basicsize))) else { break };
        found.push((at, body));
        at = body.word(layout.type_.base);
    }
    found
}

fn read(classes: &Classes, space: &Space, layout: &Layout, address: u64) -> Option<Class> {
    let t = &layout.type_;
    let levels = chain(space, layout, address);
    let body = levels.first()?.1;
    let flags = body.word(t.flags);
    let (module, name) = names(space, layout, body, flags);
    let mut plan = Plan::new(classes, space, layout);
    for (i, (at, level)) in levels.iter().enumerate() {
        let below = levels.get(i + 1).map_or(16, |b| b.1.word(t.basicsize));
        plan.level(*at, *level, below);
    }
    plan.cut_weaklist_and_dict(body);
    let heap = flags & flag::HEAP != 0;
    let opaque = !plan.scan.is_empty() || plan.opaque_items;
    let told_by_owner = name == "functools._lru_list_elem";
    Some(Class {
        leaf: (!heap || told_by_owner)
            && !opaque
            && plan.visitor.is_none_or(|v| v == Visitor::Fields)
            && plan.fields.is_empty()
            && body.word(t.dictoffset) == 0
            && flags & flag::MANAGED_DICT == 0,
        address,
        name: classes.intern(&name),
        module: classes.intern(&module),
        flags,
        basicsize: body.word(t.basicsize) as u32,
        itemsize: body.word(t.itemsize) as u32,
        dictoffset: body.signed(t.dictoffset),
        visitor: plan.visitor.unwrap_or(Visitor::Fields),
        size: plan.size.unwrap_or(SizeRule::Plain),
        scan_items: plan.opaque_items && body.word(t.itemsize) > 0,
        follow_raw: plan.follow_raw,
        fields: plan.fields.into(),
        scan: plan.scan.into(),
        has_del: heap && levels.iter().any(|l| dict::lookup(space, layout, l.1.word(t.dict), "__del__").is_some()),
        hidden_items: match plan.visitor {
            Some(Visitor::Tuple) => hidden_items(classes, space, layout, address, body),
            _ => 0,
        },
        wrapper: crate::wrappers::system(space, layout, &levels),
        cached_keys: if heap { body.word(layout.heap_type.cached_keys) } else { 0 },
    })
}

/// `n_fields` of a structure sequence (`Objects/structseq.c`): a direct child of tuple
/// that has the entry in its own dictionary.
fn hidden_items(classes: &Classes, space: &Space, layout: &Layout, address: u64, body: Body) -> u64 {
    let own = classes.statics.dict_of(address).unwrap_or_else(|| body.word(layout.type_.dict));
    let found = dict::lookup(space, layout, own, "n_fields").and_then(|n| space.body(n));
    found.map_or(0, |n| u64::from(n.half(layout.long.digit)).min(4096))
}

/// `__module__` and the dotted name; a builtin's bare name.
fn names(space: &Space, layout: &Layout, body: Body, flags: u64) -> (String, String) {
    let raw = space.c_string(body.word(layout.type_.name), 256).unwrap_or_default();
    if flags & flag::HEAP == 0 {
        let module = raw.rsplit_once('.').map_or("builtins", |(m, _)| m).to_owned();
        return (module, raw.strip_prefix("builtins.").unwrap_or(&raw).to_owned());
    }
    let qualname = crate::text::text(space, layout, body.word(layout.heap_type.qualname));
    let module = dict::lookup(space, layout, body.word(layout.type_.dict), "__module__")
        .filter(|&m| is_str(space, layout, m))
        .and_then(|m| crate::text::text(space, layout, m));
    let short = qualname.unwrap_or_else(|| raw.rsplit('.').next().unwrap_or(&raw).to_owned());
    match module.or_else(|| raw.rsplit_once('.').map(|(m, _)| m.to_owned())) {
        Some(m) if m != "builtins" && !m.is_empty() => {
            let full = format!("{m}.{short}");
            (m, full)
        }
        m => (m.unwrap_or_default(), short),
    }
}

fn is_str(space: &Space, layout: &Layout, address: u64) -> bool {
    let class = space.body(address).map_or(0, |b| b.word(object::TYPE));
    space.body(class).is_some_and(|b| b.word(layout.type_.flags) >> 28 & 1 == 1)
}

/// How instances are read, put together from the class and its bases.
struct Plan<'p, 'a> {
    classes: &'p Classes,
    space: &'p Space<'a>,
    layout: &'p Layout,
    visitor: Option<Visitor>,
    size: Option<SizeRule>,
    fields: Vec<Field>,
    scan: Vec<(u32, u32)>,
    opaque_items: bool,
    follow_raw: bool,
    /// A known structure explains everything from here down.
    explained: bool,
}

impl<'p, 'a> Plan<'p, 'a> {
    fn new(classes: &'p Classes, space: &'p Space<'a>, layout: &'p Layout) -> Self {
        Plan {
            classes,
            space,
            layout,
            visitor: None,
            size: None,
            fields: Vec::new(),
            scan: Vec::new(),
            opaque_items: false,
            follow_raw: false,
            explained: false,
        }
    }

    /// One class of the chain: what it adds to instances from byte `below` on.
    fn level(&mut self, address: u64, body: Body, below: u64) {
        let basic = body.word(self.layout.type_.basicsize);
        let name = self.space.c_string(body.word(self.layout.type_.name), 256).unwrap_or_default();
        let known = builtin::known(self.layout, &name).filter(|k| k.basicsize == ABSENT || k.basicsize as u64 == basic);
        if let Some(known) = known {
            self.known(known);
        }
        let listed = self.layout.object(&name, basic).filter(|_| known.is_none());
        if let (Some(object), false) = (listed, self.explained) {
            for (label, offset) in object.refs {
                self.field(*offset, EdgeKind::Attr, Certainty::Exact, label);
            }
        }
        if listed.is_some() && self.size.is_none() {
            self.size = Some(builtin::listed_size(&name));
        }
        let explained = known.is_some() || listed.is_some();
        if !self.explained && !explained {
            self.unknown(address, body, below, basic, &name);
        }
        self.explained |= explained;
    }

    fn known(&mut self, known: Known) {
        if self.visitor.is_none_or(|v| v == Visitor::Fields) {
            if !self.explained || known.visitor != Visitor::Fields {
                for (label, offset) in builtin::fixed_fields(self.layout, known.visitor) {
                    self.field(offset, EdgeKind::Attr, Certainty::Exact, label);
                }
            }
            self.visitor = Some(known.visitor);
        }
        if self.size.is_none_or(|s| s == SizeRule::Plain) {
            self.size = Some(known.size);
        }
    }

    fn field(&mut self, offset: u32, kind: EdgeKind, certainty: Certainty, label: &str) {
        if !self.fields.iter().any(|f| f.offset == offset) {
            self.fields.push(Field { offset, kind, certainty, label: self.classes.intern(label) });
        }
    }

    /// A class without a table: its published members, and the rest of its words.
    fn unknown(&mut self, _address: u64, body: Body, below: u64, basic: u64, name: &str) {
        let from = below.max(16).next_multiple_of(8);
        let mut covered = FxHashSet::default();
        let python_class =
            body.word(self.layout.type_.flags) & flag::HEAP != 0 && body.word(self.layout.heap_type.slots) != 0;
        for (member, type_code, offset) in members(self.space, self.layout, body) {
            // T_OBJECT and T_OBJECT_EX (Include/structmember.h)
            if matches!(type_code, 6 | 16) && offset >= from && offset % 8 == 0 && offset + 8 <= basic {
                let (kind, certainty) = match python_class {
                    true => (EdgeKind::Slot, Certainty::Exact),
                    false => (EdgeKind::Attr, Certainty::Member),
                };
                self.field(offset as u32, kind, certainty, &member);
                covered.insert(offset);
            } else if matches!(type_code, 2 | 4 | 5 | 12 | 17 | 18 | 19) {
                covered.insert(offset);
            }
        }
        for offset in [body.signed(self.layout.type_.dictoffset), body.signed(self.layout.type_.weaklistoffset)] {
            covered.extend(u64::try_from(offset).ok());
        }
        let before = self.scan.len();
        for offset in (from..basic / 8 * 8).step_by(8).filter(|o| !covered.contains(o)) {
            match self.scan.last_mut() {
                Some(last) if last.1 as u64 == offset => last.1 += 8,
                _ => self.scan.push((offset as u32, offset as u32 + 8)),
            }
        }
        if body.word(self.layout.type_.itemsize) > 0 && self.visitor.is_none() && !builtin::holds_bytes(name) {
            let base = self.space.body_or_empty(body.word(self.layout.type_.base));
            self.opaque_items |= base.word(self.layout.type_.itemsize) == 0;
        }
        if self.scan.len() > before || self.opaque_items {
            self.follow_raw |= !builtin::holds_bytes(name);
        }
    }

    /// The final class decides where dictionary and weak list are: neither is scanned,
    /// and a structure's own field for the dictionary is not counted twice.
    fn cut_weaklist_and_dict(&mut self, body: Body) {
        let t = &self.layout.type_;
        let places = [body.signed(t.dictoffset), body.signed(t.weaklistoffset)];
        let dict_is_field = self.visitor == Some(Visitor::Type) || self.visitor == Some(Visitor::Module);
        if !dict_is_field {
            self.fields.retain(|f| i64::from(f.offset) != places[0]);
        }
        for place in places.into_iter().filter_map(|p| u32::try_from(p).ok()).filter(|&p| p > 0) {
            let parts = std::mem::take(&mut self.scan);
            for (from, to) in parts {
                if (from..to).contains(&place) {
                    self.scan.extend([(from, place), (place + 8, to)].iter().filter(|r| r.0 < r.1));
                } else {
                    self.scan.push((from, to));
                }
            }
        }
    }
}

/// The member table that a type publishes: name, type code, offset
/// (`PyMemberDef`, Include/structmember.h).
fn members(space: &Space, layout: &Layout, body: Body) -> Vec<(String, u32, u64)> {
    let m = &layout.member_def;
    let table = body.word(layout.type_.members);
    let mut found = Vec::new();
    let mut record = vec![0u8; m.size.min(128) as usize];
    for i in 0..MOST_MEMBERS {
        let at = table.wrapping_add(i.wrapping_mul(m.size as u64));
        if table == 0 || space.read(at, &mut record).is_err() {
            break;
        }
        let record = Body(&record);
        if record.word(m.name) == 0 {
            break;
        }
        let name = space.c_string(record.word(m.name), 128).unwrap_or_default();
        found.push((name, record.half(m.type_), record.word(m.offset)));
    }
    found
}
