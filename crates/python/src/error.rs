//! What went wrong, as a Python exception with the sentence of the command line.

use pyo3::exceptions::PyException;
use pyo3::{PyErr, Python, create_exception};
use undying_cli::{Exit, Failure};

create_exception!(undying, Error, PyException, "What went wrong, and what to do next.");

/// As an exception; `exit_code` is what the command would have ended with.
pub fn raised(py: Python<'_>, failure: &Failure) -> PyErr {
    use pyo3::types::PyAnyMethods;
    let error = Error::new_err(failure.sentence.clone());
    // without the number the sentence still says it all
    let _ = error.value(py).setattr("exit_code", failure.exit.code());
    error
}

/// A question that cannot be asked so.
pub fn misused(sentence: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, sentence)
}
