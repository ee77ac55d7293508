//! The one list of questions, and what each needs.  A question is a value that a
//! view can carry (a link is a question); an answer is numbers and ids.

use serde::{Deserialize, Serialize};
use undying_graph::{Cancelled, NodeId, Progress, Snapshot, Transpose};

use crate::histogram::first_of_name;
use crate::paths::{self, ChainLimits, Chains, Forest};
use crate::retainers::{self, Retainer, Retainers};
use crate::select::{Selected, select};
use crate::suspects::{self, Suspect};
use crate::{
    Born, Components, CycleLimits, Cycles, Dominators, Garbage, Histogram, Ledgers, LivesAnswer, Refcounts,
    ReferencesAnswer, StandsFor, Survival,
};
use crate::{components_within, cycles, ledgers};

/// By what `top` sorts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TopBy {
    /// Instances by class.
    #[default]
    Type,
    /// Objects by what would be freed if they went.
    Dominator,
}

/// A question to one heap.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "command")]
#[non_exhaustive]
pub enum Query {
    /// What stands out: suspects and the three ledgers.
    Report,
    /// Who keeps these alive.
    Why {
        /// A class's name (whole or its last parts) or an address.
        what: String,
    },
    /// Cycles by shape.
    Cycles,
    /// Births, deaths and the living by class and birthplace.
    Lives,
    /// Counts against references.
    Refs,
    /// The biggest.
    Top {
        /// By what.
        by: TopBy,
    },
}

/// What several questions need, computed once and kept by the caller.  What a
/// question does not need stays `None`.
#[derive(Clone, Debug, Default)]
pub struct Intermediates {
    /// Counts against references.
    pub refcounts: Option<Refcounts>,
    /// What only the collector can free.
    pub garbage: Option<Garbage>,
    /// Cyclic components of the garbage alone.
    pub knots: Option<Components>,
    /// Cyclic components of the whole heap.
    pub components: Option<Components>,
    /// Referrers.
    pub referrers: Option<Transpose>,
    /// The shortest ways from the roots.
    pub forest: Option<Forest>,
    /// Who dominates whom.
    pub dominators: Option<Dominators>,
    /// Where the caller asks only about what came since an earlier heap: who was in that.
    pub since: Option<Survival>,
}

/// The answer to `Report`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ReportAnswer {
    /// Ranked, the first to look at first.
    pub suspects: Vec<Suspect>,
    /// Where much of the heap hangs from one object, biggest first.
    pub retainers: Vec<Retainer>,
    /// Lives, references, bytes.
    pub ledgers: Ledgers,
}

/// The answer to `Why`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct WhyAnswer {
    /// What was meant.
    #[serde(skip)]
    pub selected: Selected,
    /// Who holds them.
    pub chains: Chains,
    /// Where they are garbage: the cycles that hold them.
    pub cycles: Cycles,
    /// Where they were made.
    #[serde(skip)]
    pub born: Born,
    /// What native things they stand for, where they do.
    #[serde(skip)]
    pub native: Vec<StandsFor>,
}

/// An answer, by question.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Answer {
    /// To `Report`.
    Report(Box<ReportAnswer>),
    /// To `Why`.
    Why(Box<WhyAnswer>),
    /// To `Cycles`.
    Cycles(Cycles),
    /// To `Lives`.
    Lives(LivesAnswer),
    /// To `Refs`.
    Refs(Box<ReferencesAnswer>),
    /// To `Top` by class.
    Top(Histogram),
    /// To `Top` by dominator.
    Retainers(Retainers),
}

/// Answers a question; computes the intermediates it needs and leaves them to
/// the caller for the next.
pub fn answer(
    snapshot: &Snapshot,
    query: &Query,
    kept: &mut Intermediates,
    progress: &dyn Progress,
) -> Result<Answer, Cancelled> {
    match query {
        Query::Top { by: TopBy::Type } => Ok(Answer::Top(crate::histogram(snapshot))),
        Query::Top { by: TopBy::Dominator } => retainers::all(snapshot, kept, progress).map(Answer::Retainers),
        Query::Report => report(snapshot, kept, progress).map(|a| Answer::Report(Box::new(a))),
        Query::Lives => {
            let counts = need(&mut kept.refcounts, || crate::refcounts(snapshot, progress))?;
            let dead = need(&mut kept.garbage, || crate::garbage(snapshot, counts, progress))?;
            Ok(Answer::Lives(crate::lives(snapshot, dead)))
        }
        Query::Refs => {
            let counts = need(&mut kept.refcounts, || crate::refcounts(snapshot, progress))?;
            let dead = need(&mut kept.garbage, || crate::garbage(snapshot, counts, progress))?;
            let forest = need(&mut kept.forest, || paths::forest(snapshot, counts, progress))?;
            let answer = crate::references(snapshot, counts, dead, forest, progress)?;
            Ok(Answer::Refs(Box::new(answer)))
        }
        Query::Cycles => all_cycles(snapshot, kept, progress).map(Answer::Cycles),
        Query::Why { what } => why(snapshot, what, kept, progress).map(|a| Answer::Why(Box::new(a))),
    }
}

/// What is in the slot, computed if nothing is.
pub(crate) fn need<T>(slot: &mut Option<T>, make: impl FnOnce() -> Result<T, Cancelled>) -> Result<&T, Cancelled> {
    let made = match slot.take() {
        Some(made) => made,
        None => make()?,
    };
    Ok(slot.insert(made))
}

fn report(snapshot: &Snapshot, kept: &mut Intermediates, progress: &dyn Progress) -> Result<ReportAnswer, Cancelled> {
    let counts = need(&mut kept.refcounts, || crate::refcounts(snapshot, progress))?;
    let dead = need(&mut kept.garbage, || crate::garbage(snapshot, counts, progress))?;
    let knots = need(&mut kept.knots, || components_within(snapshot, &dead.dead, progress))?;
    let cycles = cycles(snapshot, dead, knots, None, CycleLimits::default(), progress)?;
    let histogram = crate::histogram(snapshot);
    let mut found = suspects::garbage::find(snapshot, counts, &cycles, histogram.shallow_bytes);
    let ledgers = ledgers(snapshot, &histogram, counts, dead);
    if suspects::ownership::possible(snapshot) {
        let forest = need(&mut kept.forest, || paths::forest(snapshot, counts, progress))?;
        found.extend(suspects::ownership::find(snapshot, None, forest, progress)?);
    }
    let stuck = crate::references::uncollectable(snapshot, counts, dead, kept.forest.as_ref(), progress)?;
    // a process that looks at itself does not see what its own stack holds
    if snapshot.facts.stacks && (counts.totals.excess + counts.totals.deficit > 0 || !stuck.is_empty()) {
        let forest = need(&mut kept.forest, || paths::forest(snapshot, counts, progress))?;
        let lost = suspects::references::find(snapshot, counts, &stuck, forest);
        // what one heap cannot tell from an import's left-overs is for `refs`
        found.extend(lost.into_iter().filter(|s| s.confidence <= suspects::Confidence::Medium));
    }
    let retainers = retainers::notable(snapshot, kept, histogram.shallow_bytes, progress)?;
    found.extend(suspects::retained::find(snapshot, &retainers, histogram.shallow_bytes));
    let suspects = suspects::rank(found);
    Ok(ReportAnswer { suspects, retainers, ledgers })
}

fn all_cycles(snapshot: &Snapshot, kept: &mut Intermediates, progress: &dyn Progress) -> Result<Cycles, Cancelled> {
    let counts = need(&mut kept.refcounts, || crate::refcounts(snapshot, progress))?;
    let dead = need(&mut kept.garbage, || crate::garbage(snapshot, counts, progress))?;
    let knots = need(&mut kept.knots, || components_within(snapshot, &dead.dead, progress))?;
    let all = need(&mut kept.components, || crate::components(snapshot, progress))?;
    cycles(snapshot, dead, knots, Some(all), CycleLimits::default(), progress)
}

fn why(
    snapshot: &Snapshot,
    what: &str,
    kept: &mut Intermediates,
    progress: &dyn Progress,
) -> Result<WhyAnswer, Cancelled> {
    let selected = select(snapshot, what);
    let targets = match &selected {
        Selected::Object(n) => vec![*n],
        Selected::Instances(_, nodes) => nodes.clone(),
        Selected::Nothing(_) => Vec::new(),
    };
    let targets: Vec<NodeId> = match &kept.since {
        Some(since) => targets.into_iter().filter(|&n| since.is_new(n)).collect(),
        None => targets,
    };
    let counts = need(&mut kept.refcounts, || crate::refcounts(snapshot, progress))?;
    let dead = need(&mut kept.garbage, || crate::garbage(snapshot, counts, progress))?;
    let forest = need(&mut kept.forest, || paths::forest(snapshot, counts, progress))?;
    progress.phase("finding referrers", 0);
    let referrers = need(&mut kept.referrers, || Ok(snapshot.graph.transpose()))?;
    let limits = ChainLimits::default();
    let chains = paths::chains(snapshot, forest, Some(referrers), dead, &targets, limits, progress)?;
    let cycles = match chains.garbage {
        0 => Cycles::default(),
        _ => {
            let knots = need(&mut kept.knots, || components_within(snapshot, &dead.dead, progress))?;
            let limits = CycleLimits::default();
            let all = cycles(snapshot, dead, knots, None, limits, progress)?;
            let first = first_of_name(snapshot);
            let class = |n: &NodeId| first.get(snapshot.graph.type_id(*n).index()).copied();
            all.with_types(&targets.iter().filter_map(class).collect())
        }
    };
    let native = crate::stands_for(snapshot, &targets);
    let born = Born::of(snapshot, targets);
    Ok(WhyAnswer { selected, chains, cycles, born, native })
}
