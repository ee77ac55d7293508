//! Pattern `self-reference`: an object refers to itself, `self.me = self`.

use super::View;
use crate::StepKind;

/// One step, and no code or class in it: those are other patterns.
pub(super) fn recognise(view: &View) -> Option<usize> {
    let alone = view.steps.len() == 1 && view.steps[0].times == 1;
    let plain = matches!(
        view.steps[0].kind,
        StepKind::Attr | StepKind::Slot | StepKind::Item | StepKind::Key | StepKind::AsKey
    );
    (alone && plain && !view.source_is_class(0)).then_some(0)
}

pub(super) const WHY: &str = "{edge} is the object itself, so its count never falls to zero.";
pub(super) const CURE: &str = "Drop {edge}: whoever can read it holds the object already; if an interface wants it, make it a property that returns self.";
