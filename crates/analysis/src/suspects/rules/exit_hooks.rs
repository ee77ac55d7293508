//! Rule `exit-hooks`: functions registered to run at exit or at a fork, again and again.
//!
//! Sees: growth under the interpreter's table of `atexit` callbacks or of fork hooks, which are C
//! tables that no Python container shows.
//!
//! Evidence: such a table has no bound and nothing leaves it before the end.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;
use undying_graph::RootKind;

/// The rule.
pub const RULE: Rule = Rule { name: "exit-hooks", find };

fn find(case: &Case) -> Option<Finding> {
    // up to 3.9 the table is the atexit module's
    let callback = ["atexit callback", "callback's arguments", "callback's keywords"].iter().any(|l| case.has_label(l));
    let (table, undo) = match case.root()? {
        _ if callback => ("atexit", "atexit.unregister it when the object is closed"),
        RootKind::Atexit => ("atexit", "atexit.unregister it when the object is closed"),
        RootKind::Fork => ("os.register_at_fork", "register one function at import, for there is no way back"),
        _ => return None,
    };
    Some(Finding {
        at_most: Confidence::High,
        why: format!("each use registers one more callback with {table}, which keeps it and all it refers to"),
        advice: format!("Register one module-level function once, with a weak set of what it has to close; or {undo}."),
    })
}
