//! The table of wrappers of native objects, where there is one.  `meta.json` counts its
//! rows.

use std::path::Path;

use undying_graph::{Labels, WrapperRow, WrapperSystem};

use super::Result;
use super::small::{Reading, or_empty};
use crate::schema::WRAPPERS;

/// Reads it; ids are in range and ascend.
pub(super) fn wrappers(dir: &Path, labels: &mut Labels, objects: usize) -> Result<Vec<WrapperRow>> {
    let mut t = Reading::new(dir, &WRAPPERS)?;
    let mut rows: Vec<WrapperRow> = Vec::new();
    for g in 0..t.groups() {
        let (nodes, systems) = (t.integers(g, "object_id")?, t.texts(g, "system")?);
        let (types, addresses) = (t.texts(g, "native_type")?, t.integers(g, "native_address")?);
        let (owned, destructor) = (t.bools_or_null(g, "owned")?, t.bools_or_null(g, "destructor")?);
        let (holder, bytes) = (t.bools_or_null(g, "holder")?, t.integers(g, "native_bytes")?);
        let (pointers, files) = (t.integers(g, "pointers")?, t.texts(g, "module_file")?);
        for i in 0..t.rows(g) {
            let node = t.node(nodes[i], objects)?;
            if rows.last().is_some_and(|last| last.node > node) {
                return Err(t.damaged("objects that do not ascend"));
            }
            let system = WrapperSystem::from_name(or_empty(&systems[i]));
            rows.push(WrapperRow {
                node,
                system: system.ok_or_else(|| t.damaged("an unknown system"))?,
                native_type: labels.intern(or_empty(&types[i])),
                native_address: t.u64(addresses[i])?,
                owned: owned[i],
                destructor: destructor[i],
                holder: holder[i],
                native_bytes: bytes[i].map(|b| b as u64),
                pointers: pointers[i].map(|p| t.u32(Some(p))).transpose()?,
                module_file: labels.intern(or_empty(&files[i])),
            });
        }
    }
    Ok(rows)
}
