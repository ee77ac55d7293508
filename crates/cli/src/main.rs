//! Exit codes and broken pipes, nothing else.

use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, raise};
use undying_cli::Outcome;

fn main() -> ExitCode {
    match undying_cli::main(std::env::args_os()) {
        Outcome::Code(code) => ExitCode::from(code),
        Outcome::Killed(number) => die_of(number),
    }
}

/// Ends as the program that was run ended, so that a parent sees the same.
fn die_of(number: i32) -> ExitCode {
    if let Ok(signal) = Signal::try_from(number) {
        // The program has left its core; ours would tell nothing.
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
        let _ = SigSet::from(signal).thread_unblock();
        // Twice: the first time Rust's own handler of SIGSEGV and SIGBUS takes itself away.
        let _ = raise(signal).and_then(|()| raise(signal));
    }
    ExitCode::from(128u8.wrapping_add(number as u8))
}
