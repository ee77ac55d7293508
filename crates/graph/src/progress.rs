//! How long work tells how far it is, and is told to stop.

/// The work was told to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cancelled;

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}

/// A listener for long work.  Calls are rare (every some thousand steps).
pub trait Progress {
    /// A new phase begins; `total` is 0 where it is not known.
    fn phase(&self, name: &str, total: u64);
    /// So many steps of the phase are done.
    fn done(&self, steps: u64);
    /// Whether the work should stop.
    fn cancelled(&self) -> bool {
        false
    }
    /// `Err` when the work should stop; the form that `?` likes.
    fn check(&self) -> Result<(), Cancelled> {
        if self.cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}

/// Says nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _name: &str, _total: u64) {}
    fn done(&self, _steps: u64) {}
}
