//! Rule `contextvars`: contexts or context variables that pile up.
//!
//! Sees: growth under a `contextvars` context.
//!
//! Evidence: a context that is copied into the next one carries all that was ever set.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "contextvars", find };

const CONTEXT: &[&str] = &[
    "Context",
    "ContextVar",
    "hamt",
    "hamt_bitmap_node",
    "hamt_array_node",
    "hamt_collision_node",
    "_contextvars.Context",
    "_contextvars.ContextVar",
];

fn find(case: &Case) -> Option<Finding> {
    (case.is_under(CONTEXT) || case.passes(CONTEXT)).then(|| Finding {
        at_most: Confidence::High,
        why: format!("what was set in a context stays there: {}", case.holder_text()),
        advice:
            "Reset the variable (token = var.set(…); var.reset(token)), make ContextVars at module level only, and \
                 start each job in contextvars.copy_context() of a clean one."
                .into(),
    })
}
