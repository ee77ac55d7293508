//! How a session hangs in the interpreter: a hook that it calls before its first prompt, an
//! object in the place of `sys.ps1`, and the name `undying` in builtins.  All are of C: they
//! have no frame that a tracer of the program's or a traceback could show, and are no cycle
//! that waits for the collector.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The interpreter calls what has this name before the first prompt, after the program.
const HOOK: &str = "__interactivehook__";
/// Asks 3.13 for the prompt that asks for `sys.ps1` once a statement.
const BASIC: &str = "PYTHON_BASIC_REPL";

/// Begins a session at the first prompt; returns at once.
#[pyfunction]
pub fn session_begin(py: Python<'_>, colour: bool) -> PyResult<()> {
    let sys = py.import("sys")?;
    let before = sys.getattr(HOOK).ok().map(Bound::unbind);
    sys.setattr(HOOK, Hook { before, colour })
}

/// In place of `sys.__interactivehook__`.
#[pyclass(frozen, module = "undying._undying")]
struct Hook {
    before: Option<Py<PyAny>>,
    colour: bool,
}

#[pymethods]
impl Hook {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let sys = py.import("sys")?;
        match &self.before {
            Some(before) => sys.setattr(HOOK, before)?,
            None => sys.delattr(HOOK)?,
        }
        let environment = py.import("os")?.getattr("environ")?;
        let asked = environment.call_method1("get", (BASIC,))?.is_truthy()?;
        if !asked {
            environment.set_item(BASIC, "1")?;
        }
        let usual = sys.getattr("ps1").unwrap_or_else(|_| PyString::new(py, ">>> ").into_any()).unbind();
        let first = Mutex::new(!asked);
        sys.setattr("ps1", Prompt { usual, first })?;
        py.import("builtins")?.setattr("undying", Later {})?;
        super::begin(self.colour);
        // what it raises is the interpreter's to tell, and the session goes on
        self.before.as_ref().map_or(Ok(()), |before| before.call0(py).map(drop))
    }
}

/// In place of `sys.ps1`.
#[pyclass(frozen, module = "undying._undying")]
struct Prompt {
    usual: Py<PyAny>,
    /// The interpreter's choice of a prompt has yet to be taken out of the environment.
    first: Mutex<bool>,
}

#[pymethods]
impl Prompt {
    fn __str__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        if std::mem::take(&mut *self.first.lock().unwrap_or_else(PoisonError::into_inner)) {
            let environment = py.import("os")?.getattr("environ")?;
            environment.call_method1("pop", (BASIC, py.None()))?;
        }
        super::session_say(py);
        self.usual.bind(py).str()
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        self.usual.bind(py).repr()
    }
}

/// The package, which is imported when it is first used.
#[pyclass(frozen, module = "undying._undying")]
struct Later {}

fn package(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let package = py.import("undying")?.into_any();
    let builtins = py.import("builtins")?.dict();
    if is_later(&builtins) {
        builtins.set_item("undying", &package)?;
    }
    Ok(package)
}

/// Whether the program has not given the name to something else.
fn is_later(builtins: &Bound<'_, PyDict>) -> bool {
    builtins.get_item("undying").ok().flatten().is_some_and(|named| named.is_instance_of::<Later>())
}

#[pymethods]
impl Later {
    fn __getattribute__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        package(py)?.getattr(name)
    }

    fn __dir__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(package(py)?.dir()?.into_any())
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        package(py)?.repr()
    }
}
