//! Pairs the increments and decrements of one life of an object, kind by kind, and says
//! what is left over.  Each step is one pass over what is unpaired, in time's order: a
//! decrement takes the last increment before it that the step allows.

use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use undying_graph::{Change, PythonFrame};

use super::stack::Stack;
use super::{Entry, Hand, Life, Mistake, Part, Site, Verdict};

/// Changes of one call that are looked at together.
const MOST_IN_A_CALL: usize = 64;
/// Sites that are told.
const MOST_SITES: usize = 8;

/// What owns the reference that an increment made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owner {
    /// Native code: it made the object, took a reference, or was given one.
    Native,
    /// A container that native code put the object into.
    Container,
    /// The interpreter.
    Interpreter,
}

/// One reference taken or given up.
struct Unit {
    change: usize,
    taken: bool,
    birth: bool,
    hand: Hand,
    owner: Owner,
    release: bool,
    /// One call of native code by the interpreter; 0 where there is none.
    call: usize,
    /// Whether that call returned the object, where that is known.
    came_back: Option<bool>,
    /// The instruction in that call.
    address: u64,
    library: Arc<str>,
    partner: Option<usize>,
}

/// The references of one life.
pub(super) struct Pairing<'a> {
    changes: &'a [Change],
    stacks: &'a FxHashMap<usize, Arc<Stack>>,
    life: &'a Life,
    units: Vec<Unit>,
    /// Calls that returned a reference.
    returned: FxHashSet<usize>,
    /// The units of each call.
    by_call: FxHashMap<usize, Vec<usize>>,
}

impl<'a> Pairing<'a> {
    /// All that can be paired is.
    pub fn new(changes: &'a [Change], life: &'a Life, stacks: &'a FxHashMap<usize, Arc<Stack>>) -> Pairing<'a> {
        let (units, returned, by_call) = Default::default();
        let mut pairing = Pairing { changes, stacks, life, units, returned, by_call };
        pairing.units = pairing.units();
        for (i, unit) in pairing.units.iter().enumerate().filter(|u| u.1.call != 0) {
            pairing.by_call.entry(unit.call).or_default().push(i);
        }
        pairing.pair_all();
        pairing
    }

    fn units(&self) -> Vec<Unit> {
        let mut calls = Calls::default();
        let mut units = Vec::new();
        for &(change, part) in &self.life.parts {
            let Some(stack) = self.stacks.get(&change) else { continue };
            let call = calls.number(self.changes[change].thread, stack);
            let count = match part {
                Part::Birth | Part::Death => 1,
                Part::Taken | Part::GivenUp => self.changes[change].delta().unsigned_abs(),
                Part::Other => 0,
            };
            for _ in 0..count {
                let came_back = self.changes[change].returned;
                units.push(Unit { came_back, ..unit(change, part, stack, call) });
            }
        }
        units
    }

    fn pair_all(&mut self) {
        use Owner::{Container, Interpreter, Native};
        // inside one call of the interpreter by native code: its temporaries
        self.pair(within, within);
        // what a call of native code takes, it gives up
        self.pair(|u| owned(u, Native).then_some(u.call), |u| by_native(u).then_some(u.call));
        // what native code put into a container goes when that goes
        self.pair(|u| owned(u, Container).then_some(()), |u| u.release.then_some(()));
        self.pair(|u| owned(u, Interpreter).then_some(()), |u| by_interpreter(u).then_some(()));
        // functions of the interpreter without names may be containers
        self.pair(|u| owned(u, Container).then_some(()), |u| by_interpreter(u).then_some(()));
        self.pair_returned();
        // what native code kept between calls
        let kept: FxHashSet<usize> = self.returned.clone();
        let kept = |u: &Unit| owned(u, Native) && !kept.contains(&u.call);
        self.pair(|u| kept(u).then(|| u.library.clone()), |u| by_native(u).then(|| u.library.clone()));
        self.pair(|u| owned(u, Native).then(|| u.library.clone()), |u| by_native(u).then(|| u.library.clone()));
        self.pair(|u| owned(u, Native).then_some(()), |u| by_native(u).then_some(()));
        self.pair(|u| owned(u, Native).then_some(()), |u| by_interpreter(u).then_some(()));
        self.pair_replaced();
    }

    /// One pass: the last open reference of a key answers a decrement of that key.
    fn pair<K: Hash + Eq>(&mut self, open: impl Fn(&Unit) -> Option<K>, close: impl Fn(&Unit) -> Option<K>) {
        let mut waiting: FxHashMap<K, Vec<usize>> = FxHashMap::default();
        for i in 0..self.units.len() {
            let unit = &self.units[i];
            match (unit.partner, unit.taken) {
                (Some(_), _) => {}
                (None, true) => {
                    if let Some(key) = open(unit) {
                        waiting.entry(key).or_default().push(i);
                    }
                }
                (None, false) => {
                    let answer = close(unit).and_then(|key| waiting.get_mut(&key)?.pop());
                    self.join(answer, i);
                }
            }
        }
    }

    fn join(&mut self, taken: Option<usize>, given: usize) {
        if let Some(taken) = taken {
            self.units[taken].partner = Some(given);
            self.units[given].partner = Some(taken);
        }
    }

    /// A call returns one reference at most: the last one it took, unless it is known to
    /// have returned something else.  The interpreter gives that up.
    fn pair_returned(&mut self) {
        let mut last: FxHashMap<usize, usize> = FxHashMap::default();
        let may = |u: &Unit| u.taken && u.partner.is_none() && owned(u, Owner::Native) && u.came_back != Some(false);
        for (i, unit) in self.units.iter().enumerate().filter(|(_, u)| may(u)) {
            last.insert(unit.call, i);
        }
        let returned: FxHashSet<usize> = last.into_values().collect();
        let mut waiting = Vec::new();
        for i in 0..self.units.len() {
            if returned.contains(&i) {
                waiting.push(i);
            } else if self.units[i].partner.is_none() && by_interpreter(&self.units[i]) {
                let answer: Option<usize> = waiting.pop();
                self.returned.extend(answer.map(|a| self.units[a].call));
                self.join(answer, i);
            }
        }
    }

    /// Native code or a variable of Python that held the object before gave it up and took
    /// it again: the decrement comes first.
    fn pair_replaced(&mut self) {
        let key = |u: &Unit| match u.taken {
            true => {
                (u.owner == Owner::Native).then(|| u.library.clone()).or((u.owner != Owner::Native).then(|| "".into()))
            }
            false => by_native(u).then(|| u.library.clone()).or(by_interpreter(u).then(|| "".into())),
        };
        let mut waiting: FxHashMap<Arc<str>, Vec<usize>> = FxHashMap::default();
        for i in (0..self.units.len()).rev().filter(|&i| self.units[i].partner.is_none()).collect::<Vec<_>>() {
            let Some(key) = key(&self.units[i]) else { continue };
            if self.units[i].taken {
                waiting.entry(key).or_default().push(i);
            } else {
                let answer = waiting.get_mut(&key).and_then(Vec::pop);
                self.join(answer, i);
            }
        }
    }

    /// What is left over, and where.
    pub fn verdict(&self) -> Verdict {
        let net = self.units.iter().map(|u| if u.taken { 1 } else { -1 }).sum();
        let left = |taken: bool| move |u: &&Unit| u.partner.is_none() && u.taken == taken;
        let died = self.life.parts.iter().any(|p| p.1 == Part::Death);
        let mistake = match net {
            1.. => Some(Mistake::Kept),
            0 if died && self.units.iter().any(|u| left(false)(&u) && by_native(u)) => Some(Mistake::Released),
            0 => None,
            _ => Some(Mistake::Released),
        };
        let wanted = |u: &&Unit| mistake.is_some_and(|m| left(m == Mistake::Kept)(u));
        let accused: Vec<&Unit> = self.units.iter().filter(wanted).collect();
        let sites = self.sites(&accused);
        let python = if sites.is_empty() { self.python(&accused) } else { Vec::new() };
        let told: FxHashSet<usize> = sites.first().map_or_else(FxHashSet::default, |s| self.of_site(&accused, s));
        Verdict { mistake, net, sites, python, history: self.history(&told) }
    }

    /// The places of what is left over, the most suspicious first: calls that took more
    /// than they could return, then by number.
    fn sites(&self, left: &[&Unit]) -> Vec<Site> {
        let mut sites: Vec<(bool, Site)> = Vec::new();
        let mut known: FxHashMap<(u64, u64, bool), usize> = FxHashMap::default();
        for unit in left.iter().filter(|u| u.hand != Hand::Interpreter && u.owner != Owner::Interpreter) {
            let Some(site) = self.site(unit) else { continue };
            // it took more than it returned, or what it returned is known to be another thing
            let more = self.returned.contains(&unit.call) || unit.came_back == Some(false);
            let key = (site.frame.address, unit.address, unit.birth);
            let at = *known.entry(key).or_insert(sites.len());
            match sites.get_mut(at) {
                Some((m, s)) => (*m, s.count) = (*m || more, s.count + 1),
                None => sites.push((more, site)),
            }
        }
        // what native code put into a container is that container's, if there is another
        let keeps = |s: &Site| self.stacks.get(&s.change).is_some_and(|k| k.keeps) && !s.birth;
        sites.sort_by_key(|(more, s)| (!more, keeps(s), std::cmp::Reverse(s.count)));
        sites.into_iter().map(|s| s.1).take(MOST_SITES).collect()
    }

    fn site(&self, unit: &Unit) -> Option<Site> {
        let stack = self.stacks.get(&unit.change)?;
        let handed = unit.birth || unit.hand == Hand::ForNative;
        let own = self.common(unit, stack).or_else(|| stack.own(handed))?;
        Some(Site {
            frame: stack.inner_part(own)?.clone(),
            chain: stack.chain.clone(),
            through: stack.through.clone(),
            birth: unit.birth,
            python: self.changes[unit.change].python.first().cloned(),
            count: 1,
            change: unit.change,
        })
    }

    /// Where a reference was handed out by a function to its caller, and the caller did
    /// more with the object in the same call: the caller.
    fn common(&self, unit: &Unit, stack: &Stack) -> Option<usize> {
        if !unit.birth && unit.hand != Hand::ForNative {
            return None;
        }
        let near = self.by_call.get(&unit.call)?.iter().take(MOST_IN_A_CALL).map(|&i| &self.units[i]);
        let others = near.filter(|u| u.change != unit.change);
        let outer = others.filter_map(|u| {
            let other = self.stacks.get(&u.change)?;
            let own = other.chain.get(other.own(true)?)?;
            stack.chain.iter().rposition(|f| f.stack == own.stack && f.function == own.function)
        });
        outer.max()
    }

    /// The changes among those left over that belong to a site.
    fn of_site(&self, left: &[&Unit], site: &Site) -> FxHashSet<usize> {
        let like =
            |u: &&&Unit| self.site(u).is_some_and(|s| s.frame.address == site.frame.address && s.birth == site.birth);
        left.iter().filter(like).map(|u| u.change).collect()
    }

    fn python(&self, left: &[&Unit]) -> Vec<(PythonFrame, usize)> {
        let mut lines: FxHashMap<PythonFrame, usize> = FxHashMap::default();
        for unit in left {
            if let Some(frame) = self.changes[unit.change].python.first() {
                *lines.entry(frame.clone()).or_default() += 1;
            }
        }
        let mut lines: Vec<_> = lines.into_iter().collect();
        lines.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| (&a.0.file, a.0.line).cmp(&(&b.0.file, b.0.line))));
        lines.truncate(MOST_SITES);
        lines
    }

    fn history(&self, accused: &FxHashSet<usize>) -> Vec<Entry> {
        let mut answers: FxHashMap<usize, usize> = FxHashMap::default();
        for unit in &self.units {
            if let Some(partner) = unit.partner {
                answers.insert(unit.change, self.units[partner].change);
            }
        }
        let entry = |&(change, part): &(usize, Part)| Entry {
            change,
            part,
            hand: self.stacks.get(&change).map_or(Hand::Interpreter, |s| s.hand),
            answer: answers.get(&change).copied(),
            accused: accused.contains(&change),
        };
        self.life.parts.iter().map(entry).collect()
    }
}

fn unit(change: usize, part: Part, stack: &Stack, call: usize) -> Unit {
    let owner = match (stack.hand, part) {
        (Hand::Interpreter, _) => Owner::Interpreter,
        (Hand::ForNative, p) if stack.keeps && p != Part::Birth => Owner::Container,
        _ => Owner::Native,
    };
    Unit {
        change,
        taken: matches!(part, Part::Birth | Part::Taken),
        birth: part == Part::Birth,
        hand: stack.hand,
        owner,
        release: stack.release,
        call,
        came_back: None,
        address: stack.address(),
        library: stack.entry().map_or_else(|| "".into(), |e| e.library.clone()),
        partner: None,
    }
}

fn owned(unit: &Unit, owner: Owner) -> bool {
    unit.owner == owner
}

fn by_native(unit: &Unit) -> bool {
    !unit.taken && unit.hand == Hand::Native
}

fn by_interpreter(unit: &Unit) -> bool {
    !unit.taken && unit.hand != Hand::Native
}

/// One call of the interpreter by native code.
fn within(unit: &Unit) -> Option<(usize, u64)> {
    (unit.hand == Hand::ForNative && !unit.release).then_some((unit.call, unit.address))
}

/// Tells calls of native code apart, of which only the changes are seen: a call is another
/// one when the evaluation that made it ran in between, or when it is at an instruction
/// that it was at before.
#[derive(Default)]
struct Calls {
    last: usize,
    open: FxHashMap<Entered, (usize, FxHashSet<(u64, bool)>)>,
}

/// The function that the interpreter called: its thread, frame and name.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Entered {
    thread: i32,
    stack: u64,
    function: Option<Arc<str>>,
}

impl Calls {
    fn number(&mut self, thread: i32, stack: &Stack) -> usize {
        let Some(entry) = stack.entry() else {
            // the evaluation runs: what it had called is over
            let inner = |e: &Entered| e.thread == thread && e.stack <= stack.evaluation;
            self.open.retain(|e, _| !inner(e));
            return 0;
        };
        let place = (stack.address(), stack.hand == Hand::Native);
        let entered = Entered { thread, stack: entry.stack, function: entry.function.clone() };
        let (number, places) = self.open.entry(entered).or_default();
        if *number == 0 || !places.insert(place) {
            self.last += 1;
            *number = self.last;
            *places = FxHashSet::from_iter([place]);
        }
        *number
    }
}
