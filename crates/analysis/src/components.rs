//! Strongly connected components over strong references: which objects lie on a
//! cycle, and with whom.  Pearce's algorithm on explicit stacks, so a list of
//! ten million links is no deeper than two arrays.  Knows nothing of life and death.

use serde::Serialize;
use undying_graph::{Cancelled, Graph, NodeId, Progress, Snapshot};

use crate::NodeSet;
use crate::refcounts::is_strong;

/// The cyclic components.  An object alone is one only when it refers to itself.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Components {
    /// For each object the number of its cyclic component, [`Components::NONE`]
    /// where it lies on no cycle.
    #[serde(skip)]
    pub component_of: Vec<u32>,
    /// First place of each component in `members`, and one more.
    #[serde(skip)]
    first: Vec<u32>,
    /// Members by component, ascending within one.
    #[serde(skip)]
    members: Vec<NodeId>,
    /// How many components there are.
    pub count: u64,
    /// Objects on cycles.
    pub objects: u64,
    /// Members of the largest.
    pub largest: u64,
}

impl Components {
    /// "On no cycle" in [`Components::component_of`].
    pub const NONE: u32 = u32::MAX;

    /// Numbers of all components.
    pub fn ids(&self) -> std::ops::Range<u32> {
        0..self.count as u32
    }

    /// The component's objects, ascending; empty for a number that is none.
    pub fn members(&self, component: u32) -> &[NodeId] {
        let at = |i: usize| self.first.get(i).map(|&f| f as usize);
        let (start, end) = (at(component as usize), at(component as usize + 1));
        match (start, end) {
            (Some(start), Some(end)) => &self.members[start..end],
            _ => &[],
        }
    }

    /// The object's component, where it lies on a cycle.
    #[inline]
    pub fn of(&self, n: NodeId) -> Option<u32> {
        self.component_of.get(n.index()).copied().filter(|&c| c != Components::NONE)
    }
}

/// The components of the whole heap.  4 bytes an object after; while it runs, 20
/// more for each object on the path being followed.
pub fn components(snapshot: &Snapshot, progress: &dyn Progress) -> Result<Components, Cancelled> {
    search(&snapshot.graph, |_| true, |_| true, progress)
}

/// The components of a part of the heap: the objects of a set and the strong
/// references between them.
pub fn components_within(
    snapshot: &Snapshot,
    part: &NodeSet,
    progress: &dyn Progress,
) -> Result<Components, Cancelled> {
    search(&snapshot.graph, |n| part.contains(n), |_| true, progress)
}

/// The components of the part of the graph that the two questions let through:
/// `node` is asked once an object, `edge` with the number of a strong reference.
pub(crate) fn search(
    graph: &Graph,
    node: impl Fn(NodeId) -> bool,
    edge: impl Fn(usize) -> bool,
    progress: &dyn Progress,
) -> Result<Components, Cancelled> {
    progress.phase("finding cycles", graph.len() as u64);
    let mut search = Search::new(graph, node);
    for n in graph.nodes() {
        if n.0 & 0xffff == 0 {
            progress.check()?;
            progress.done(n.0 as u64);
        }
        if search.open.contains(n) && search.index[n.index()] == UNSEEN {
            search.from(graph, n.0, &edge);
        }
    }
    Ok(search.finish(graph))
}

/// Not visited yet.
const UNSEEN: u32 = 0;
/// On no cycle, or not part of the search.
const DONE: u32 = Components::NONE;

/// An object whose references are being followed.
struct Visit {
    node: u32,
    /// The next reference to follow.
    next: u32,
    /// Its own number of discovery; `index` may have sunk below it since.
    born: u32,
    refers_to_itself: bool,
}

/// Pearce's algorithm ("A space-efficient algorithm for finding strongly
/// connected components", 2016): `index` holds the number of discovery (from 1)
/// while an object is open, then sinks to the lowest it reaches; a finished
/// cyclic component's number, counted down from the top, once it is closed.
struct Search {
    /// Objects that may still turn out to be on a cycle.  Most references lead to
    /// one that is not, and one bit is likelier to be near than a number.
    open: NodeSet,
    index: Vec<u32>,
    /// Closed objects that wait for the root of their component.
    waiting: Vec<u32>,
    path: Vec<Visit>,
    next_index: u32,
    components: u32,
}

impl Search {
    fn new(graph: &Graph, node: impl Fn(NodeId) -> bool) -> Search {
        let mut open = NodeSet::new(graph.len());
        for n in graph.nodes().filter(|&n| !graph.edge_range(n).is_empty() && node(n)) {
            open.insert(n);
        }
        let index = vec![UNSEEN; graph.len()];
        Search { open, index, waiting: Vec::new(), path: Vec::new(), next_index: 1, components: 0 }
    }

    fn visit(&mut self, graph: &Graph, node: u32) {
        self.index[node as usize] = self.next_index;
        self.path.push(Visit {
            node,
            next: graph.first_edges()[node as usize],
            born: self.next_index,
            refers_to_itself: false,
        });
        self.next_index += 1;
    }

    fn from(&mut self, graph: &Graph, start: u32, edge: &impl Fn(usize) -> bool) {
        let (first, targets, tags) = (graph.first_edges(), graph.targets(), graph.tags());
        self.visit(graph, start);
        while let Some(visit) = self.path.last_mut() {
            let end = first[visit.node as usize + 1];
            let mut lowest = self.index[visit.node as usize];
            let mut deeper = None;
            while visit.next < end {
                let e = visit.next as usize;
                visit.next += 1;
                let to = targets[e];
                if !self.open.contains(NodeId(to)) || !is_strong(tags[e]) || !edge(e) {
                    continue;
                }
                let there = self.index[to as usize];
                if there == UNSEEN {
                    // Seen again when `to` is closed, by then with its number.
                    deeper = Some(to);
                    visit.next -= 1;
                    break;
                }
                visit.refers_to_itself |= to == visit.node;
                lowest = lowest.min(there);
            }
            self.index[visit.node as usize] = lowest;
            match deeper {
                Some(to) => self.visit(graph, to),
                None => self.close(),
            }
        }
    }

    /// Closes the last object of the path; a component when it is a root.
    fn close(&mut self) {
        let Some(visit) = self.path.pop() else { return };
        let lowest = self.index[visit.node as usize];
        if lowest < visit.born {
            self.waiting.push(visit.node);
            return;
        }
        let top = self.waiting.last().map(|&w| self.index[w as usize]);
        let alone = top.is_none_or(|t| t < visit.born);
        if alone && !visit.refers_to_itself {
            self.open.remove(NodeId(visit.node));
            self.next_index -= 1;
            return;
        }
        self.components += 1;
        let number = DONE - self.components;
        while let Some(&w) = self.waiting.last() {
            if self.index[w as usize] < visit.born {
                break;
            }
            self.waiting.pop();
            self.index[w as usize] = number;
            self.next_index -= 1;
        }
        self.index[visit.node as usize] = number;
        self.next_index -= 1;
    }

    /// Sorts the members by component.
    fn finish(self, graph: &Graph) -> Components {
        let Search { open, index, components: count, .. } = self;
        let mut first = vec![0u32; count as usize + 1];
        let mut of = vec![Components::NONE; graph.len()];
        for n in open.iter() {
            let c = DONE - 1 - index[n.index()];
            of[n.index()] = c;
            first[c as usize + 1] += 1;
        }
        drop(index);
        let largest = first.iter().copied().max().unwrap_or(0);
        for i in 1..first.len() {
            first[i] += first[i - 1];
        }
        let mut at = first.clone();
        let mut members = vec![NodeId(0); first[count as usize] as usize];
        for n in open.iter() {
            let c = of[n.index()] as usize;
            members[at[c] as usize] = n;
            at[c] += 1;
        }
        Components {
            component_of: of,
            first,
            count: count as u64,
            objects: members.len() as u64,
            largest: largest as u64,
            members,
        }
    }
}
