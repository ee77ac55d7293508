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
    /// Takes in more references of the same objects: `more.first` and the columns of
    /// its references.  In place, from the end; `None` when there would be more than
    /// `u32::MAX`, or the two are not of the same objects.
    pub fn merge_edges(&mut self, more: &Columns) -> Option<()> {
        let (old, extra) = (self.target.len(), more.target.len());
        let total = old.checked_add(extra).filter(|&n| n <= u32::MAX as usize)?;
        if self.first.len() != more.first.len() || more.tag.len() != extra || more.number.len() != extra {
            return None;
        }
        self.target.resize(total, 0);
        self.tag.resize(total, 0);
        self.number.resize(total, 0);
        let mut end = total;
        for n in (0..self.first.len().saturating_sub(1)).rev() {
            let own = self.first[n] as usize..self.first[n + 1] as usize;
            let new = more.first[n] as usize..more.first[n + 1] as usize;
            self.first[n + 1] = end as u32;
            end = end.checked_sub(new.len())?;
            self.target.get_mut(end..end + new.len())?.copy_from_slice(more.target.get(new.clone())?);
            self.tag.get_mut(end..end + new.len())?.copy_from_slice(more.tag.get(new.clone())?);
            self.number.get_mut(end..end + new.len())?.copy_from_slice(more.number.get(new)?);
            end = end.checked_sub(own.len())?;
            self.target.copy_within(own.clone(), end);
            self.tag.copy_within(own.clone(), end);
            self.number.copy_within(own, end);
        }
        Some(())
    }

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

    #[test]
    fn merged_references_are_those_of_both() {
        let of = |lists: &[&[u32]]| {
            let mut c = Columns { first: vec![0], ..Columns::default() };
            for list in lists {
                c.target.extend_from_slice(list);
                c.tag.extend(list.iter().map(|&t| t as u8));
                c.number.extend(list.iter().map(|&t| t * 10));
                c.first.push(c.target.len() as u32);
            }
            c
        };
        let mut a = of(&[&[1, 2], &[], &[3], &[]]);
        let b = of(&[&[], &[4], &[5, 6], &[7]]);
        a.merge_edges(&b).unwrap();
        assert_eq!(a.first, [0, 2, 3, 6, 7]);
        assert_eq!(a.target, [1, 2, 4, 3, 5, 6, 7]);
        assert_eq!((a.tag[4], a.number[6]), (5, 70));
        assert!(a.merge_edges(&of(&[&[1]])).is_none());
    }
}
