//! Rule `finalizers`: `weakref.finalize` objects that never fire.
//!
//! Sees: growth of the registry of `weakref.finalize`.
//!
//! Evidence: a finalizer leaves the registry when its object dies: it stays because the object
//! does, often because the callback or its arguments hold it.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "finalizers", find };

fn find(case: &Case) -> Option<Finding> {
    let finalize = case.is_a("weakref.finalize") || case.brings("weakref.finalize._Info");
    finalize.then(|| Finding {
        at_most: Confidence::High,
        why: format!(
            "finalizers pile up in the registry of weakref.finalize, so their objects do not die: {}",
            case.holder_text()
        ),
        advice: "Give the finalizer a function and arguments that do not refer to the object (no bound method of it), \
                 and one finalizer an object, not one a call."
            .into(),
    })
}
