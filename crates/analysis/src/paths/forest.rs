//! The shortest way to every object from the roots, all at once: one breadth
//! first search whose result is a reference for each object.  Knows which roots
//! tell more; makes no text and follows no weak reference.

use rustc_hash::FxHashMap;
use undying_graph::{Cancelled, Detail, EdgeKind, Graph, LabelId, NodeId, Progress, Root, RootKind, Snapshot};

use crate::Refcounts;
use crate::refcounts::{is_exact, is_strong};

/// For each object how it is reached.  8 bytes an object.
#[derive(Clone, Debug, Default)]
pub struct Forest {
    /// The reference it was first reached by, or one of the three marks below.
    parent: Vec<u32>,
    /// Its place in the order of discovery: whoever is reached earlier is not
    /// farther away.
    position: Vec<u32>,
    /// The best root of each object that is reached without a reference.
    roots: FxHashMap<u32, Root>,
    /// How many objects were reached.
    pub reached: u64,
    /// Of them: only because their reference count is higher than explained.
    pub native: u64,
}

/// Not reached.
const NOWHERE: u32 = u32::MAX;
/// Reached from a root.
const ROOT: u32 = u32::MAX - 1;

/// References by which modules are ahead: a module's dictionary, an object, its
/// dictionary, a container.
const LEAD: u32 = 4;

/// How an object is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// By no root.
    No,
    /// By this root.
    Root(Root),
    /// By this object, over the reference of this number.
    By(NodeId, usize),
}

impl Forest {
    /// How the object is reached.
    pub fn reached(&self, graph: &Graph, n: NodeId) -> Reached {
        match self.parent.get(n.index()).copied().unwrap_or(NOWHERE) {
            NOWHERE => Reached::No,
            ROOT => self.roots.get(&n.0).map_or(Reached::No, |&r| Reached::Root(r)),
            e => Reached::By(graph.source(e as usize), e as usize),
        }
    }

    /// Whether a root reaches the object.
    #[inline]
    pub fn reaches(&self, n: NodeId) -> bool {
        self.parent.get(n.index()).is_some_and(|&p| p != NOWHERE)
    }

    /// The object's place in the order of discovery.
    #[inline]
    pub fn position(&self, n: NodeId) -> u32 {
        self.position.get(n.index()).copied().unwrap_or(u32::MAX)
    }
}

/// Which roots tell a person more, best first; the second group is asked only
/// for what the first does not reach: such a root proves life and explains nothing.
fn rank(kind: RootKind) -> (u8, u8) {
    match kind {
        RootKind::Module => (0, 0),
        RootKind::Frame => (0, 1),
        RootKind::Thread => (0, 2),
        RootKind::Atexit => (0, 3),
        RootKind::Fork => (0, 4),
        RootKind::Interpreter => (0, 5),
        RootKind::Static => (0, 6),
        RootKind::Interned => (1, 0),
        RootKind::Stack => (1, 1),
        RootKind::Native => (2, 0),
        // Proves life and names nothing.
        _ => (1, 2),
    }
}

/// Reaches every object by a shortest way.  At equal length a more telling root
/// wins; a way over exactly known references wins over any with a guess in it.
/// Modules have a lead of a few references: `app.pool._cache` says more than the local
/// variable of a library's thread that happens to hold the same.
/// What is reached by nothing and yet counted too often is a root of kind
/// `native`, which no capture gives.
pub fn forest(snapshot: &Snapshot, counts: &Refcounts, progress: &dyn Progress) -> Result<Forest, Cancelled> {
    let graph = &snapshot.graph;
    progress.phase("finding holders", graph.len() as u64);
    let mut search = Search {
        forest: Forest { parent: vec![NOWHERE; graph.len()], position: vec![0; graph.len()], ..Forest::default() },
        queue: Vec::with_capacity(graph.len()),
        taken: 0,
        guesses: Vec::new(),
    };
    let mut roots: Vec<&Root> = snapshot.roots.iter().filter(|r| r.node.index() < graph.len()).collect();
    roots.sort_by_key(|r| (rank(r.kind), r.node));
    let second = roots.partition_point(|r| rank(r.kind).0 == 0);
    let (first, second) = roots.split_at(second);
    let modules = first.partition_point(|r| r.kind == RootKind::Module);
    first[..modules].iter().for_each(|r| search.seed(**r));
    search.seed_dictionaries(snapshot);
    search.lead(graph);
    for tier in [&first[modules..], second] {
        tier.iter().for_each(|r| search.seed(**r));
        search.run(graph, progress)?;
    }
    for node in counts.excess.iter() {
        if search.forest.reaches(node) {
            continue;
        }
        let before = search.queue.len();
        let (kind, label) = (RootKind::Native, LabelId::NONE);
        search.seed(Root { node, kind, label });
        search.run(graph, progress)?;
        search.forest.native += (search.queue.len() - before) as u64;
    }
    search.forest.reached = search.queue.len() as u64;
    Ok(search.forest)
}

struct Search {
    forest: Forest,
    queue: Vec<u32>,
    /// How much of the queue is done.
    taken: usize,
    /// References that are guesses, kept back until nothing exact is left.
    guesses: Vec<u32>,
}

impl Search {
    fn seed(&mut self, root: Root) {
        if self.take(root.node, ROOT) {
            self.forest.roots.insert(root.node.0, root);
        }
    }

    fn take(&mut self, n: NodeId, by: u32) -> bool {
        let parent = &mut self.forest.parent[n.index()];
        if *parent != NOWHERE {
            return false;
        }
        *parent = by;
        self.forest.position[n.index()] = self.queue.len() as u32;
        self.queue.push(n.0);
        true
    }

    /// A module's dictionary counts as the module itself: else every frame that
    /// runs in it would seem to be nearer to its contents.
    fn seed_dictionaries(&mut self, snapshot: &Snapshot) {
        let Some(dict) = snapshot.labels.find("__dict__") else {
            return;
        };
        let graph = &snapshot.graph;
        for i in 0..self.queue.len() {
            let n = NodeId(self.queue[i]);
            for e in graph.edge_range(n) {
                let edge = graph.edge(e);
                let own = edge.kind == EdgeKind::Attr && edge.detail == Detail::Label(dict);
                if own && is_exact(graph.tags()[e]) {
                    self.take(edge.target, e as u32);
                }
            }
        }
    }

    /// Follows what modules hold for a few references, before anyone else begins.
    fn lead(&mut self, graph: &Graph) {
        for _ in 0..LEAD {
            for _ in self.taken..self.queue.len() {
                let n = self.queue[self.taken];
                self.taken += 1;
                self.follow(graph, n);
            }
        }
    }

    /// Takes what one object holds; keeps guesses back.
    fn follow(&mut self, graph: &Graph, n: u32) {
        let (targets, tags) = (graph.targets(), graph.tags());
        for e in graph.edge_range(NodeId(n)) {
            if !is_strong(tags[e]) || e >= ROOT as usize {
                continue;
            }
            if is_exact(tags[e]) {
                self.take(NodeId(targets[e]), e as u32);
            } else if !self.forest.reaches(NodeId(targets[e])) {
                self.guesses.push(e as u32);
            }
        }
    }

    /// Follows everything in the queue, guesses last.
    fn run(&mut self, graph: &Graph, progress: &dyn Progress) -> Result<(), Cancelled> {
        loop {
            while let Some(&n) = self.queue.get(self.taken) {
                if self.taken & 0xffff == 0 {
                    progress.check()?;
                    progress.done(self.taken as u64);
                }
                self.taken += 1;
                self.follow(graph, n);
            }
            let guesses = std::mem::take(&mut self.guesses);
            if guesses.is_empty() {
                return Ok(());
            }
            for e in guesses {
                self.take(NodeId(graph.targets()[e as usize]), e);
            }
        }
    }
}

/// The root and the numbers of the references from it down to the object, in
/// order; `None` when no root reaches it.
pub(crate) fn way_to(graph: &Graph, forest: &Forest, n: NodeId) -> Option<(Root, Vec<u32>)> {
    let mut edges = Vec::new();
    let mut at = n;
    loop {
        match forest.reached(graph, at) {
            Reached::No => return None,
            Reached::Root(root) => {
                edges.reverse();
                return Some((root, edges));
            }
            Reached::By(holder, e) => {
                edges.push(e as u32);
                at = holder;
            }
        }
    }
}
