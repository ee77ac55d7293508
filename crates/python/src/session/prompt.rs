//! How a session hangs in the interpreter: a hook that it calls before its first prompt, an
//! object in the place of `sys.ps1`, and the name `undying` in builtins.  Hook and prompt are
//! of C: they have no frame that a tracer of the program's or a traceback could show, and are
//! no cycle that waits for the collector.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The interpreter calls what has this name before the first prompt, after the program.
const HOOK: &str = "__interactivehook__";
/// Of the package.
const NAME: &str = "undying";
/// Asks 3.13 for the prompt that asks for `sys.ps1` once a statement.
const BASIC: &str = "PYTHON_BASIC_REPL";

/// Begins a session at the first prompt; returns at once.  To be called before the program,
/// and before births are recorded.
#[pyfunction]
pub fn session_begin(py: Python<'_>, colour: bool) -> PyResult<()> {
    let sys = py.import("sys")?;
    let before = sys.getattr(HOOK).ok().map(Bound::unbind);
    let package = package(py)?;
    sys.setattr(HOOK, Hook { before, colour, package })
}

/// The package, loaded now: to load it at the prompt would wake the collector, and what
/// there is to show would be gone.  The program finds it under no name.
fn package(py: Python<'_>) -> PyResult<Package> {
    py.import("undying._answers")?;
    py.import("gc")?.call_method0("collect")?;
    let modules = modules(py)?;
    let ours = modules.iter().filter_map(|(name, module)| {
        let name: String = name.extract().ok()?;
        (name == NAME || name.starts_with("undying.")).then(|| (name, module.unbind()))
    });
    let ours: Package = ours.collect();
    ours.iter().try_for_each(|(name, _)| modules.del_item(name))?;
    Ok(ours)
}

fn modules(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    Ok(py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?)
}

/// Modules by their names.
type Package = Vec<(String, Py<PyAny>)>;

/// In place of `sys.__interactivehook__`.
#[pyclass(frozen, module = "undying._undying")]
struct Hook {
    before: Option<Py<PyAny>>,
    colour: bool,
    package: Package,
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
        self.name_package(py)?;
        super::begin(self.colour);
        // what it raises is the interpreter's to tell, and the session goes on
        self.before.as_ref().map_or(Ok(()), |before| before.call0(py).map(drop))
    }
}

impl Hook {
    /// A module of the program's that has the name keeps it, but for the builtin.
    fn name_package(&self, py: Python<'_>) -> PyResult<()> {
        let modules = modules(py)?;
        let is_free = !modules.contains(NAME)?;
        for (name, module) in &self.package {
            if is_free {
                modules.set_item(name, module)?;
            }
            if name == NAME {
                py.import("builtins")?.setattr(NAME, module)?;
            }
        }
        Ok(())
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
