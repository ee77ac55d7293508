//! Rule `growing-container`: a container that only grows.
//!
//! Sees: any list, dict, set or deque that an old object, a module or a running function holds.
//!
//! Evidence: entries come and none go.

use super::{Case, Finding, Rule};
use crate::growth::Holder;
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "growing-container", find };

fn find(case: &Case) -> Option<Finding> {
    let why = match (case.grown.holder, case.grown.holders) {
        (Holder::Roots(kind), _) => format!("held straight by the interpreter or native code ({})", kind.name()),
        (_, 1) => match case.grown.entries {
            Some(n) => format!("it only grows: {} has {n} entries", case.holder_text()),
            None => format!("more and more hangs on {}", case.holder_text()),
        },
        (_, n) => format!("{n} holders that read the same only grow: {}", case.holder_text()),
    };
    let advice = "Take entries out when they are done with, give it a bound (deque(maxlen=…), an LRU), or hold them \
                  weakly (weakref.WeakSet, WeakValueDictionary).";
    Some(Finding { at_most: Confidence::High, why, advice: advice.into() })
}
