//! What one native stack says of a change: whether native code outside of the interpreter
//! had a hand in it, which of its functions, and through which of the interpreter's.
//! Frames beyond the innermost evaluation of Python code are not looked at.

use std::sync::Arc;

use undying_graph::NativeFrame;

use super::Hand;

/// Names of the function that evaluates Python code begin so (a part of it may be set
/// apart, with `.cold` behind).
const EVALUATION: &str = "_PyEval_EvalFrameDefault";
/// The interpreter's functions that do nothing but count, and are called for that.
const COUNTING: [&str; 12] = [
    "Py_IncRef",
    "Py_DecRef",
    "_Py_IncRef",
    "_Py_DecRef",
    "Py_NewRef",
    "Py_XNewRef",
    "_Py_NewRef",
    "_Py_XNewRef",
    "_Py_XINCREF",
    "_Py_XDECREF",
    "_Py_INCREF",
    "_Py_DECREF",
];
/// The interpreter's functions that keep a reference of their own to what they are given.
const KEEPING: [&str; 24] = [
    "PyList_Append",
    "PyList_Insert",
    "PyDict_SetItem",
    "PyDict_SetDefault",
    "_PyDict_SetItem",
    "PySet_Add",
    "PyTuple_Pack",
    "Py_BuildValue",
    "_Py_BuildValue",
    "Py_VaBuildValue",
    "_Py_VaBuildValue",
    "PyObject_SetAttr",
    "PyObject_GenericSetAttr",
    "PyObject_SetItem",
    "PySequence_SetItem",
    "PyMapping_SetItem",
    "PyModule_Add",
    "PyCell_",
    "PyErr_Set",
    "PyException_Set",
    "PyMethod_New",
    "PyCFunction_New",
    "PyCMethod_New",
    "PyWeakref_New",
];
/// Libraries that move memory and know no objects.
const SYSTEM: [&str; 5] = ["libc.so", "libc-", "libstdc++", "libgcc_s", "ld-linux"];

/// What is told by a stack.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    /// Whose change it is.
    pub hand: Hand,
    /// The interpreter's function that native code called, by name where it has one.
    pub through: Option<Arc<str>>,
    /// That function keeps what it takes.
    pub keeps: bool,
    /// A container or another owner gives up what it held.
    pub release: bool,
    /// Native frames outside of the interpreter, from the innermost to the one that the
    /// interpreter called, with those of the interpreter between them left out.
    pub chain: Vec<NativeFrame>,
    /// Where the evaluation's frame ends on the stack; 0 where none was seen.
    pub evaluation: u64,
}

impl Stack {
    /// Of these frames, innermost first.
    pub fn new(frames: &[NativeFrame]) -> Stack {
        let end = frames.iter().position(is_evaluation).unwrap_or(frames.len());
        let evaluation = frames.get(end).map_or(0, |f| f.stack);
        // what is laid into the evaluation is a part of it
        let inner: Vec<&NativeFrame> = frames[..end].iter().filter(|f| f.stack != evaluation).collect();
        // Python's own modules are taken for the interpreter where others called them
        let others = inner.iter().any(|f| is_foreign(f) && !is_standard(f));
        let is_foreign = |f: &NativeFrame| is_foreign(f) && !(others && is_standard(f));
        let first = inner.iter().position(|f| is_foreign(f));
        // the physical function that native code called
        let is_python = |f: &NativeFrame| f.interpreter || is_standard(f);
        let called = first.and_then(|n| inner[..n].iter().rev().find(|f| !f.inlined && is_python(f)));
        let through = called.and_then(|f| f.function.clone());
        let alone = first == Some(0) || called.is_none() || through.as_deref().is_some_and(|n| COUNTING.contains(&n));
        let hand = match first {
            None => Hand::Interpreter,
            Some(_) if alone => Hand::Native,
            Some(_) => Hand::ForNative,
        };
        let before = &inner[..first.unwrap_or(inner.len())];
        let begins = |n: &Arc<str>| KEEPING.iter().any(|k| n.starts_with(k));
        Stack {
            hand,
            keeps: hand == Hand::ForNative && through.as_ref().is_some_and(begins),
            release: hand != Hand::Native && before.iter().any(|f| f.function.as_deref().is_some_and(is_release)),
            through: through.filter(|_| hand == Hand::ForNative),
            chain: inner.into_iter().filter(|f| is_foreign(f)).cloned().collect(),
            evaluation,
        }
    }

    /// The function of native code that the interpreter called.
    pub fn entry(&self) -> Option<&NativeFrame> {
        self.chain.last()
    }

    /// The instruction of the innermost function of native code.
    pub fn address(&self) -> u64 {
        self.chain.first().map_or(0, |f| f.address)
    }

    /// The frame to look into, a number in the chain.  Headers of others that were laid
    /// into a function are not what its author can mend.  What was made for a function by
    /// another that was laid into it (`handed`) is that function's to give up.
    pub fn own(&self, handed: bool) -> Option<usize> {
        let is_own = |f: &&NativeFrame| f.file.as_deref().is_some_and(|p| !is_header(p));
        let first = self.chain.iter().position(|f| is_own(&f));
        let Some(first) = first else { return self.chain.iter().position(|f| !f.inlined) };
        let stack = self.chain[first].stack;
        let same = |f: &NativeFrame| f.stack == stack && is_own(&f);
        match handed {
            true => self.chain.iter().rposition(same),
            false => Some(first),
        }
    }

    /// The frame whose line it is: a part of a function that the compiler set apart goes by
    /// the name of the whole, which is laid into it.
    pub fn inner_part(&self, frame: usize) -> Option<&NativeFrame> {
        let whole = self.chain.get(frame)?;
        let alike = |f: &&NativeFrame| f.stack == whole.stack && f.function == whole.function;
        self.chain[..=frame].iter().rev().take_while(alike).last()
    }
}

fn is_evaluation(frame: &NativeFrame) -> bool {
    frame.interpreter && frame.function.as_deref().is_some_and(|n| n.starts_with(EVALUATION))
}

fn is_foreign(frame: &NativeFrame) -> bool {
    let name = frame.library.rsplit('/').next().unwrap_or("");
    !frame.interpreter && !name.is_empty() && !SYSTEM.iter().any(|s| name.starts_with(s))
}

/// An extension module of the standard library.
fn is_standard(frame: &NativeFrame) -> bool {
    frame.library.contains("/lib-dynload/")
}

/// Functions of owners that give up what they held: `list_dealloc`, `tupledealloc`,
/// `dict_clear`, `subtype_dealloc`, `free_keys_object`.
fn is_release(name: &str) -> bool {
    name.contains("dealloc") || name.ends_with("_clear") || name.starts_with("free_")
}

/// Source of a library that is compiled into whoever uses it.
fn is_header(path: &str) -> bool {
    let extension = path.rsplit('.').next().unwrap_or("");
    let header = matches!(extension, "h" | "hh" | "hpp" | "hxx" | "ipp" | "tcc" | "inl" | "inc") || !path.contains('.');
    let away = ["/include/", "/site-packages/", "/dist-packages/"].iter().any(|d| path.contains(d));
    header && (away || path.starts_with("/usr/"))
}
