//! A process that was looked into goes on as if it had not been.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod harness;

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use harness::{Target, again, assert_free, capture, python, pythons, states, told_pid};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use undying_memory::{Captured, Plan, Process, Rest};

#[test]
fn two_hundred_captures_leave_every_interpreter_unharmed() {
    for python in pythons() {
        let target = Target::busy(&python);
        let process = Process::open(target.pid()).unwrap();
        let mut asleep = 0;
        for _ in 0..200 {
            let c = process.capture(&Plan::default(), &mut |_| Rest::AtRest).unwrap();
            assert!(c.threads.len() > 16 && c.stops == 1 && c.at_rest && c.busy.is_none());
            assert!(c.image.len() > 1 << 20 && c.image.len() == c.copied_bytes);
            assert!(c.paused > Duration::ZERO && c.paused == c.longest_pause);
            asleep += c.threads.iter().filter(|t| t.registers.rsp == 0).count();
        }
        assert_free(target.pid());
        let said = target.finish();
        assert!(said.starts_with("OK "), "{}: {said}", python.display());
        eprintln!("{}: {asleep} threads without registers; {said}", python.display());
    }
}

/// The child of the two tests below: captures until it dies.
#[test]
#[ignore = "run by other tests, in a process of its own"]
fn captures_for_ever() {
    let Some(pid) = told_pid() else { return };
    let process = Process::open(pid).unwrap();
    println!("\nREADY");
    loop {
        process.capture(&Plan::default(), &mut |_| Rest::AtRest).unwrap();
    }
}

/// Run a capturing child and send it `signal` at some moment; whether the target was
/// held then.
fn end_at_some_moment(target: &Target, signal: Signal, moment: u64) -> bool {
    let mut child = Target::start(&mut again("captures_for_ever", target.pid()));
    let held = || states(target.pid()).iter().any(|s| s.1 != 0);
    if moment.is_multiple_of(2) {
        while !held() {
            assert!(child.runs(), "the capturing child ended by itself");
        }
    }
    // no handshake is wanted here: any moment will do, and each round has another
    std::thread::sleep(Duration::from_micros(moment));
    let was_held = held();
    kill(Pid::from_raw(child.pid()), signal).unwrap();
    assert_eq!(child.wait().signal(), Some(signal as i32));
    assert_free(target.pid());
    was_held
}

#[test]
fn a_capture_killed_at_any_moment_lets_go() {
    let target = Target::busy_repeating();
    let mut held = 0;
    for i in 0..50 {
        held += usize::from(end_at_some_moment(&target, Signal::SIGKILL, i * 577 % 4001));
    }
    let said = target.finish();
    assert!(said.starts_with("OK "), "{said}");
    eprintln!("{held} of 50 while the target was held; {said}");
}

#[test]
fn a_capture_told_to_end_lets_go_and_ends() {
    let target = Target::busy_repeating();
    for i in 0..20 {
        let signal = if i % 2 == 0 { Signal::SIGINT } else { Signal::SIGTERM };
        end_at_some_moment(&target, signal, i * 577 % 4001);
    }
    assert!(target.finish().starts_with("OK "));
}

/// The child of the test below.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn is_told_to_end_in_mid_capture() {
    let Some(pid) = told_pid() else { return };
    let process = Process::open(pid).unwrap();
    println!("\nREADY");
    let _ = process.capture(&Plan::default(), &mut |_| {
        nix::sys::signal::raise(Signal::SIGTERM).unwrap();
        println!("still here");
        Rest::AtRest
    });
    println!("not here any more");
}

#[test]
fn a_signal_to_end_waits_until_the_target_was_let_go() {
    let target = Target::busy(&python());
    let mut child = Target::start(&mut again("is_told_to_end_in_mid_capture", target.pid()));
    assert_eq!(child.line(), "still here");
    assert_eq!(child.line(), "");
    assert_eq!(child.wait().signal(), Some(Signal::SIGTERM as i32));
    assert_free(target.pid());
    assert!(target.finish().starts_with("OK "));
}

#[test]
fn a_panic_while_it_stands_lets_it_go() {
    let target = Target::busy(&python());
    let process = Process::open(target.pid()).unwrap();
    let outcome = std::panic::catch_unwind(|| process.capture(&Plan::default(), &mut |_| panic!("on purpose")));
    assert!(outcome.is_err());
    assert_free(target.pid());
    assert!(target.finish().starts_with("OK "));
}

#[test]
fn a_busy_target_is_tried_again_and_copied_at_last() {
    let target = Target::busy(&python());
    let process = Process::open(target.pid()).unwrap();
    let plan = Plan { try_times: 5, ..Plan::default() };

    let mut asked = 0;
    let c = process
        .capture(&plan, &mut |_| {
            asked += 1;
            if asked == 3 { Rest::AtRest } else { Rest::Busy("collecting") }
        })
        .unwrap();
    assert_eq!((c.stops, c.at_rest, c.busy), (3, true, Some("collecting")));
    assert!(c.longest_pause < c.paused);

    let c = process.capture(&plan, &mut |_| Rest::Busy("allocating")).unwrap();
    assert_eq!((c.stops, c.at_rest, c.busy), (5, false, Some("allocating")));
    assert!(c.image.len() > 1 << 20);
    assert!(target.finish().starts_with("OK "));
}

/// Wait until every thread is stopped by the signal: the kernel wakes a thread to let it
/// go, and puts it back.
fn stands(pid: i32) {
    for _ in 0..1_000_000 {
        if states(pid).iter().all(|&(s, tracer)| s == 'T' && tracer == 0) {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{:?}", states(pid));
}

fn contents(c: &Captured) -> Vec<(u64, &[u8])> {
    c.image.segments().iter().map(|s| (s.start, c.image.segment_bytes(s))).collect()
}

#[test]
fn a_process_stopped_by_a_signal_stays_stopped_and_goes_on_when_told() {
    let target = Target::busy(&python());
    let pid = Pid::from_raw(target.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    stands(target.pid());
    let first = capture(target.pid());
    for _ in 0..20 {
        let c = capture(target.pid());
        assert!(c.threads.iter().all(|t| t.registers.rsp != 0));
        // not one instruction was run (a mended system call has its registers set back)
        let stacks = |c: &Captured| c.threads.iter().map(|t| (t.tid, t.registers.rsp)).collect::<Vec<_>>();
        assert_eq!(stacks(&c), stacks(&first));
        assert!(contents(&c) == contents(&first));
    }
    stands(target.pid());
    kill(pid, Signal::SIGCONT).unwrap();
    assert!(target.finish().starts_with("OK "));
}

/// Its parent counts what it hears of its child.
const PARENT: &str = r#"
import os, signal, sys
heard = []
signal.signal(signal.SIGCHLD, lambda *a: heard.append(a[0]))
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(write)
    os.read(read, 1)
    os._exit(0)
print("READY", pid)
sys.stdin.readline()
assert not heard, heard
assert os.waitpid(pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED) == (0, 0)
os.kill(pid, signal.SIGTERM)
assert os.waitpid(pid, 0) == (pid, signal.SIGTERM)
print("OK")
"#;

#[test]
fn the_parent_hears_nothing() {
    let parent = Target::code(PARENT);
    let pid = parent.said.parse().unwrap();
    (0..50).for_each(|_| drop(capture(pid)));
    assert_eq!(parent.finish().trim(), "OK");
}

/// A thread in vfork, whose child waits for a byte on stdin before it ends.
const VFORK: &str = r#"
import ctypes, mmap, os, threading
code = bytes.fromhex(
    "b83a000000" "0f05" "85c0" "7401" "c3"             # vfork; the parent returns
    "31c0" "31ff" "488d7424c0" "ba01000000" "0f05"     # the child: read(0, below the stack, 1)
    "b83c000000" "31ff" "0f05")                        # exit(0)
room = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
room.write(code)
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(room)))
pids = []
thread = threading.Thread(target=lambda: pids.append(call()))
thread.start()
me = "/proc/%d/task/%d/status" % (os.getpid(), thread.native_id)
while "State:\tD" not in open(me).read():
    pass
print("READY")
thread.join()
assert os.waitpid(pids[0], 0) == (pids[0], 0)
print("OK")
"#;

#[test]
fn a_thread_in_vfork_does_not_hold_the_capture_up() {
    let target = Target::code(VFORK);
    for _ in 0..20 {
        let c = capture(target.pid());
        assert_eq!(c.threads.len(), 2);
        let asleep: Vec<_> = c.threads.iter().filter(|t| t.in_syscall == Some(58)).collect();
        assert!(asleep.len() == 1 && asleep[0].registers.rsp != 0);
        // a thread that never stopped is let go by the end of ours, a moment after it is joined
        let began = std::time::Instant::now();
        while !states(target.pid()).iter().all(|s| s.1 == 0) {
            assert!(began.elapsed().as_secs() < 60, "it is not let go");
            std::thread::yield_now();
        }
    }
    assert_eq!(target.finish().trim(), "OK");
}

#[test]
fn a_target_that_ends_while_it_is_looked_at_is_gone() {
    // (the busy one would leave its semaphore behind)
    let mut target = Target::code("import sys; print('READY'); sys.stdin.readline()");
    let process = Process::open(target.pid()).unwrap();
    let outcome = process.capture(&Plan::default(), &mut |_| {
        kill(Pid::from_raw(target.pid()), Signal::SIGKILL).unwrap();
        // until its memory is gone
        while process.mappings().is_ok_and(|m| !m.is_empty()) {
            std::thread::yield_now();
        }
        Rest::AtRest
    });
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("gone"), "{error}");
    assert_eq!(target.wait().signal(), Some(9));
}

#[test]
fn what_it_writes_to_a_pipe_stays_whole() {
    // unbuffered: each line is a write of its own into a pipe that is often full
    let mut child = std::process::Command::new(python())
        .args(["-u", "-c", "import sys\nfor n in range(20000): print(n)"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(lines.next().unwrap().unwrap());
        drop(capture(child.id() as i32));
    }
    seen.extend(lines.map(Result::unwrap));
    assert!(child.wait().unwrap().success());
    let wanted: Vec<String> = (0..20000).map(|n| n.to_string()).collect();
    assert!(seen == wanted);
}
