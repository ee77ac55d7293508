//! Rule `chain`: a chain of objects that gets longer.
//!
//! Sees: one object that holds the next, and so on: no container grows.
//!
//! Evidence: equal steps in a row, more of the class in each snapshot.

use super::{Case, Finding, Rule};
use crate::naming;
use crate::suspects::Confidence;
use crate::suspects::evidence::NOISE;

/// The rule.
pub const RULE: Rule = Rule { name: "chain", find };

fn find(case: &Case) -> Option<Finding> {
    let above = case.above().iter().any(|s| s.times > 1 && s.kind.is_attribute());
    let linked = case.grown.entries_gained < NOISE && (case.grown.class.chained || above);
    linked.then(|| Finding {
        at_most: Confidence::High,
        why: format!(
            "a chain lengthens, each object holding the next: {}",
            naming::path_text(case.snapshot, &case.grown.steps)
        ),
        advice:
            "Cut the chain where the old part is done with: clear the link (parent, previous, __context__, next) or \
                 make it weak."
                .into(),
    })
}
