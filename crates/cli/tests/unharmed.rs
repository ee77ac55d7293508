//! A program that checks itself all the while goes on as if nobody had looked, whether
//! the command is left to end or is killed at any moment.
#![allow(clippy::print_stderr)] // what was seen is told

mod found;
#[path = "../../memory/tests/harness/mod.rs"]
mod harness;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use found::{Python, UNDYING};
use harness::{Target, assert_free, target_file};
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;

const KILLS: usize = 50;
const CAPTURES: usize = 200;

/// Numbers that another run does not repeat, unless it is told the seed.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let told = std::env::var("UNDYING_TEST_SEED").ok().and_then(|s| s.parse().ok());
        Random(told.unwrap_or_else(|| RandomState::new().build_hasher().finish()))
    }

    /// From 0 to 1 (splitmix64).
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn busy(python: &Python, arguments: &[&str]) -> Target {
    Target::start(Command::new(&python.path).arg("-u").arg(target_file("busy.py")).args(arguments))
}

fn dump(target: &Target, dest: &Path) -> Command {
    let mut command = Command::new(UNDYING);
    command.args(["dump", "-q", "-o"]).arg(dest).arg(target.pid().to_string());
    command
}

fn succeed(command: &mut Command) -> Vec<u8> {
    let out = command.output().expect("runs");
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// How long one takes, so that the kills can be spread over it.
fn whole_duration(target: &Target, dest: &Path) -> Duration {
    let began = Instant::now();
    for _ in 0..3 {
        succeed(dump(target, dest).arg("--force"));
    }
    fs::remove_dir_all(dest).expect("is there");
    began.elapsed() / 3
}

/// Whether its main thread is traced: one look is quicker than one at each thread.
fn is_held(target: &Target) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", target.pid())).expect("it runs");
    !status.contains("TracerPid:\t0\n")
}

/// Ends by SIGKILL, after so long or so long after it first held the target; whether the
/// target was held then.
fn kill_after(mut child: Child, target: &Target, delay: Duration, once_held: bool) -> (ExitStatus, bool) {
    while once_held && !is_held(target) && child.try_wait().expect("is ours").is_none() {}
    // any moment will do, and each time it is another
    std::thread::sleep(delay);
    let held = is_held(target);
    let _ = child.kill();
    (child.wait().expect("is ours"), held)
}

/// What a killed one leaves under the name is nothing, or the whole snapshot.
fn nothing_half_done(dest: &Path) {
    if dest.exists() {
        succeed(Command::new(UNDYING).args(["top", "-q"]).arg(dest));
        fs::remove_dir_all(dest).expect("is there");
    }
}

fn killed_at_random_moments(python: &Python) {
    let target = busy(python, &["--repeat"]);
    let dir = tempfile::tempdir().expect("a directory");
    let dest = dir.path().join("snapshot");
    let whole = whole_duration(&target, &dest);
    let mut random = Random::new();
    let (mut killed, mut held, mut attempts, mut sooner) = (0, 0, 0, 1.0);
    while killed < KILLS {
        attempts += 1;
        let at = format!("Python {}, UNDYING_TEST_SEED={}, attempt {attempts}", python.full, random.0);
        assert!(attempts < 40 * KILLS, "it ends before it can be killed: {at}");
        // each fiftieth part of the time has its kill; what came too late is tried again, sooner
        let once_held = attempts % 2 == 0;
        let span = if once_held { whole / 10 } else { whole };
        let delay = span.mul_f64((killed as f64 + random.fraction()) / KILLS as f64 * sooner);
        let child = dump(&target, &dest).stderr(Stdio::null()).spawn().expect("starts");
        let (status, was_held) = kill_after(child, &target, delay, once_held);
        assert_free(target.pid());
        nothing_half_done(&dest);
        match status.signal() {
            Some(signal) => assert_eq!(signal, Signal::SIGKILL as i32, "{at}"),
            None => assert!(status.success(), "{status}: {at}"),
        }
        sooner = if status.signal().is_some() { 1.0 } else { sooner * 0.9 };
        killed += usize::from(status.signal().is_some());
        held += usize::from(was_held && status.signal().is_some());
    }
    succeed(&mut dump(&target, &dest));
    let left: Vec<_> = fs::read_dir(dir.path()).expect("is there").flatten().map(|f| f.file_name()).collect();
    assert_eq!(left, ["snapshot"], "what killed ones left is taken away");
    assert_free(target.pid());
    let said = target.finish();
    assert!(said.starts_with("OK "), "Python {}: {said}", python.full);
    eprintln!("{}: {held} of {KILLS} while it was held, {attempts} attempts in {whole:?} each; {said}", python.full);
}

#[test]
fn the_oldest_is_unharmed_by_dumps_killed_at_random_moments() {
    killed_at_random_moments(found::supported().first().expect("one is here"));
}

#[test]
fn the_newest_is_unharmed_by_dumps_killed_at_random_moments() {
    killed_at_random_moments(found::supported().last().expect("one is here"));
}

#[test]
fn two_hundred_captures_leave_no_trace() {
    let pythons = found::supported();
    let python = pythons.last().expect("one is here");
    let target = busy(python, &[]);
    let dir = tempfile::tempdir().expect("a directory");
    let dest = dir.path().join("snapshot");
    for i in 0..CAPTURES {
        if i % 10 == 9 {
            let pid = target.pid().to_string();
            let report = succeed(Command::new(UNDYING).args(["report", "-q", "--format", "json", &pid]));
            let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
            assert_eq!(report["python"], python.full.as_str());
        } else {
            succeed(dump(&target, &dest).arg("--force"));
        }
        assert_free(target.pid());
    }
    let said = target.finish();
    assert!(said.starts_with("OK "), "Python {}: {said}", python.full);
    eprintln!("{}: {said}", python.full);
}
