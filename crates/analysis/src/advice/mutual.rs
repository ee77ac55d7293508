//! Pattern `mutual`: objects refer to each other by attributes and nothing tells
//! which of them owns the other.

use super::View;

/// Only named attributes all round: the first by name, but any would do.  The
/// cycle is then told from the object it leads to (`A —.b→ B —.a→ A`).
pub(super) fn recognise(view: &View) -> Option<usize> {
    let all = (0..view.steps.len()).all(|i| view.is_named_attribute(i));
    (0..view.steps.len()).filter(|_| all).min_by_key(|&i| view.label(i))
}

pub(super) const WHY: &str = "The objects hold each other by attributes; cutting any one is enough, {edge} or another.";
pub(super) const CURE: &str = "Decide who owns whom and make the other's reference weak, for one {edge}: `weakref.ref(…)`; or clear it when the work is done.";
