//! Pattern `class`: every class is a cycle (its `__mro__`, its descriptors, its
//! methods lead back to it), so a class made again and again is never freed by
//! counts.

use super::View;

/// The most telling object is a class.
pub(super) fn recognise(view: &View) -> Option<usize> {
    view.source_is_class(0).then(|| view.find_last(|i| !view.source_is_class(i)).unwrap_or(0))
}

pub(super) const WHY: &str = "Every class holds itself (its __mro__, its descriptors), so a class that is made and dropped waits for the collector.";
pub(super) const CURE: &str =
    "Make the class once, outside the function or the loop, or keep what makes it behind a cache.";
