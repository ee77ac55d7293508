//! Rule `traceback-locals`: stored exceptions whose tracebacks hold frames and all their locals.
//!
//! Sees: a way that passes a traceback or the frame of a function that has ended.
//!
//! Evidence: an exception keeps its `__traceback__`, that each frame, that every local.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "traceback-locals", find };

fn find(case: &Case) -> Option<Finding> {
    case.passes(&["traceback", "frame"]).then(|| Finding {
        at_most: Confidence::High,
        why: format!(
            "stored exceptions or frames keep the locals of functions that have ended: {}",
            case.holder_text()
        ),
        advice: "Store traceback.format_exception's text or TracebackException, or drop exc.__traceback__ \
                 (exc.with_traceback(None)) before keeping it; del the frame or the exception at the end."
            .into(),
    })
}
