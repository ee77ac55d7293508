//! The extension module `undying._undying`: heaps as Python objects, and questions to
//! them.  It holds no algorithm and no layout; python/undying gives answers their form.
//!
//! What is asked of one's own process is done by functions of this module, which have
//! no frame and keep their parts out of the heap that is looked at.

mod arm;
mod error;
mod html;
mod interrupts;
mod keeping;
mod own;
mod refs;
mod session;
mod snapshot;
mod told;
mod trace;
mod wanted;

use pyo3::prelude::*;

#[pymodule]
mod _undying {
    use std::path::PathBuf;

    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::arm::{arm_begin, arm_end, arm_memory, arm_now, arm_resident, arm_starved};
    #[pymodule_export]
    use crate::error::Error;
    #[pymodule_export]
    use crate::session::{session_begin, session_say};
    #[pymodule_export]
    use crate::snapshot::Snapshot;
    #[pymodule_export]
    use crate::told::Told;
    #[pymodule_export]
    use crate::trace::{
        trace_alive, trace_born, trace_checkpoint, trace_lives, trace_stack, trace_start, trace_state, trace_stop,
    };
    #[pymodule_export]
    use crate::wanted::Where;

    use crate::wanted;

    /// This version.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = undying_cli::VERSION;

    /// The heap of this process as it is now, or of another one.
    #[pyfunction]
    #[pyo3(signature = (pid=None))]
    fn snapshot(py: Python<'_>, pid: Option<i32>) -> PyResult<Snapshot> {
        match pid {
            Some(pid) if u32::try_from(pid) != Ok(std::process::id()) => Snapshot::of_other(py, pid),
            _ => Snapshot::of_itself(py),
        }
    }

    /// The reference cycles of this process, now, by shape.
    #[pyfunction]
    #[pyo3(signature = (*, limit=20))]
    fn cycles(py: Python<'_>, limit: usize) -> PyResult<Bound<'_, PyAny>> {
        Snapshot::of_itself(py)?.cycles(py, limit)
    }

    /// Births and deaths of this process until now, by class and birthplace.
    #[pyfunction]
    #[pyo3(signature = (*, limit=20))]
    fn lives(py: Python<'_>, limit: usize) -> PyResult<Bound<'_, PyAny>> {
        Snapshot::of_itself(py)?.lives(py, limit)
    }

    /// A snapshot that was saved.
    #[pyfunction]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Snapshot> {
        Snapshot::read(py, path)
    }

    /// What to ask about, without holding it.
    #[pyfunction]
    fn locate(what: &Bound<'_, PyAny>) -> PyResult<Where> {
        wanted::locate(what)
    }
}
