//! Pattern `own-container`: an object is an element of its own list, dictionary
//! or set: `self.history = [..., self]`.

use super::View;

/// Two steps: into the object's container, and out of it to the object.
pub(super) fn recognise(view: &View) -> Option<usize> {
    if view.steps.len() != 2 {
        return None;
    }
    view.find(|i| view.source_is_container(i) && !view.source_is_container((i + 1) % 2))
}

pub(super) const WHY: &str =
    "{held} is an element of a container that it owns itself, so its count never falls to zero.";
pub(super) const CURE: &str = "Leave {held} out of its own {holder}: put in a copy of what came before, or what is needed of it; if it must be there, a weakref.ref.";
