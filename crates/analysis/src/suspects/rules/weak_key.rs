//! Rule `weak-key`: a `WeakKeyDictionary` whose values hold their keys.
//!
//! Sees: growth of the table of a `weakref.WeakKeyDictionary`, while the keys live.
//!
//! Evidence: the value keeps the key, the key's life keeps the entry: the entry never goes.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "weak-key", find };

fn find(case: &Case) -> Option<Finding> {
    let weak = case.is_under(&["weakref.WeakKeyDictionary"]);
    weak.then(|| Finding {
        at_most: Confidence::High,
        why: format!(
            "entries of a WeakKeyDictionary stay although its keys are weak: a value holds its own key: {}",
            case.holder_text()
        ),
        advice: "Let the value refer to its key weakly (weakref.ref), or keep the value as an attribute of the key."
            .into(),
    })
}
