//! The signals by which a person ends this program, held back while a target stands
//! still: the copy notices them between two pieces, lets the target go, and then they
//! take effect.  (One that another thread receives ends this process at once; then the
//! kernel lets the target go.)

use std::path::Path;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::status::{Status, signal_bit};
use crate::stop::any_waits;

const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// While it lives the calling thread does not receive the ending signals.
pub struct SignalsHeld {
    before: SigSet,
    /// Those that were neither blocked nor ignored before: the others are somebody
    /// else's business.
    ours: Vec<i32>,
}

impl SignalsHeld {
    /// From now on, in the calling thread.
    pub fn hold() -> SignalsHeld {
        let set: SigSet = ENDING.into_iter().collect();
        let before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK).unwrap_or_else(|_| SigSet::empty());
        let ignored = Status::read(Path::new("/proc/self")).map_or(0, |s| s.ignored);
        let free = |s: &Signal| !before.contains(*s) && signal_bit(*s as i32) & ignored == 0;
        let ours = ENDING.into_iter().filter(free).map(|s| s as i32).collect();
        SignalsHeld { before, ours }
    }

    /// Whether one of them waits.
    pub fn waiting(&self) -> bool {
        any_waits(&self.ours)
    }
}

impl Drop for SignalsHeld {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

/// For a thread that is never to receive a signal.
pub(crate) fn block_all() {
    let _ = SigSet::all().thread_block();
}
