//! Targets for the tests: interpreters found on this machine, programs run by them,
//! and this test program itself as a capturing child.
#![allow(dead_code, clippy::print_stderr)] // not every test program uses all; skips are told

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use undying_memory::{Captured, Plan, Process, Rest};

/// Every CPython 3.8 or later that can be found: below `~/.pyenv/versions`, in `PATH`,
/// and those in `UNDYING_TEST_PYTHONS` (separated as in `PATH`).
pub fn pythons() -> Vec<PathBuf> {
    let list = |name: &str| std::env::var_os(name).map(|v| std::env::split_paths(&v).collect::<Vec<_>>());
    let mut found = list("UNDYING_TEST_PYTHONS").unwrap_or_default();
    let home = std::env::var_os("HOME").map(|h| Path::new(&h).join(".pyenv/versions"));
    let versions = home.and_then(|h| std::fs::read_dir(h).ok()).into_iter().flatten().flatten();
    found.extend(versions.map(|v| v.path().join("bin/python")));
    for dir in list("PATH").unwrap_or_default() {
        let names = std::iter::once("python3".to_owned()).chain((8..20).map(|n| format!("python3.{n}")));
        found.extend(names.map(|n| dir.join(n)));
    }
    let mut real: Vec<PathBuf> = found.iter().filter(|p| p.exists()).filter_map(|p| real_path(p)).collect();
    real.sort();
    real.dedup();
    assert!(!real.is_empty(), "no CPython 3.8 or later was found");
    real
}

/// The interpreter itself (a name in `PATH` may be a script that starts it), if it is new
/// enough.
fn real_path(python: &Path) -> Option<PathBuf> {
    let code = "import os, sys; print(os.path.realpath(sys.executable)); \
                sys.exit(sys.version_info < (3, 8) or sys.implementation.name != 'cpython')";
    let out = Command::new(python).args(["-c", code]).stderr(Stdio::null()).output().ok()?;
    if !out.status.success() {
        eprintln!("skipped: {}", python.display());
        return None;
    }
    Some(PathBuf::from(String::from_utf8(out.stdout).ok()?.trim()))
}

/// The last of them.
pub fn python() -> PathBuf {
    static ONE: OnceLock<PathBuf> = OnceLock::new();
    ONE.get_or_init(|| pythons().pop().unwrap()).clone()
}

/// A running program that has said READY.
pub struct Target {
    child: Child,
    out: BufReader<ChildStdout>,
    /// What it said behind READY.
    pub said: String,
}

impl Target {
    pub fn start(command: &mut Command) -> Target {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // a test program as a child says other things first
        while !line.starts_with("READY") {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "the target ended before it was ready");
        }
        Target { child, out, said: line["READY".len()..].trim().to_owned() }
    }

    /// The program that checks itself.
    pub fn busy(python: &Path) -> Target {
        Target::start(Command::new(python).arg("-u").arg(target_file("busy.py")))
    }

    /// The same, where the capturing process itself is killed: a system call that it had
    /// cut short and not yet mended then fails with EINTR, once, and is repeated.
    pub fn busy_repeating() -> Target {
        Target::start(Command::new(python()).arg("-u").arg(target_file("busy.py")).arg("--repeat"))
    }

    pub fn code(code: &str) -> Target {
        Target::start(Command::new(python()).args(["-u", "-c", code]))
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// One line to its stdin.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Tell it to finish; what it said, and that it ended well.
    pub fn finish(mut self) -> String {
        self.tell("stop");
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {rest}");
        rest
    }

    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Wait for its end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn target_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/targets").join(name)
}

/// This test program again, to run the one ignored test `name` in a process of its own.
pub fn again(name: &str, pid: i32) -> Command {
    let mut c = Command::new(std::env::current_exe().unwrap());
    c.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]).env("TARGET_PID", pid.to_string());
    c
}

/// The target that [`again`] was told of.
pub fn told_pid() -> Option<i32> {
    std::env::var("TARGET_PID").ok()?.parse().ok()
}

pub fn capture(pid: i32) -> Captured {
    Process::open(pid).unwrap().capture(&Plan::default(), &mut |_| Rest::AtRest).unwrap()
}

/// State letter and tracer of each of its threads.
pub fn states(pid: i32) -> Vec<(char, i32)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let texts = tasks.filter_map(|t| std::fs::read_to_string(t.path().join("status")).ok());
    texts
        .map(|text| {
            let field = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim();
            (field("State:").chars().next().unwrap(), field("TracerPid:").parse().unwrap())
        })
        .collect()
}

/// Nobody traces it and no thread of it stands.
pub fn assert_free(pid: i32) {
    let all = states(pid);
    assert!(!all.is_empty() && all.iter().all(|&(s, tracer)| tracer == 0 && s != 't' && s != 'T'), "{all:?}");
}
