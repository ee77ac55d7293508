//! Each reason why a process cannot be looked into has its own words.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod harness;

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use harness::{Target, again, told_pid};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use undying_memory::{AttachError, CaptureError, Plan, Process, Rest};

const IDLE: &str = "import sys; print('READY'); sys.stdin.readline(); print('OK')";

#[test]
fn a_process_that_never_was_or_has_ended_is_gone() {
    assert_eq!(Process::open(0).unwrap_err(), AttachError::Gone { pid: 0 });
    assert_eq!(Process::open(-1).unwrap_err(), AttachError::Gone { pid: -1 });
    let target = Target::code(IDLE);
    let pid = target.pid();
    let process = Process::open(pid).unwrap();
    assert!(process.is_alive() && process.program().contains("python"));
    target.finish();
    assert_eq!(Process::open(pid).unwrap_err(), AttachError::Gone { pid });
    assert!(!process.is_alive());
    let outcome = process.capture(&Plan::default(), &mut |_| Rest::AtRest);
    assert!(matches!(outcome, Err(CaptureError::Attach(AttachError::Gone { .. }))));
}

#[test]
fn a_zombie_is_told_from_a_process() {
    let target = Target::code(IDLE);
    let pid = target.pid();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    while harness::states(pid).iter().any(|s| s.0 != 'Z') {
        std::thread::yield_now();
    }
    assert_eq!(Process::open(pid).unwrap_err(), AttachError::Zombie { pid });
}

/// Its main thread ends alone, by the system call exit.
const LEFT_BY_MAIN: &str = r#"
import ctypes, sys, threading
def rest():
    while "State:\tZ" not in open("/proc/self/status").read():
        pass
    print("READY")
    sys.stdin.readline()
    print("OK", flush=True)
    ctypes.CDLL(None)._exit(0)
threading.Thread(target=rest).start()
ctypes.CDLL(None).syscall(60, 0)
"#;

#[test]
fn a_process_whose_main_thread_has_ended_is_captured_by_another() {
    let target = Target::code(LEFT_BY_MAIN);
    let process = Process::open(target.pid()).unwrap();
    let c = process.capture(&Plan::default(), &mut |_| Rest::AtRest).unwrap();
    assert!(c.threads.len() == 1 && c.threads[0].tid != target.pid() && c.image.len() > 1 << 20);
    assert!(target.finish().starts_with("OK"));
}

#[test]
fn a_process_that_is_traced_names_its_tracer() {
    let target = Target::code(IDLE);
    let pid = Pid::from_raw(target.pid());
    let process = Process::open(target.pid()).unwrap();
    ptrace::seize(pid, ptrace::Options::empty()).unwrap();
    let mine = |e: &AttachError| matches!(e, AttachError::Traced { by, name, .. } if *by == std::process::id() as i32 && !name.is_empty());
    assert!(mine(&Process::open(target.pid()).unwrap_err()));
    match process.capture(&Plan::default(), &mut |_| Rest::AtRest) {
        Err(CaptureError::Attach(e)) => assert!(mine(&e) && e.hint().is_some(), "{e}"),
        other => panic!("{other:?}"),
    }
    ptrace::interrupt(pid).unwrap();
    waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap();
    ptrace::detach(pid, None).unwrap();
    assert!(process.capture(&Plan::default(), &mut |_| Rest::AtRest).is_ok());
    assert_eq!(target.finish().trim(), "OK");
}

#[test]
fn a_thread_of_the_kernel_is_no_program() {
    // in a container there may be none to be seen
    let kernel = |p: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{p}/stat")).unwrap_or_default();
        let flags =
            stat.rsplit(')').next().and_then(|s| s.split_whitespace().nth(6)).and_then(|f| f.parse::<u64>().ok());
        flags.is_some_and(|f| f & 0x0020_0000 != 0)
    };
    match (2..100).find(kernel) {
        Some(pid) => assert_eq!(Process::open(pid).unwrap_err(), AttachError::KernelThread { pid }),
        None => eprintln!("skipped: no thread of the kernel is to be seen"),
    }
}

#[test]
fn nobody_holds_himself() {
    let me = Process::open(std::process::id() as i32).unwrap();
    let outcome = me.capture(&Plan::default(), &mut |_| Rest::AtRest);
    assert!(matches!(outcome, Err(CaptureError::Attach(AttachError::Itself { .. }))));
}

/// The child of the test below, without rights.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn opens_what_it_was_told() {
    let Some(pid) = told_pid() else { return };
    match Process::open(pid) {
        Err(e @ AttachError::NotPermitted { .. }) => println!("\nrefused: {e} | {}", e.hint().unwrap()),
        other => println!("\n{other:?}"),
    }
}

#[test]
fn a_process_of_another_user_is_refused_with_a_hint() {
    let (pid, mut command, _dir) = if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        // a program that anybody may run, in a directory that anybody may enter
        let dir = tempfile::Builder::new().prefix("undying").tempdir_in("/tmp").unwrap();
        let program = dir.path().join("test");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mode = |p: &std::path::Path| {
            std::fs::set_permissions(p, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        };
        mode(program.parent().unwrap());
        mode(&program);
        let pid = std::process::id() as i32;
        let mut c = Command::new("setpriv");
        c.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
        c.args(again("opens_what_it_was_told", pid).get_args()).env("TARGET_PID", pid.to_string());
        (pid, c, Some(dir))
    } else {
        (1, again("opens_what_it_was_told", 1), None)
    };
    let out = command.stdin(Stdio::null()).current_dir("/").output();
    let Ok(out) = out else {
        eprintln!("skipped: setpriv is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = said.lines().find(|l| l.starts_with("refused")).unwrap_or_else(|| panic!("{out:?}"));
    assert!(line.contains(&pid.to_string()) && line.contains("user 0") && line.contains("as root"), "{line}");
}
