//! Places as they are met: each line of a function under each caller once, callers
//! first.

use rustc_hash::FxHashMap;
use undying_graph::PlaceRow;

/// The table of places that grows.
#[derive(Default)]
pub struct Places {
    rows: Vec<PlaceRow>,
    known: FxHashMap<PlaceRow, u32>,
}

impl Places {
    /// The number of a place, new or known; `None` when there are too many.
    pub fn number(&mut self, row: PlaceRow) -> Option<u32> {
        if let Some(&n) = self.known.get(&row) {
            return Some(n);
        }
        let n = u32::try_from(self.rows.len()).ok().filter(|&n| n < u32::MAX)?;
        self.rows.push(row);
        self.known.insert(row, n);
        Some(n)
    }

    /// All of them.
    pub fn into_rows(self) -> Vec<PlaceRow> {
        self.rows
    }
}
