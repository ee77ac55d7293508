//! Why something is alive though no object of the heap holds it.

use crate::edge::named_enum;
use crate::{LabelId, NodeId};

named_enum! {
    /// What kind of holder a root is.
    RootKind {
        /// A module in `sys.modules`; the label is its name.
        Module = "module",
        /// A local, cell or temporary of a running frame that is no object itself
        /// (3.11+), or the frame object of a running frame (up to 3.10).
        /// Label: `thread · function (file:line) · local x`.
        Frame = "frame",
        /// Something a thread state holds (exception being handled, context, trace function…).
        Thread = "thread",
        /// A static type or another object in a mapped file's data.
        Static = "static",
        /// A word of a thread's C stack.
        Stack = "stack",
        /// Held only as an interned string.
        Interned = "interned",
        /// Held by the interpreter state (`sys.modules`, builtins, codecs…).
        Interpreter = "interpreter",
        /// `atexit` callbacks.
        Atexit = "atexit",
        /// `os.register_at_fork` callbacks.
        Fork = "fork",
        /// Immortal: nothing can free it.
        Immortal = "immortal",
        /// Its refcount is higher than the references found: native code holds
        /// it, or lost a reference.  Added by analysis, not by capture.
        Native = "native",
    }
}

/// One reference from outside the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Root {
    /// What it holds.
    pub node: NodeId,
    /// What kind of holder.
    pub kind: RootKind,
    /// Its name, [`LabelId::NONE`] where there is none.
    pub label: LabelId,
}
