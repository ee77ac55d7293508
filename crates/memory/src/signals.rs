//! The signals by which a person ends this program, held back while a target stands
//! still: the copy notices them between two pieces, lets the target go, and then they
//! take effect.  (One that another thread receives ends this process at once; then the
//! kernel lets the target go.)

use std::path::Path;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::status::{Status, signal_bit};

const ENDING: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// While it lives the calling thread does not receive the ending signals.
pub(crate) struct SignalsHeld {
    before: SigSet,
    not_ours: u64,
}

impl SignalsHeld {
    pub fn hold() -> SignalsHeld {
        let set: SigSet = ENDING.into_iter().collect();
        let before = set
            .thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .unwrap_or_else(|_| SigSet::empty());
        // one that was blocked before is somebody else's business
        let not_ours = ENDING
            .into_iter()
            .filter(|&s| before.contains(s))
            .fold(0, |a, s| a | signal_bit(s as i32));
        SignalsHeld { before, not_ours }
    }

    /// Whether one of them waits.
    pub fn waiting(&self) -> bool {
        let Some(s) = Status::read(Path::new("/proc/thread-self")) else {
            return false;
        };
        let ending = ENDING.into_iter().fold(0, |a, s| a | signal_bit(s as i32));
        (s.pending | s.shared_pending) & ending & !self.not_ours & !s.ignored != 0
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
