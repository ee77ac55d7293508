//! Python objects that stand for something native: which tool's they are, by their class,
//! and what they say of the native thing, by their body.  One file a tool; a fact that a
//! check does not confirm is not told.  Judges nothing.

mod cffi;
mod ctypes;
mod cython;
mod pointers;
mod pybind11;
mod swig;

use rustc_hash::FxHashMap;
use undying_graph::{LabelId, NodeId, Sink, WrapperRow, WrapperSystem};
use undying_memory::{Captured, Memory};

use crate::class::Class;
use crate::layout::Layout;
use crate::object;
use crate::space::{Body, Space};
use crate::visit::Context;

/// No name of a native type that is told is longer, in bytes.
const LONGEST_NAME: usize = 1024;

/// What an object says of its native thing.
#[derive(Clone, Debug, Default)]
struct Native {
    /// As the tool writes it.
    type_name: Option<String>,
    address: u64,
    owned: Option<bool>,
    destructor: Option<bool>,
    holder: Option<bool>,
    /// An address in the data of the extension that has the type information; 0 if none.
    information: u64,
}

/// Which tool made a class, given the class and its bases, itself first.
pub fn system(space: &Space, layout: &Layout, levels: &[(u64, Body)]) -> Option<WrapperSystem> {
    levels.iter().enumerate().find_map(|(i, level)| {
        let name = space.c_string(level.1.word(layout.type_.name), 64).unwrap_or_default();
        let last = name.rsplit('.').next().unwrap_or(&name);
        match name.as_str() {
            "_ctypes._CData" if i > 0 => Some(WrapperSystem::Ctypes),
            _ if name.starts_with(cffi::MODULE) && cffi::is_class(last) => Some(WrapperSystem::Cffi),
            _ if last == swig::CLASS || swig::is_builtin(space, layout, level.1) => Some(WrapperSystem::Swig),
            _ if last == pybind11::BASE && i > 0 => Some(WrapperSystem::Pybind11),
            _ if cython::is_class(space, layout, level.1) => Some(WrapperSystem::Cython),
            _ => None,
        }
    })
}

/// A row for each of `wrapped`, objects (number and address) of classes that [`system`]
/// knows, ascending.
pub fn read<S: Sink + ?Sized>(
    cx: &Context,
    captured: &Captured,
    wrapped: &[(u32, u64)],
    sink: &mut S,
) -> Vec<WrapperRow> {
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    let mut labels: FxHashMap<String, LabelId> = FxHashMap::default();
    let mut label = |text: &str, sink: &mut S| match labels.get(text) {
        Some(&known) => known,
        None => *labels.entry(text.to_owned()).or_insert_with(|| sink.label(text)),
    };
    for &(n, address) in wrapped {
        let body = cx.space.body_or_empty(address);
        let class = cx.classes.at(cx.space, cx.layout, body.word(object::TYPE)).and_then(|n| cx.classes.get(n));
        let Some((class, system)) = class.and_then(|c| Some((c, c.wrapper?))) else { continue };
        let Some(native) = native(cx, system, class, address, body) else { continue };
        let row = WrapperRow {
            node: NodeId(n),
            system,
            native_type: native.type_name.as_deref().map_or(LabelId::NONE, |t| label(t, sink)),
            native_address: native.address,
            owned: native.owned,
            destructor: native.destructor,
            holder: native.holder,
            native_bytes: own_block(cx, system, native.address),
            pointers: None,
            module_file: cx.statics.file_of(native.information).map_or(LabelId::NONE, |f| label(f, sink)),
        };
        rows.push(row);
        objects.push(address);
    }
    let found = pointers::find(cx, captured, &rows, &objects);
    for ((row, pointers), cpp) in rows.iter_mut().zip(found.pointers).zip(found.types) {
        row.pointers = pointers;
        if let Some(cpp) = cpp {
            row.native_type = label(&cpp.name, sink);
            row.module_file = cx.statics.file_of(cpp.information).map_or(LabelId::NONE, |f| label(f, sink));
        }
    }
    rows
}

fn native(cx: &Context, system: WrapperSystem, class: &Class, address: u64, body: Body) -> Option<Native> {
    match system {
        WrapperSystem::Swig => swig::read(cx, body),
        WrapperSystem::Pybind11 => pybind11::read(cx, body),
        WrapperSystem::Cython => Some(cython::read(cx, class, address)),
        WrapperSystem::Cffi => cffi::read(cx, class, body),
        WrapperSystem::Ctypes => ctypes::read(cx, class, body),
    }
}

/// Bytes of the C library's block that begins exactly there.
fn own_block(cx: &Context, system: WrapperSystem, address: u64) -> Option<u64> {
    if system == WrapperSystem::Cython || cx.allocator.pool_of(address).is_some() {
        return None;
    }
    cx.allocator.block_in_use(address).filter(|b| b.start == address).map(|b| b.length)
}

/// A name in the target: printable ASCII, not empty.
fn name_at(space: &Space, address: u64) -> Option<String> {
    let text = space.c_string(address, LONGEST_NAME).ok().filter(|t| address != 0 && t.len() < LONGEST_NAME)?;
    (!text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b))).then_some(text)
}
