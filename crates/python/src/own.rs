//! The process that asks, as a target: found once, copied under the interpreter's lock.

use std::sync::{Arc, Mutex, PoisonError};

use undying_cli::Failure;
use undying_cpython::{Copied, Target};

/// The target and the process it is: a child of a fork finds itself anew.
static FOUND: Mutex<Option<(u32, Arc<Target>)>> = Mutex::new(None);

/// Where our own interpreter lies.
pub fn target() -> Result<Arc<Target>, Failure> {
    let pid = std::process::id();
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    match &*found {
        Some((of, target)) if *of == pid => Ok(Arc::clone(target)),
        _ => {
            let target = Arc::new(Target::open_itself()?);
            *found = Some((pid, Arc::clone(&target)));
            Ok(target)
        }
    }
}

/// Copies our memory; to be called with the lock held.  The copy may be walked without it.
pub fn copy() -> Result<(Arc<Target>, Copied), Failure> {
    let target = target()?;
    let copied = target.copy_itself()?;
    Ok((target, copied))
}
