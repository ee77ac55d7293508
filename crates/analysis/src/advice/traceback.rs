//! Pattern `traceback`: an exception holds its traceback, the traceback the
//! frames, and a local of one of the frames leads back (`except E as e: self.e = e`
//! is one, `err = sys.exc_info()[2]` another).

use super::View;
use crate::StepKind;

/// A traceback on the way; what can be cut is the frame's local.
pub(super) fn recognise(view: &View) -> Option<usize> {
    view.find(|i| {
        view.source_type(i) == "traceback" || ["__traceback__", "tb_frame", "tb_next"].contains(&view.label(i))
    })?;
    let local = |i: usize| matches!(view.steps[i].kind, StepKind::Local | StepKind::Frame | StepKind::Cell);
    view.find_last(local).or_else(|| view.find(|i| view.label(i) == "__traceback__"))
}

pub(super) const WHY: &str = "An exception holds its traceback, a traceback its frames, and {edge} leads back: the frame and all its locals stay.";
pub(super) const CURE: &str = "Let go of {edge} when it is done with (`del` in a `finally`), or cut the traceback: traceback.clear_frames(tb), or keep the exception with_traceback(None).";
