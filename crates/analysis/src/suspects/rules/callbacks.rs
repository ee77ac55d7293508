//! Rule `callbacks`: callbacks, bound methods and closures that are never unregistered.
//!
//! Sees: a way from the holder through a bound method, a closure, or a partial.
//!
//! Evidence: the callback keeps its object (`__self__`) or the variables it closes over.

use super::{Case, Finding, Rule};
use crate::StepKind;
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "callbacks", find };

fn find(case: &Case) -> Option<Finding> {
    let called = case.passes(&["method", "functools.partial", "cell"])
        || case.below().iter().any(|s| matches!(s.kind, StepKind::Closure | StepKind::Cell))
        || matches!(case.grown.class.name.as_str(), "method" | "function" | "functools.partial");
    called.then(|| Finding {
        at_most: Confidence::High,
        why: format!("callbacks are registered and never taken off: {}", case.holder_text()),
        advice:
            "Unregister the callback when its object is done with, or register it weakly (weakref.WeakMethod for a \
                 bound method)."
                .into(),
    })
}
