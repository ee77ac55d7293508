//! A graph given by whole columns, as a file has them: the quick way in, beside
//! the [`Builder`]'s row by row.

use crate::{Builder, Graph, Labels, NodeId};

/// Objects and references in columns, ids being row numbers.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Where each object lay.
    pub address: Vec<u64>,
    /// Each object's class.
    pub type_id: Vec<u32>,
    /// Each object's own size in bytes, saturated at `u32::MAX`.
    pub shallow: Vec<u32>,
    /// The true sizes of the saturated ones.
    pub huge: Vec<(NodeId, u64)>,
    /// Each object's reference count, saturated at `u32::MAX - 1`; `u32::MAX` is immortal.
    pub refcount: Vec<u32>,
    /// Each object's [`crate::Flags`].
    pub flags: Vec<u8>,
    /// First reference of each object, and one more: the number of references.
    pub first: Vec<u32>,
    /// What each reference holds.
    pub target: Vec<u32>,
    /// [`crate::Edge::pack`]'s first.
    pub tag: Vec<u8>,
    /// [`crate::Edge::pack`]'s second.
    pub number: Vec<u32>,
}

impl Columns {
    /// Whether the columns are of one length and `first` rises from 0 to the
    /// number of references.
    pub fn fit(&self) -> bool {
        let (n, m) = (self.address.len(), self.target.len());
        n <= u32::MAX as usize
            && [self.type_id.len(), self.shallow.len(), self.refcount.len(), self.flags.len()] == [n; 4]
            && [self.tag.len(), self.number.len()] == [m; 2]
            && self.first.len() == n + 1
            && self.first[0] == 0
            && self.first[n] as usize == m
            && self.first.is_sorted()
    }
}

impl Builder {
    /// A builder that holds these columns; `None` when they do not [fit](Columns::fit).
    pub fn from_columns(labels: Labels, columns: Columns) -> Option<Builder> {
        if !columns.fit() {
            return None;
        }
        let Columns { address, type_id, shallow, huge, refcount, flags, first, target, tag, number } = columns;
        let huge = huge.into_iter().map(|(n, bytes)| (n.0, bytes)).collect();
        let graph = Graph { address, type_id, shallow, huge, refcount, flags, first, target, tag, number };
        Some(Builder::with_graph(labels, graph))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        let good = Columns {
            address: vec![16, 32],
            type_id: vec![0, 0],
            shallow: vec![8, u32::MAX],
            huge: vec![(NodeId(1), 1 << 40)],
            refcount: vec![1, u32::MAX],
            flags: vec![0, 1],
            first: vec![0, 1, 1],
            target: vec![1],
            tag: vec![0],
            number: vec![0],
        };
        let s = Builder::from_columns(Labels::default(), good.clone()).unwrap().build();
        assert_eq!(s.graph.shallow_bytes(NodeId(1)), 1 << 40);
        assert_eq!(s.graph.refcount(NodeId(1)), None);
        assert_eq!(s.graph.edges(NodeId(0)).next().unwrap().target, NodeId(1));
        for break_it in [
            |c: &mut Columns| c.first = vec![0, 2, 1],
            |c: &mut Columns| c.first = vec![1, 1, 1],
            |c: &mut Columns| c.first = vec![0, 0, 0],
            |c: &mut Columns| c.first.truncate(2),
            |c: &mut Columns| c.flags.truncate(1),
            |c: &mut Columns| c.tag.push(0),
        ] {
            let mut bad = good.clone();
            break_it(&mut bad);
            assert!(Builder::from_columns(Labels::default(), bad).is_none());
        }
    }
}
