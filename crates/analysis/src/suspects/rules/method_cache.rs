//! Rule `method-cache`: `functools.lru_cache` on a method, whose keys hold the instance.
//!
//! Sees: growth under a `functools.lru_cache` wrapper that is an attribute of a class.
//!
//! Evidence: each call with a new `self` is a new key, which keeps the instance alive.

use super::{Case, Finding, Rule};
use crate::suspects::Confidence;
use undying_graph::{Flags, NodeId};

/// The rule.
pub const RULE: Rule = Rule { name: "method-cache", find };

fn find(case: &Case) -> Option<Finding> {
    if !case.is_under(&["functools._lru_cache_wrapper"]) {
        return None;
    }
    let graph = &case.snapshot.graph;
    let on_class = case
        .above()
        .windows(2)
        .any(|w| graph.flags(w[0].node).has(Flags::CLASS) && case.class_of(&w[1]) == "functools._lru_cache_wrapper");
    on_class.then(|| Finding {
        at_most: if bounded(case) { Confidence::Low } else { Confidence::High },
        why: format!("the cache of a method has self in its keys and keeps each instance: {}", case.holder_text()),
        advice: "Cache on the instance (functools.cached_property, or a cache made in __init__), or cache a function \
                 of the values that matter instead of the method."
            .into(),
    })
}

/// Entries of a cache that are looked at.
const LOOKED_AT: usize = 8;

/// A cache with a `maxsize` links its entries (`_lru_list_elem`, Modules/_functoolsmodule.c).
pub(super) fn bounded(case: &Case) -> bool {
    let graph = &case.snapshot.graph;
    let is_link = |n: NodeId| case.snapshot.type_name(n) == "functools._lru_list_elem";
    let wrapper = case.above().iter().find(|s| case.class_of(s) == "functools._lru_cache_wrapper");
    let held = wrapper.into_iter().flat_map(|s| graph.edges(s.node).map(|e| e.target));
    let tables = held.filter(|&n| case.snapshot.type_name(n) == "dict");
    let links = tables.flat_map(|n| graph.edges(n).take(LOOKED_AT)).any(|e| is_link(e.target));
    links || case.brings("functools._lru_list_elem")
}
