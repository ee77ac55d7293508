//! The rules by which growth is explained: one file each, tried in order, the first
//! that knows the shape speaks.  A rule says what it is and how sure it can be at most;
//! how sure growth is at all is evidence.rs's.  No rule names a package.

mod callbacks;
mod chain;
mod class_attribute;
mod classes;
mod contextvars;
mod exit_hooks;
mod finalizers;
mod growing_container;
mod late_import;
mod loggers;
mod method_cache;
mod tasks;
mod threads;
mod traceback_locals;
mod unbounded_cache;
mod uncollectable_del;
mod weak_key;

use super::Confidence;
pub use super::case::Case;

/// A way to explain growth.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name: the page of docs/rules that explains it.
    pub name: &'static str,
    /// What it has to say, if it knows the shape.
    pub find: fn(&Case) -> Option<Finding>,
}

/// What a rule says.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// No surer than this, however steady the growth.
    pub at_most: Confidence,
    /// What it sees, half a sentence.
    pub why: String,
    /// The cure, a sentence.
    pub advice: String,
}

/// Every rule, the most special first.
pub const RULES: &[Rule] = &[
    late_import::RULE,
    exit_hooks::RULE,
    uncollectable_del::RULE,
    finalizers::RULE,
    loggers::RULE,
    threads::RULE,
    tasks::RULE,
    weak_key::RULE,
    contextvars::RULE,
    method_cache::RULE,
    unbounded_cache::RULE,
    traceback_locals::RULE,
    classes::RULE,
    callbacks::RULE,
    chain::RULE,
    class_attribute::RULE,
    growing_container::RULE,
];
