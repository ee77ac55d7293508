//! Questions to a heap: each analysis is a function from a [`Snapshot`]
//! (and intermediates that the caller keeps) to a plain answer of ids and
//! numbers.  This crate knows no target memory and no file; it prints nothing.
//!
//! [`Snapshot`]: undying_graph::Snapshot

mod advice;
mod born;
mod components;
mod cycles;
mod diff;
mod dominators;
mod garbage;
mod histogram;
mod ledgers;
mod lives;
mod nodeset;
mod query;
mod refcounts;
pub mod references;
mod retainers;
mod select;
mod step;
mod survival;
mod wrappers;

pub mod flight;
pub mod growth;
pub mod hunt;
pub mod naming;
pub mod paths;
pub mod render;
pub mod suspects;

pub use advice::{Advice, AdviceText, Pattern, advice_text};
pub use born::{Birthplace, Born};
pub use components::{Components, components, components_within};
pub use cycles::{Cycle, CycleLimits, CycleShape, CycleState, Cycles, cycles};
pub use diff::{DiffAnswer, History, Interval, diff};
pub use dominators::{Dominators, Freed, dominators};
pub use garbage::{Garbage, garbage};
pub use histogram::{Histogram, TypeCount, histogram};
pub use ledgers::{Bytes, Ledgers, LifeRow, Lives, References, ledgers};
pub use lives::{ClassLives, LifeCounts, LivesAnswer, PlaceLives, lives};
pub use nodeset::NodeSet;
pub use query::{Answer, Intermediates, Query, ReportAnswer, TopBy, WhyAnswer, answer};
pub use refcounts::{Balance, RefcountTotals, Refcounts, refcounts};
pub use references::{ReferencesAnswer, references};
pub use retainers::{ClassRetained, Most, Retainer, RetainerLimits, Retainers, accumulation_points, retained_by_class};
pub use select::{Selected, select};
pub use step::{Step, StepKey, StepKind, WellKnown};
pub use survival::{ClassChange, Survival, class_changes, survival};
pub use wrappers::{Proxies, StandsFor, WrapperTypeRow, module_file, stands_for, tool, wrappers};
