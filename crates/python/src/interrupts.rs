//! Long work without the interpreter's lock, and Ctrl-C meanwhile: now and then the lock
//! is taken to let Python's signal handlers run.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use pyo3::{PyErr, PyResult, Python};
use undying_cli::Failure;
use undying_graph::Progress;

use crate::error::raised;

/// Between two looks at the signals.
const PATIENCE: Duration = Duration::from_millis(50);

/// Stops the work when a signal handler raised.
#[derive(Default)]
pub struct Interrupts {
    asked: Cell<Option<Instant>>,
    raised: RefCell<Option<PyErr>>,
}

impl Progress for Interrupts {
    fn phase(&self, _name: &str, _total: u64) {}

    fn done(&self, _steps: u64) {}

    fn cancelled(&self) -> bool {
        if self.raised.borrow().is_some() {
            return true;
        }
        let now = Instant::now();
        let last = self.asked.replace(Some(now)).unwrap_or(now);
        if now.duration_since(last) < PATIENCE {
            self.asked.set(Some(last));
            return false;
        }
        let error = Python::try_attach(|py| py.check_signals().err()).flatten();
        let stop = error.is_some();
        *self.raised.borrow_mut() = error;
        stop
    }
}

/// Does the work without the lock.  An exception of a signal handler goes before what
/// the work says of having been stopped.
pub fn unlocked<T: Send>(py: Python<'_>, work: impl FnOnce(&Interrupts) -> Result<T, Failure> + Send) -> PyResult<T> {
    let (done, stopped) = py.detach(|| {
        let interrupts = Interrupts::default();
        let done = work(&interrupts);
        (done, interrupts.raised.into_inner())
    });
    match (done, stopped) {
        (_, Some(error)) => Err(error),
        (Ok(done), None) => Ok(done),
        (Err(failure), None) => {
            // one that came while signals were held back
            py.check_signals()?;
            Err(raised(py, &failure))
        }
    }
}
