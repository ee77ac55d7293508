//! Dictionaries: combined, split, and values that live in their instance.
//! CPython `Objects/dictobject.c`, `Include/internal/pycore_dict.h` (3.8 to 3.13).

use undying_graph::{Certainty, EdgeKind};

use crate::builtin::Visitor;
use crate::layout::{ABSENT, Layout};
use crate::object;
use crate::space::{Body, Space};
use crate::text;
use crate::visit::{Context, Name, Out};

/// A keys object, decoded.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// Where the entries begin.
    entries: Body<'a>,
    /// Used entries, dead ones included.
    pub count: u64,
    /// 24 with a hash in front, 16 for keys that are all `str`.
    pub entry_bytes: u64,
    key_at: u32,
    value_at: u32,
    /// More than one dictionary or class uses it, or may.
    pub shared: bool,
    capacity: u64,
    /// Bytes of the whole block, as `__sizeof__` counts it.
    pub bytes: u64,
}

/// Capacity for entries of a table of `size` slots (`USABLE_FRACTION`).
pub fn usable(size: u64) -> u64 {
    size.saturating_mul(2) / 3
}

impl<'a> Keys<'a> {
    /// Decode the keys object at `address`.
    #[inline]
    pub fn at(space: &Space<'a>, layout: &Layout, address: u64) -> Option<Keys<'a>> {
        let k = &layout.dict_keys;
        let body = space.body(address)?;
        let (size, index_bytes, all_str) = if k.log2_size == ABSENT {
            let size = body.word(k.size_field);
            let width = match size {
                0..=0xff => 1u64,
                0x100..=0xffff => 2,
                0x1_0000..=0xffff_ffff => 4,
                _ => 8,
            };
            (size, size.checked_mul(width)?, false)
        } else {
            let (log2, log2_bytes) = (body.byte(k.log2_size), body.byte(k.log2_index_bytes));
            if log2 > 40 || log2_bytes > 44 {
                return None;
            }
            (1u64 << log2, 1u64 << log2_bytes, body.byte(k.kind) != 0)
        };
        let entry = if all_str { layout.dict_unicode_entry.size } else { layout.dict_entry.size } as u64;
        let (key_at, value_at) = match all_str {
            true => (layout.dict_unicode_entry.key, layout.dict_unicode_entry.value),
            false => (layout.dict_entry.key, layout.dict_entry.value),
        };
        let entries = body.from((k.indices as u64).checked_add(index_bytes)?);
        // what is not there cannot be walked: a torn count is cut to the memory behind it
        let there = entries.0.len() as u64 / entry.max(1);
        // `dk_nentries` is a `Py_ssize_t` in all versions read here
        let nentries = body.word(k.nentries);
        Some(Keys {
            entries,
            count: nentries.min(there).min(usable(size)),
            entry_bytes: entry,
            key_at,
            value_at,
            shared: body.word(k.refcnt) != 1,
            capacity: body.word(k.usable).saturating_add(nentries).min(usable(size)),
            bytes: (k.indices as u64).saturating_add(index_bytes).saturating_add(entry.saturating_mul(usable(size))),
        })
    }

    /// How many entries there is room for (`shared_keys_usable_size`).
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Key and value of one entry; 0 where there is none.
    #[inline]
    pub fn entry(&self, i: u64) -> (u64, u64) {
        let at = (i * self.entry_bytes) as u32;
        if i * self.entry_bytes > u32::MAX as u64 - 32 {
            let far = self.entries.from(i * self.entry_bytes);
            return (far.word(self.key_at), far.word(self.value_at));
        }
        (self.entries.word(at + self.key_at), self.entries.word(at + self.value_at))
    }
}

/// The parts of a dictionary object.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// Address of the keys object.
    pub keys_at: u64,
    /// The keys object.
    pub keys: Keys<'a>,
    /// The values of a split dictionary.
    pub values: Option<Body<'a>>,
    /// The values belong to an instance, which reports them (3.13).
    pub embedded: bool,
}

/// The parts of the dictionary whose bytes are `body`.
#[inline]
pub fn parts<'a>(space: &Space<'a>, layout: &Layout, body: Body) -> Option<Parts<'a>> {
    let keys_at = body.word(layout.dict.keys);
    let values_at = body.word(layout.dict.values);
    let keys = Keys::at(space, layout, keys_at)?;
    let mut embedded = false;
    let values = if values_at == 0 {
        None
    } else {
        let v = space.body_or_empty(values_at);
        embedded = layout.dict_values.embedded != ABSENT && v.byte(layout.dict_values.embedded) != 0;
        Some(v.from(values_start(layout)))
    };
    Some(Parts { keys_at, keys, values, embedded })
}

/// Where the pointers begin in a values block.
pub fn values_start(layout: &Layout) -> u64 {
    if layout.dict_values.values == ABSENT { 0 } else { layout.dict_values.values as u64 }
}

/// Report keys and values; the number of entries in use.
pub fn visit<O: Out>(cx: &Context, address: u64, body: Body, out: &mut O) -> u64 {
    out.storage(body.word(cx.layout.dict.keys));
    out.storage(body.word(cx.layout.dict.values));
    if cx.is_interned_table(address) {
        return 0;
    }
    let Some(p) = parts(cx.space, cx.layout, body) else { return 0 };
    let split = p.values.is_some();
    let own_keys = if split || p.keys.shared { out.owns_keys(p.keys_at, address, false) } else { true };
    let mut used = 0;
    for i in 0..cx.believe(p.keys_at, 0, p.keys.count, p.keys.entry_bytes) {
        let (key, inline) = p.keys.entry(i);
        let value = match p.values {
            Some(_) if p.embedded => 0,
            Some(v) => v.word((i * 8) as u32),
            None => inline,
        };
        if key != 0 && own_keys && (split || value != 0) {
            out.edge(key, EdgeKind::Key, Certainty::Exact, Name::Index(i));
        }
        if value != 0 {
            used += 1;
            out.edge(value, EdgeKind::Value, Certainty::Exact, Name::Key(key, i));
        }
    }
    used
}

/// Report the names in a class's cached keys, which it shares with its instances.
pub fn cached_keys<O: Out>(cx: &Context, keys_at: u64, owner: u64, out: &mut O) {
    out.storage(keys_at);
    if keys_at == 0 || !out.owns_keys(keys_at, owner, true) {
        return;
    }
    let Some(keys) = Keys::at(cx.space, cx.layout, keys_at) else { return };
    for i in 0..keys.count {
        out.edge(keys.entry(i).0, EdgeKind::Key, Certainty::Exact, Name::Index(i));
    }
}

/// How many entries a dictionary has in which each key is an interned string and its own
/// value; `None` of any other object.
pub fn interned_entries(cx: &Context, address: u64) -> Option<u64> {
    let class = cx.space.body(address)?.word(object::TYPE);
    let class = cx.classes.at(cx.space, cx.layout, class).and_then(|n| cx.classes.get(n))?;
    if class.visitor != Visitor::Dict {
        return None;
    }
    let mut count = 0;
    for (key, value) in entries(cx.space, cx.layout, address) {
        let state = cx.space.body_or_empty(key).half(cx.layout.ascii.state);
        if key != value || !text::State::decode(state).interned {
            return None;
        }
        count += 1;
    }
    Some(count)
}

/// The value under a name, for the reader's own questions.
pub fn lookup(space: &Space, layout: &Layout, address: u64, name: &str) -> Option<u64> {
    entries(space, layout, address).find(|(k, _)| text_is(space, layout, *k, name)).map(|e| e.1)
}

/// Whether a `str` object has this (ASCII) text.
pub fn text_is(space: &Space, layout: &Layout, address: u64, name: &str) -> bool {
    let Some(body) = space.body(address) else { return false };
    let state = text::State::decode(body.half(layout.ascii.state));
    state.compact
        && state.ascii
        && body.word(layout.ascii.length) == name.len() as u64
        && body.from(layout.ascii.size as u64).0.get(..name.len()) == Some(name.as_bytes())
}

/// Key and value addresses of the dictionary at an address.
pub fn entries<'a>(space: &Space<'a>, layout: &Layout, address: u64) -> impl Iterator<Item = (u64, u64)> + 'a {
    let found = space.body(address).and_then(|b| parts(space, layout, b));
    let count = found.map_or(0, |p| p.keys.count);
    (0..count).filter_map(move |i| {
        let p = found?;
        let (key, inline) = p.keys.entry(i);
        let value = p.values.map_or(inline, |v| v.word((i * 8) as u32));
        (key != 0 && value != 0).then_some((key, value))
    })
}
