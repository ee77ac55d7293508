//! Rule `uncollectable-del`: objects that the collector put aside because it could not,
//! or was told not to, free them.
//!
//! Sees: growth of `gc.garbage`.
//!
//! Evidence: nothing leaves that list by itself.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "uncollectable-del", find };

fn find(case: &Case) -> Option<Finding> {
    (case.has_label("gc.garbage") || case.holder_text().starts_with("gc.garbage")).then(|| Finding {
        at_most: Confidence::High,
        why: "the collector puts them into gc.garbage, where they stay".into(),
        advice: "Break the cycle by hand (close() that sets the link to None, or a weak reference), use \
                 weakref.finalize instead of __del__, and switch gc.set_debug(gc.DEBUG_SAVEALL) off."
            .into(),
    })
}
