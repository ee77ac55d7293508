//! Pattern `other`: a cycle that no other pattern knows.

use super::View;

/// An attribute is the cheapest to change, the last one; else the last step.
pub(super) fn recognise(view: &View) -> Option<usize> {
    let named = view.find_last(|i| view.is_named_attribute(i));
    named.or_else(|| view.steps.len().checked_sub(1))
}

pub(super) const WHY: &str =
    "Cutting any one reference of the cycle is enough; {edge} is the one that is easiest to change.";
pub(super) const CURE: &str = "Make {edge} weak (weakref.ref), or clear it when the work is done.";
