//! Rule `unbounded-cache`: `functools.lru_cache(maxsize=None)` or `functools.cache` over values
//! that keep coming.
//!
//! Sees: growth under a `functools.lru_cache` wrapper.
//!
//! Evidence: a cache with a bound links its entries and is told apart; one without grows with
//! each new argument.

use super::method_cache::bounded;
use super::{Case, Finding, Rule};
use crate::suspects::Confidence;

/// The rule.
pub const RULE: Rule = Rule { name: "unbounded-cache", find };

fn find(case: &Case) -> Option<Finding> {
    case.is_under(&["functools._lru_cache_wrapper"]).then(|| Finding {
        at_most: if bounded(case) { Confidence::Low } else { Confidence::High },
        why: match bounded(case) {
            true => format!("a cache with a bound that is not full yet: {}", case.holder_text()),
            false => {
                format!("a cache without a bound keeps an entry for each argument it ever saw: {}", case.holder_text())
            }
        },
        advice: "Give the cache a maxsize, or key it by something that repeats.".into(),
    })
}
