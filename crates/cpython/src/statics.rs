//! What an interpreter keeps for static builtin types since 3.12: their dictionary
//! and subclasses (CPython `Include/internal/pycore_typeobject.h`).

use rustc_hash::FxHashMap;

use crate::layout::{ABSENT, Layout};
use crate::space::Space;

/// `Py_TPFLAGS_STATIC_BUILTIN` (`_Py_TPFLAGS_STATIC_BUILTIN`, 3.12).
const STATIC_BUILTIN: u64 = 1 << 1;
/// More records than any version has room for (200 in 3.12 and 3.13, ten for extensions).
const MOST_RECORDS: u64 = 256;

/// The interpreter's part of one static type.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// `tp_dict`.
    pub dict: u64,
    /// `tp_subclasses`.
    pub subclasses: u64,
}

/// By address of the type.
#[derive(Debug, Default)]
pub struct StaticTypes(FxHashMap<u64, State>);

impl StaticTypes {
    /// Read the records of one interpreter; empty where the version has none.
    pub fn read(space: &Space, layout: &Layout, interpreter: u64) -> StaticTypes {
        let mut found = FxHashMap::default();
        let r = &layout.static_type_state;
        if r.size != ABSENT {
            for start in [layout.interp.types_builtins, layout.interp.types_for_extensions] {
                let records = if start == ABSENT { 0 } else { MOST_RECORDS };
                for i in 0..records {
                    let at = interpreter.wrapping_add(start as u64).wrapping_add(i * r.size as u64);
                    let Some(record) = space.body(at) else { break };
                    let address = record.word(r.type_);
                    let flags = space.body(address).map_or(0, |b| b.word(layout.type_.flags));
                    if address == 0 || flags & STATIC_BUILTIN == 0 {
                        break;
                    }
                    found.insert(address, State { dict: record.word(r.dict), subclasses: record.word(r.subclasses) });
                }
            }
        }
        StaticTypes(found)
    }

    /// The interpreter's part of the type at an address.
    #[inline]
    pub fn get(&self, address: u64) -> Option<State> {
        self.0.get(&address).copied()
    }

    /// Its dictionary.
    pub fn dict_of(&self, address: u64) -> Option<u64> {
        self.get(address).map(|s| s.dict)
    }
}
