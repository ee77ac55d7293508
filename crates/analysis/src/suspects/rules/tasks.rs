//! Rule `tasks`: asyncio tasks and futures that never end.
//!
//! Sees: growth of tasks, futures, coroutines or their frames.
//!
//! Evidence: a pending task is kept by what it waits for; a done future by whoever queued it.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "tasks", find };

const WAITING: &[&str] = &["_asyncio.Task", "_asyncio.Future", "asyncio.tasks.Task", "asyncio.futures.Future"];

fn find(case: &Case) -> Option<Finding> {
    let waits = WAITING.iter().any(|c| case.is_a(c)) || case.grown.class.name == "coroutine" || case.passes(WAITING);
    waits.then(|| Finding {
        at_most: Confidence::High,
        why: format!("tasks or futures pile up: {}", case.holder_text()),
        advice:
            "Give what they wait for a time limit (asyncio.timeout, wait_for), cancel them when their reason is gone, \
                 and take done ones off the list (add_done_callback(tasks.discard))."
                .into(),
    })
}
