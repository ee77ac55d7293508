//! What grew between two heaps of one process: new objects, put to the account of the
//! old things that hold them, less what those held and lost.  Judges nothing (that is
//! for the rules in suspects/) and makes no text but class names and keys.

mod claims;
mod shapes;
mod sources;
mod telling;

use rustc_hash::FxHashMap;
use undying_graph::{Cancelled, Detail, EdgeKind, Flags, NodeId, Origin, Progress, RootKind, Snapshot};

use crate::paths::{Forest, Reached};
use crate::{Born, Step, Survival};
use claims::{Claims, Start, Tally};
pub use sources::Holder;
use sources::Side;
pub use telling::Gain;

/// A holder that gained so many references, or more, is told on its own; those that
/// gained fewer are told together when they are reached in the same words.
const OWN_ACCOUNT: i64 = 8;
/// Gains of so few objects are not told.
const FEWEST: i64 = 5;
/// So many objects that hang on each other are a chain.
const CHAIN: u64 = 8;
/// A way of more steps than this is not read by anyone.
const SAID: usize = 24;
/// A chain longer than this is told by its first link.
const LONGEST: u32 = 1_000_000;
/// So many gains are told.
const MOST: usize = 200;

/// One holder, or several that read the same, and what it gained.
#[derive(Clone, Debug)]
pub struct Grown {
    /// Who.
    pub holder: Holder,
    /// How many holders read the same.
    pub holders: u64,
    /// References the holder has now; `None` where it is a module's or an instance's
    /// attributes.
    pub entries: Option<u64>,
    /// References the holder has to new objects, less those it had to objects that went.
    pub entries_gained: i64,
    /// References the holder had in the earlier heap.
    pub entries_before: u64,
    /// Of them: to objects that went.
    pub entries_lost: u64,
    /// References the holder has now to new objects.
    pub entries_new: u64,
    /// Objects that came with it, less those that went.
    pub objects: i64,
    /// Their own sizes in bytes, likewise.
    pub bytes: i64,
    /// The class to name.
    pub class: Gain,
    /// The classes that came, most bytes first.
    pub classes: Vec<Gain>,
    /// From the root over the holder to one object of the class.
    pub steps: Vec<Step>,
    /// Which of the steps leads to the holder; 0 where it is no object.
    pub holder_step: usize,
    /// Where the new objects of the class to name were made.
    pub born: Born,
    /// What makes the holder the same as one of another interval.
    pub key: String,
    /// The words of the way to the holder, keys and positions left out.
    pub shape: String,
}

impl Grown {
    /// Takes in another holder that reads the same.
    pub fn join(&mut self, other: &Grown) {
        self.holders = self.holders.saturating_add(other.holders);
        self.entries = self.entries.zip(other.entries).map(|(a, b)| a.saturating_add(b));
        self.entries_gained += other.entries_gained;
        self.entries_before = self.entries_before.saturating_add(other.entries_before);
        self.entries_lost = self.entries_lost.saturating_add(other.entries_lost);
        self.entries_new = self.entries_new.saturating_add(other.entries_new);
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.born.join(&other.born);
        self.class.count += other.class.count;
        self.class.bytes += other.class.bytes;
        for class in &other.classes {
            match self.classes.iter_mut().find(|c| c.class == class.class) {
                Some(own) => (own.count, own.bytes) = (own.count + class.count, own.bytes + class.bytes),
                None => self.classes.push(class.clone()),
            }
        }
    }

    /// The object of the class that the steps lead to.
    pub fn example(&self) -> NodeId {
        NodeId(self.class.example)
    }
}

/// Numbers for class names that two heaps share.
struct Names {
    by_type: [Vec<u32>; 2],
    rows: Vec<(String, Origin)>,
}

impl Names {
    fn of(before: &Snapshot, after: &Snapshot) -> Names {
        let mut rows: Vec<(String, Origin)> = Vec::new();
        let mut number = |s: &Snapshot, known: &mut FxHashMap<String, u32>| -> Vec<u32> {
            let each = s.types.iter().map(|t| {
                let text = s.text(t.name);
                *known.entry(text.to_owned()).or_insert_with(|| {
                    rows.push((text.to_owned(), t.origin));
                    rows.len() as u32 - 1
                })
            });
            each.collect()
        };
        let mut all = FxHashMap::default();
        let later = number(after, &mut all);
        Names { by_type: [number(before, &mut all), later], rows }
    }

    fn of_node(&self, side: usize, s: &Snapshot, n: NodeId) -> u32 {
        self.by_type[side].get(s.graph.type_id(n).index()).copied().unwrap_or(0)
    }
}

/// One account.
#[derive(Clone, Copy)]
struct Account {
    /// The first of its holders.
    holder: Holder,
    /// How many share it.
    holders: u64,
    /// References to new objects less those to objects that went; all there were before;
    /// those to objects that went, and to new ones.
    net: i64,
    before: u64,
    lost: u64,
    new: u64,
}

/// The accounts: who claims, in which order, under which number.
struct Accounts {
    /// Holders in the order in which they claim, with their account.
    order: Vec<(NodeId, u32)>,
    rows: Vec<Account>,
    by_roots: FxHashMap<RootKind, u32>,
}

/// Finds what grew.  `alive` says which objects of the later heap count at all (not
/// pending garbage); the forest is the later heap's.  8 bytes an object of the later
/// heap and then of the earlier, and some 40 for each new object, while it runs.
pub fn growth(
    before: &Snapshot,
    after: &Snapshot,
    survival: &Survival,
    forest: &Forest,
    alive: impl Fn(NodeId) -> bool,
    progress: &dyn Progress,
) -> Result<Vec<Grown>, Cancelled> {
    progress.phase("finding what grew", 0);
    let fresh = sources::new_objects(after, survival, alive);
    let gone = sources::gone_objects(before, survival);
    let later = Side { snapshot: after, fresh: &fresh };
    let earlier = Side { snapshot: before, fresh: &gone };
    let gained = later.holders(progress)?;
    let mut lost = FxHashMap::default();
    for (n, count) in earlier.holders(progress)? {
        // one that counts as new is no holder, though its address was in use before
        if let Some(m) = survival.later(n).filter(|&m| !fresh.contains(m)) {
            lost.insert(m, count);
        }
    }
    let mut accounts = accounts((before, after), survival, forest, &gained, &lost);
    let names = Names::of(before, after);
    let claims = claim_new(&later, forest, &mut accounts);
    let new = claims.tallies(&later, |n| names.of_node(1, after, n));
    let old = claim_gone(&earlier, survival, &accounts).tallies(&earlier, |n| names.of_node(0, before, n));
    let rows = net(&names, after, &accounts, &new, &old);
    let mut born = births(after, &claims, |n| names.of_node(1, after, n));
    let told = rows.into_iter().filter_map(|(account, gains)| {
        let mut grown = describe(after, forest, &later, &claims, accounts.rows[account as usize], gains)?;
        grown.born = born.remove(&(account, grown.class.class)).unwrap_or_default();
        Some(grown)
    });
    let mut told: Vec<Grown> = alike(told.collect(), after);
    told.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.key.cmp(&b.key)));
    told.truncate(MOST);
    Ok(told)
}

/// Where what each account claims was made, by account and class; empty where nobody
/// recorded it.
fn births(after: &Snapshot, claims: &Claims, class: impl Fn(NodeId) -> u32) -> FxHashMap<(u32, u32), Born> {
    let mut born: FxHashMap<(u32, u32), Born> = FxHashMap::default();
    if after.births.is_some() {
        for (n, account) in claims.each() {
            born.entry((account, class(n))).or_default().add(after, n);
        }
    }
    born
}

/// Several holders with an account of their own that read the same but for keys and
/// positions, and gained the same class: told as one.
fn alike(told: Vec<Grown>, after: &Snapshot) -> Vec<Grown> {
    let mut groups: FxHashMap<(String, u32), Vec<Grown>> = FxHashMap::default();
    for mut grown in told {
        grown.shape = shapes::words(after, &grown);
        groups.entry((grown.shape.clone(), grown.class.class)).or_default().push(grown);
    }
    let join = |mut group: Vec<Grown>| {
        group.sort_by_key(|g| (std::cmp::Reverse(g.bytes), g.holder));
        let mut rest = group.into_iter();
        let mut one = rest.next()?;
        let mut joined = false;
        for other in rest {
            one.join(&other);
            joined = true;
        }
        if joined {
            shapes::blank(&mut one.steps, true, one.holder_step, false);
            one.key = one.shape.clone();
        }
        Some(one)
    };
    groups.into_values().filter_map(join).collect()
}

/// Whether the new things hang on the holder under many names.
fn names_differ(later: &Side, holder: Holder) -> bool {
    let Holder::Object(n) = holder else { return false };
    let graph = &later.snapshot.graph;
    let fresh = graph.edge_range(n).filter(|&e| later.leads_to_fresh(e)).map(|e| graph.edge(e).detail);
    let mut names: Vec<_> = fresh.filter_map(|d| if let Detail::Label(l) = d { Some(l) } else { None }).collect();
    names.sort_unstable();
    names.dedup();
    names.len() as i64 >= OWN_ACCOUNT
}

/// Who has an account of its own, who shares one.
fn accounts(
    (before, after): (&Snapshot, &Snapshot),
    survival: &Survival,
    forest: &Forest,
    gained: &FxHashMap<NodeId, u32>,
    lost: &FxHashMap<NodeId, u32>,
) -> Accounts {
    let net =
        |n: &NodeId| i64::from(gained.get(n).copied().unwrap_or(0)) - i64::from(lost.get(n).copied().unwrap_or(0));
    let mut holders: Vec<NodeId> =
        gained.keys().chain(lost.keys().filter(|n| !gained.contains_key(n))).copied().collect();
    holders.sort_by_cached_key(|n| (std::cmp::Reverse(net(n)), forest.position(*n), *n));
    let mut shapes = shapes::Shapes::new(after, forest);
    let mut shared: FxHashMap<shapes::Shape, u32> = FxHashMap::default();
    let mut accounts =
        Accounts { order: Vec::with_capacity(holders.len()), rows: Vec::new(), by_roots: FxHashMap::default() };
    for n in holders {
        let net = net(&n);
        let next = accounts.rows.len() as u32;
        let account = match net >= OWN_ACCOUNT {
            true => next,
            false => *shared.entry(shapes.of(n)).or_insert(next),
        };
        if account == next {
            accounts.rows.push(Account { holder: Holder::Object(n), holders: 0, net: 0, before: 0, lost: 0, new: 0 });
        }
        let row = &mut accounts.rows[account as usize];
        row.holders += 1;
        row.net += net;
        row.before += survival.earlier(n).map_or(0, |m| before.graph.edge_range(m).len() as u64);
        row.lost += u64::from(lost.get(&n).copied().unwrap_or(0));
        row.new += u64::from(gained.get(&n).copied().unwrap_or(0));
        accounts.order.push((n, account));
    }
    accounts
}

fn claim_new(later: &Side, forest: &Forest, accounts: &mut Accounts) -> Claims {
    let graph = &later.snapshot.graph;
    let mut claims = Claims::new(graph.len());
    claim_in_order(&mut claims, later, accounts.order.iter().copied(), accounts);
    let mut by_roots: FxHashMap<RootKind, Vec<NodeId>> = FxHashMap::default();
    for n in later.fresh.iter().filter(|&n| !claims.has(n)) {
        if let Reached::Root(root) = forest.reached(graph, n) {
            by_roots.entry(root.kind).or_default().push(n);
        }
    }
    let mut kinds: Vec<RootKind> = by_roots.keys().copied().collect();
    // tables that only grow before threads that are at work
    kinds.sort_unstable_by_key(|k| (!matches!(k, RootKind::Atexit | RootKind::Fork), *k));
    for kind in kinds {
        let nodes = by_roots.remove(&kind).unwrap_or_default();
        let account = accounts.rows.len() as u32;
        let (holder, net) = (Holder::Roots(kind), nodes.len() as i64);
        accounts.rows.push(Account { holder, holders: 1, net, before: 0, lost: 0, new: 0 });
        accounts.by_roots.insert(kind, account);
        claims.claim(later, &[(Start::Nodes(nodes), account)]);
    }
    claims
}

fn claim_gone(earlier: &Side, survival: &Survival, accounts: &Accounts) -> Claims {
    let mut claims = Claims::new(earlier.snapshot.graph.len());
    let was = accounts.order.iter().filter_map(|&(n, a)| Some((survival.earlier(n)?, a)));
    let was = was.filter(|(n, _)| !earlier.fresh.contains(*n));
    claim_in_order(&mut claims, earlier, was, accounts);
    let mut by_roots: FxHashMap<u32, Vec<NodeId>> = FxHashMap::default();
    for root in &earlier.snapshot.roots {
        let account = accounts.by_roots.get(&root.kind);
        if let Some(&account) = account.filter(|_| earlier.fresh.contains(root.node) && !claims.has(root.node)) {
            by_roots.entry(account).or_default().push(root.node);
        }
    }
    for (account, nodes) in by_roots {
        claims.claim(earlier, &[(Start::Nodes(nodes), account)]);
    }
    claims
}

/// Those with an account of their own one after the other, then the rest together.
fn claim_in_order(claims: &mut Claims, side: &Side, order: impl Iterator<Item = (NodeId, u32)>, accounts: &Accounts) {
    let mut rest = Vec::new();
    for (n, account) in order {
        let row = &accounts.rows[account as usize];
        if row.net >= OWN_ACCOUNT && row.holders == 1 {
            claims.claim(side, &[(Start::Object(n), account)]);
        } else {
            rest.push((Start::Object(n), account));
        }
    }
    claims.claim(side, &rest);
}

/// By account: what came less what went, where enough came.
fn net(
    names: &Names,
    after: &Snapshot,
    accounts: &Accounts,
    new: &FxHashMap<(u32, u32), Tally>,
    old: &FxHashMap<(u32, u32), Tally>,
) -> Vec<(u32, Vec<Gain>)> {
    let mut rows: FxHashMap<u32, Vec<Gain>> = FxHashMap::default();
    for (&(account, class), tally) in new {
        let before = old.get(&(account, class)).copied().unwrap_or_default();
        let (name, origin) = names.rows[class as usize].clone();
        let links = u64::from(tally.reach.saturating_sub(tally.depth));
        let chained = tally.count >= CHAIN && links * 2 >= tally.count;
        rows.entry(account).or_default().push(Gain {
            class,
            name,
            origin,
            count: tally.count as i64 - before.count as i64,
            bytes: tally.bytes as i64 - before.bytes as i64,
            through: tally.through,
            depth: tally.depth,
            example: if chained && tally.reach < LONGEST { tally.last } else { tally.example },
            chained,
            first: tally.example,
            classes: after.graph.flags(NodeId(tally.example)).has(Flags::CLASS),
        });
    }
    // what only went lessens what the account gained
    for (&(account, class), tally) in old.iter().filter(|(k, _)| !new.contains_key(k)) {
        if let Some(gains) = rows.get_mut(&account) {
            let (name, origin) = names.rows[class as usize].clone();
            let (count, bytes) = (-(tally.count as i64), -(tally.bytes as i64));
            let (through, depth, example, first, chained, classes) = (0, tally.depth, 0, 0, false, false);
            gains.push(Gain { class, name, origin, count, bytes, through, depth, example, first, chained, classes });
        }
    }
    let grew = |gains: &[Gain]| gains.iter().any(|g| g.count >= FEWEST);
    let mut rows: Vec<(u32, Vec<Gain>)> = rows.into_iter().filter(|(_, gains)| grew(gains)).collect();
    let bytes = |gains: &[Gain]| gains.iter().map(|g| g.bytes).sum::<i64>();
    rows.sort_unstable_by_key(|(account, gains)| (-bytes(gains), accounts.rows[*account as usize].holder));
    rows.truncate(MOST);
    for (_, gains) in &mut rows {
        gains.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    }
    rows
}

fn describe(
    after: &Snapshot,
    forest: &Forest,
    later: &Side,
    claims: &Claims,
    account: Account,
    gains: Vec<Gain>,
) -> Option<Grown> {
    let Account { holder, holders, net: entries_gained, before: entries_before, lost, new } = account;
    let class = telling::telling(&gains, entries_gained)?.clone();
    let graph = &after.graph;
    let way = |n: NodeId| shapes::steps(after, forest, holder, &claims.way_to(later, n), n);
    let way = match way(NodeId(class.example))? {
        // links of several steps do not fold: the first link says as much
        long if class.chained && long.steps.len() > SAID => way(NodeId(class.first))?,
        way => way,
    };
    let example = way.steps.last().map_or(class.example, |s| s.node.0);
    let class = Gain { example, ..class };
    let entries = match holder {
        Holder::Object(_) if way.space => None,
        // a dictionary's keys come with its values
        Holder::Object(n) => Some(graph.edges(n).filter(|e| e.is_strong() && e.kind != EdgeKind::Key).count() as u64),
        Holder::Roots(kind) => Some(after.roots.iter().filter(|r| r.kind == kind).count() as u64),
    };
    let (objects, bytes) = gains.iter().fold((0, 0), |(o, b), g| (o + g.count, b + g.bytes));
    let (key, shape) = (String::new(), String::new());
    let (mut steps, holder_step) = (way.steps, way.holder);
    shapes::blank(&mut steps, holders > 1, holder_step, way.space && names_differ(later, holder));
    let classes = gains;
    let mut grown = Grown {
        holder,
        holders,
        entries,
        entries_gained,
        entries_before,
        entries_lost: lost,
        entries_new: new,
        objects,
        bytes,
        class,
        classes,
        steps,
        holder_step,
        born: Born::default(),
        key,
        shape,
    };
    grown.key = shapes::key(after, &grown);
    Some(grown)
}
