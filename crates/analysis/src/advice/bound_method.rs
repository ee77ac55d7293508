//! Pattern `bound-method`: a bound method holds its object, and the object (or
//! what it owns) keeps the method: `self.callback = self.on_event`.

use super::View;

/// A method on the way; what can be cut is the reference that keeps it.
pub(super) fn recognise(view: &View) -> Option<usize> {
    let method = |name: &str| matches!(name, "method" | "builtin_function_or_method" | "method-wrapper");
    view.find(|i| method(view.target_type(i)) && view.label((i + 1) % view.steps.len()) == "__self__")
}

pub(super) const WHY: &str = "A bound method holds its object, and {edge} keeps that method.";
pub(super) const CURE: &str =
    "Keep weakref.WeakMethod(…) in {edge}, or the function's name, and look the method up when it is called.";
