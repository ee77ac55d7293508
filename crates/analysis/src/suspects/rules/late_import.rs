//! Rule `late-import`: modules imported between the snapshots, and what is in them.
//!
//! Sees: a way that passes a module object, or one from `sys.modules` to modules.
//!
//! Evidence: imports end; only modules that go on coming at a steady pace are a leak.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;
use crate::suspects::evidence::{Course, course};

/// The rule.
pub const RULE: Rule = Rule { name: "late-import", find };

fn find(case: &Case) -> Option<Finding> {
    let through = case.passes(&["module"]) || case.grown.class.name == "module";
    through.then(|| Finding {
        at_most: if course(case.history) == Course::Steady && case.grown.class.name == "module" {
            Confidence::High
        } else {
            Confidence::Low
        },
        why: format!("{} came with modules imported since", case.counted()),
        advice: "Nothing, unless modules are made again and again: give those one name, or drop them from \
                 sys.modules when they are done with."
            .into(),
    })
}
