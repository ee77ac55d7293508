//! Rule `classes`: classes made while the program runs.
//!
//! Sees: growth of class objects.
//!
//! Evidence: a class costs kilobytes and is kept by a registry, by caches of its bases, or by its
//! own cycle.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "classes", find };

fn find(case: &Case) -> Option<Finding> {
    case.grown.class.classes.then(|| Finding {
        at_most: Confidence::High,
        why: format!("classes are made again and again and kept: {}", case.holder_text()),
        advice: "Make the class once, at import, or keep it by its parameters and use it again.".into(),
    })
}
