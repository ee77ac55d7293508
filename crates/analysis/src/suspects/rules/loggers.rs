//! Rule `loggers`: a logger with a new name each time.
//!
//! Sees: growth of `logging.Logger` objects (or of a class that inherits from it).
//!
//! Evidence: the logging module keeps every logger by its name for ever.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "loggers", find };

fn find(case: &Case) -> Option<Finding> {
    (case.is_a("logging.Logger") || case.brings("logging.Logger")).then(|| Finding {
        at_most: Confidence::High,
        why: format!("each new name makes a logger that logging keeps for ever: {}", case.holder_text()),
        advice: "Use one logger for the module and put what varies into the message or a LoggerAdapter.".into(),
    })
}
