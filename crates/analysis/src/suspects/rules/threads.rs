//! Rule `threads`: threads that do not end, or that nobody lets go.
//!
//! Sees: growth of `threading.Thread` objects (or of a class that inherits from it).
//!
//! Evidence: a running thread is kept by `threading._active`, an ended one by whoever listed it.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;
use crate::suspects::case::inherits;

/// The rule.
pub const RULE: Rule = Rule { name: "threads", find };

fn find(case: &Case) -> Option<Finding> {
    let running = case.has_label("_active") || case.has_label("_limbo");
    let thread = case.is_a("threading.Thread")
        || case.below().iter().any(|s| inherits(case.snapshot, s.type_id, "threading.Thread"));
    thread.then(|| Finding {
        at_most: Confidence::High,
        why: match running {
            true => format!("threads are started and do not end: {}", case.holder_text()),
            false => format!("threads stay listed after their work: {}", case.holder_text()),
        },
        advice: match running {
            true => {
                "Tell each thread to end (an Event, a sentinel in its queue, close() of its pool) and join it.".into()
            }
            false => "Join threads and take them off the list, or keep them in a weakref.WeakSet.".into(),
        },
    })
}
