//! Rule `class-attribute`: a container on a class, which all instances share and which only grows.
//!
//! Sees: growth of a container that is an attribute of a class.
//!
//! Evidence: it lives as long as the class, and nothing takes the entries out.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "class-attribute", find };

fn find(case: &Case) -> Option<Finding> {
    case.is_class_attribute().then(|| Finding {
        at_most: Confidence::High,
        why: format!("a container on a class only grows: {}", case.holder_text()),
        advice:
            "Take entries out when they are done with, key by something that repeats, give it a bound, or keep them \
                 in a weakref.WeakSet or WeakValueDictionary; a container meant for one instance belongs in __init__."
                .into(),
    })
}
