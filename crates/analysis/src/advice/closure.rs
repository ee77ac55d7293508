//! Pattern `closure`: a function captures a variable, and the variable's value
//! keeps the function: an inner function that calls itself, or a callback that
//! mentions the object it is stored on.

use super::View;
use crate::StepKind;

/// A captured variable on the way.
pub(super) fn recognise(view: &View) -> Option<usize> {
    let captured = view.find_last(|i| view.steps[i].kind == StepKind::Closure);
    captured.or_else(|| view.find_last(|i| view.steps[i].kind == StepKind::Cell))
}

pub(super) const WHY: &str = "The function captures `{name}`, and that leads back to the function.";
pub(super) const CURE: &str = "Do not capture `{name}`: pass it as an argument or a default, capture a weakref.ref of it, or make the inner function a function of the module.";
