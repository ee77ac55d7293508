//! Immediate dominators by Semi-NCA (Georgiadis, "Linear-time algorithms for
//! dominators and related problems", 2005): depth first numbers, semidominators
//! from the references that the search did not take, then the nearest common
//! ancestor of parent and semidominator.  Explicit stacks throughout.  Knows not
//! why an object is an entry.

use undying_graph::{Cancelled, Graph, NodeId, Progress};

use crate::NodeSet;
use crate::refcounts::is_strong;

/// "None" in a chain of references.
const NONE: u32 = u32::MAX;

/// A depth first search in progress.  Objects have numbers in the order they are
/// visited; the virtual root's is 0.
pub(super) struct Search<'a> {
    graph: &'a Graph,
    progress: &'a dyn Progress,
    /// Each object's number.
    number: Vec<u32>,
    /// The object of each number.
    order: Vec<u32>,
    /// The number of the object it was visited from, by number.
    parent: Vec<u32>,
    /// The lowest number of an object above it with a reference to it, by number:
    /// what its semidominator is at most.
    semi: Vec<u32>,
    /// References to objects that had a number already: target, and the holder's number.
    crosses: Vec<(u32, u32)>,
    seen: NodeSet,
    /// Objects to which a reference changes nothing.
    settled: NodeSet,
    /// Objects to visit, and the numbers of their holders.
    stack: Vec<(u32, u32)>,
}

/// Immediate dominators, by number.
pub(super) struct Flow {
    /// Each object's number.
    pub number: Vec<u32>,
    /// The object of each number.
    pub order: Vec<u32>,
    /// The number of its immediate dominator, which is lower than its own.
    pub idom: Vec<u32>,
    /// A column of the same length that is no longer needed.
    pub spare: Vec<u32>,
}

impl<'a> Search<'a> {
    pub(super) fn new(graph: &'a Graph, progress: &'a dyn Progress) -> Search<'a> {
        let room = || {
            let mut column = Vec::with_capacity(graph.len() + 1);
            column.push(0);
            column
        };
        Search {
            graph,
            progress,
            number: vec![0; graph.len()],
            order: room(),
            parent: room(),
            semi: room(),
            crosses: Vec::new(),
            seen: NodeSet::new(graph.len()),
            settled: NodeSet::new(graph.len()),
            stack: Vec::new(),
        }
    }

    /// What was visited so far.
    pub(super) fn seen(&self) -> &NodeSet {
        &self.seen
    }

    /// From here on, references to anything visited so far change nothing.
    pub(super) fn settle(&mut self) {
        self.settled = self.seen.clone();
    }

    /// Hangs these below the virtual root and visits all they reach.  None of them
    /// may have been visited.  References to them change nothing: whoever is held
    /// from outside has no dominator, and whatever leads through one comes by no
    /// other way than straight from the root.
    pub(super) fn enter(&mut self, entries: &NodeSet) -> Result<(), Cancelled> {
        for n in entries.iter() {
            self.seen.insert(n);
            self.settled.insert(n);
        }
        for n in entries.iter() {
            self.visit(n.0, 0);
            self.drain()?;
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), Cancelled> {
        while let Some((n, holder)) = self.stack.pop() {
            if self.seen.insert(NodeId(n)) {
                self.visit(n, holder);
                if self.order.len() & 0xffff == 0 {
                    self.progress.check()?;
                    self.progress.done(self.order.len() as u64);
                }
            } else {
                // Visited since by way of another of the holder's: the holder is above it.
                let semi = &mut self.semi[self.number[n as usize] as usize];
                *semi = holder.min(*semi);
            }
        }
        Ok(())
    }

    /// Gives the object a number.  What it holds is put on the stack as a whole and
    /// looked at again when taken, which visits in the order of a recursive search.
    #[inline]
    fn visit(&mut self, n: u32, holder: u32) {
        let own = self.order.len() as u32;
        self.order.push(n);
        self.parent.push(holder);
        self.semi.push(holder);
        self.number[n as usize] = own;
        let edges = self.graph.edge_range(NodeId(n));
        let (targets, tags) = (&self.graph.targets()[edges.clone()], &self.graph.tags()[edges]);
        for (&to, &tag) in targets.iter().zip(tags).rev() {
            if !is_strong(tag) {
                continue;
            }
            if !self.seen.contains(NodeId(to)) {
                self.stack.push((to, own));
            } else if to != n && !self.settled.contains(NodeId(to)) {
                self.crosses.push((to, own));
            }
        }
    }

    /// The dominators of all that was visited.
    pub(super) fn immediate_dominators(self) -> Result<Flow, Cancelled> {
        let Search { progress, number, order, parent, mut semi, crosses, stack, .. } = self;
        drop(stack);
        semidominators(&number, &parent, &mut semi, crosses, progress)?;
        let mut idom = parent;
        for w in 1..idom.len() {
            let mut above = idom[w];
            while above > semi[w] {
                above = idom[above as usize];
            }
            idom[w] = above;
        }
        Ok(Flow { number, order, idom, spare: semi })
    }
}

/// What is known of a number while semidominators are computed, from the highest
/// down.  Before its turn, `best` is the first of its chain of crosses; after it,
/// the lowest semidominator on the way from it up to below `above`.
#[derive(Clone, Copy)]
struct Link {
    above: u32,
    best: u32,
}

/// Lowers `semi` to the semidominators.
fn semidominators(
    number: &[u32],
    parent: &[u32],
    semi: &mut [u32],
    mut crosses: Vec<(u32, u32)>,
    progress: &dyn Progress,
) -> Result<(), Cancelled> {
    let mut links: Vec<Link> = parent.iter().map(|&above| Link { above, best: NONE }).collect();
    // Chained by target, in place: the target gives way to the next of its chain.
    for (cross, i) in crosses.iter_mut().zip(0u32..) {
        let first = &mut links[number[cross.0 as usize] as usize].best;
        cross.0 = std::mem::replace(first, i);
    }
    let mut path = Vec::new();
    let mut touched = 0;
    for w in (1..links.len()).rev() {
        touched ^= look_ahead(&links, &crosses, w);
        if w & 0xffff == 0 {
            progress.check()?;
        }
        let mut lowest = semi[w];
        let mut next = links[w].best;
        while next != NONE && lowest > 0 {
            let (after, holder) = crosses[next as usize];
            lowest = lowest.min(eval(&mut links, &mut path, holder, w as u32));
            next = after;
        }
        semi[w] = lowest;
        links[w].best = lowest;
    }
    std::hint::black_box(touched);
    Ok(())
}

/// So many numbers ahead each step of a look ahead is taken.
const AHEAD: usize = 6;

/// Reads what the next numbers will need, so that it is near by then: their crosses,
/// the holders of those, and whoever is above the holders.  On a heap without order
/// this takes a third off the time, which is spent in waiting.  The value means nothing.
#[inline]
fn look_ahead(links: &[Link], crosses: &[(u32, u32)], w: usize) -> u32 {
    let Some(near) = w.checked_sub(3 * AHEAD) else { return 0 };
    let cross = |i: u32| crosses.get(i as usize);
    let above = |holder: u32| links[links[holder as usize].above as usize].best;
    let mut touched = 0;
    if let Some(&(_, holder)) = cross(links[near].best) {
        touched ^= holder;
    }
    if let Some(&(next, holder)) = cross(links[near + AHEAD].best) {
        touched ^= links[holder as usize].best ^ cross(next).map_or(0, |c| c.1);
    }
    if let Some(&(next, holder)) = cross(links[near + 2 * AHEAD].best) {
        touched ^= above(holder) ^ cross(next).map_or(0, |c| links[c.1 as usize].best);
    }
    touched
}

/// The lowest semidominator on the way from `v` up to, and without, the first
/// object whose number is `w` or lower.  Leaves the way short for the next.
#[inline]
fn eval(links: &mut [Link], path: &mut Vec<u32>, v: u32, w: u32) -> u32 {
    let mut top = v;
    while links[top as usize].above > w {
        path.push(top);
        top = links[top as usize].above;
    }
    let mut link = links[top as usize];
    while let Some(below) = path.pop() {
        let short = &mut links[below as usize];
        link.best = link.best.min(short.best);
        *short = link;
    }
    link.best
}
