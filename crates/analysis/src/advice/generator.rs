//! Pattern `generator`: a generator or coroutine is suspended in a frame whose
//! own local leads back to it.

use super::View;
use crate::StepKind;

/// A generator on the way, or a frame that is held without a traceback, and a local.
pub(super) fn recognise(view: &View) -> Option<usize> {
    let suspended = |name: &str| matches!(name, "generator" | "coroutine" | "async_generator" | "frame");
    view.find(|i| suspended(view.source_type(i)))?;
    view.find_last(|i| {
        matches!(view.steps[i].kind, StepKind::Local | StepKind::Frame) && suspended(view.source_type(i))
    })
}

pub(super) const WHY: &str =
    "The frame is suspended, so its locals live, and {edge} leads back to what holds the frame.";
pub(super) const CURE: &str = "Let the local `{name}` go before the frame is suspended for good (del, or pass what is needed as an argument), or close() or cancel() it when it is no longer wanted.";
