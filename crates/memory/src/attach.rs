//! Why a process cannot be looked into, in words a person can act on.

use std::path::Path;

use crate::status::Status;

/// Why a process cannot be looked into.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AttachError {
    /// No such process, or it ended (or its number went to another one).
    #[error("process {pid} is gone")]
    Gone {
        /// The process asked for.
        pid: i32,
    },
    /// It has ended; its parent has not noticed yet.
    #[error("process {pid} has ended and waits for its parent to notice (a zombie)")]
    Zombie {
        /// The process asked for.
        pid: i32,
    },
    /// A thread of the kernel has no memory of its own.
    #[error("{pid} is a thread of the kernel, not a program")]
    KernelThread {
        /// The process asked for.
        pid: i32,
    },
    /// A process cannot hold itself still.
    #[error("process {pid} is the one that asks")]
    Itself {
        /// The process asked for.
        pid: i32,
    },
    /// Another debugger or tracer has it.
    #[error("process {pid} is already traced by {name} (process {by})")]
    Traced {
        /// The process asked for.
        pid: i32,
        /// Who traces it.
        by: i32,
        /// That process's name.
        name: String,
    },
    /// The kernel refuses.
    #[error("not permitted to look into process {pid}: {why}")]
    NotPermitted {
        /// The process asked for.
        pid: i32,
        /// What stands in the way.
        why: String,
        /// What a person can do about it.
        hint: String,
    },
}

impl AttachError {
    /// What a person can do about it, where something can be done.
    pub fn hint(&self) -> Option<&str> {
        match self {
            AttachError::NotPermitted { hint, .. } => Some(hint),
            AttachError::Traced { .. } => Some("let the other tracer go first, or wait for it"),
            _ => None,
        }
    }
}

const CAP_SYS_PTRACE: u64 = 1 << 19;

/// The refusal by what is known: ptrace(2), "Ptrace access mode checking".
pub(crate) fn refusal(pid: i32, target: &Status) -> AttachError {
    let me = Status::read(Path::new("/proc/self")).unwrap_or_default();
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    let (why, hint) = explain(&me, target, scope.and_then(|s| s.trim().parse().ok()).unwrap_or(0));
    AttachError::NotPermitted { pid, why, hint }
}

fn explain(me: &Status, target: &Status, scope: u32) -> (String, String) {
    let may = me.capabilities & CAP_SYS_PTRACE != 0;
    let container = "in a container, start it with the capability SYS_PTRACE";
    if scope >= 3 {
        return (
            "kernel.yama.ptrace_scope is 3".into(),
            "only a restart of the machine with another value lifts it".into(),
        );
    }
    if may {
        return (
            "the kernel refuses in spite of CAP_SYS_PTRACE: another user namespace, a seccomp filter or a security module".into(),
            "run inside the target's container, or outside all of them".into(),
        );
    }
    if me.uid == 0 {
        return ("root here lacks the capability CAP_SYS_PTRACE".into(), container.into());
    }
    if me.uid != target.uid {
        return (
            format!("it runs as user {}, and this process as user {}", target.uid, me.uid),
            format!("run as that user or as root; {container}"),
        );
    }
    if scope > 0 {
        return (
            format!("kernel.yama.ptrace_scope is {scope}"),
            format!("run as root, or set it to 0 (sysctl kernel.yama.ptrace_scope=0); {container}"),
        );
    }
    (
        "it made itself unreadable (it changed its user, has capabilities, or asked for it by prctl)".into(),
        format!("run as root; {container}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_obstacle_has_its_own_words() {
        let of = |me, mine, theirs, scope| {
            let me = Status { uid: me, capabilities: mine, ..Status::default() };
            explain(&me, &Status { uid: theirs, ..Status::default() }, scope)
        };
        assert!(of(1000, 0, 0, 1).0.contains("user 0"));
        assert!(of(1000, 0, 1000, 1).0.contains("ptrace_scope is 1"));
        assert!(of(1000, 0, 1000, 0).0.contains("unreadable"));
        assert!(of(0, 0, 1000, 0).0.contains("CAP_SYS_PTRACE"));
        assert!(of(0, CAP_SYS_PTRACE, 1000, 0).0.contains("namespace"));
        assert!(of(0, CAP_SYS_PTRACE, 1000, 3).1.contains("restart"));
    }
}
