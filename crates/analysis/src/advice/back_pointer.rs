//! Pattern `back-pointer`: a parent holds a child and the child its parent.  The
//! parent outlives its children, so the child's reference can be weak.

use super::View;

/// Names by which programs call the way back, without underscores around them.
const NAMES: &[&str] =
    &["parent", "owner", "back", "backref", "prev", "previous", "up", "outer", "container", "root", "master", "host"];

/// An attribute that is called a way back; else, when one of the objects holds
/// the other through a container, the attribute that leads back.
pub(super) fn recognise(view: &View) -> Option<usize> {
    let attribute = |i: usize| view.is_named_attribute(i) && !view.source_is_class(i);
    if view.steps.len() < 2 {
        return None;
    }
    view.find_last(|i| attribute(i) && is_back(view.label(i))).or_else(|| {
        let out_of_container = |i: usize| view.source_is_container((i + view.steps.len() - 1) % view.steps.len());
        let into_container = |i: usize| view.source_is_container((i + 1) % view.steps.len());
        let back = |i: usize| attribute(i) && out_of_container(i) && !into_container(i);
        view.find_last(back)
    })
}

fn is_back(label: &str) -> bool {
    let bare = label.trim_matches('_');
    NAMES.contains(&bare) || bare.rsplit_once('_').is_some_and(|(_, last)| NAMES.contains(&last))
}

pub(super) const WHY: &str =
    "{edge} leads back to what holds the {holder}: of the two, the one that is held need not hold.";
pub(super) const CURE: &str =
    "Make {edge} weak: `self.{name} = weakref.ref(…)`, read as `self.{name}()`, or weakref.proxy(…).";
