//! Bad input, one test each: the exit code, one sentence on standard error that
//! names the thing and the next step, nothing on standard output, nothing left
//! behind.

mod found;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use found::{Python, UNDYING};
use tempfile::TempDir;
use undying_graph::Builder;
use undying_snapshot::Writer;

/// What was said.
struct Said {
    code: Option<i32>,
    sentence: String,
}

/// Runs in an empty directory, which has to be empty afterwards.
fn refused(arguments: &[&str]) -> Said {
    let dir = tempfile::tempdir().expect("a directory");
    let said = refused_in(dir.path(), arguments);
    assert!(names(dir.path()).is_empty(), "left behind: {:?}", names(dir.path()));
    said
}

fn refused_in(dir: &Path, arguments: &[&str]) -> Said {
    judge(Command::new(UNDYING).args(arguments).current_dir(dir).output().expect("runs"))
}

fn judge(out: Output) -> Said {
    let stderr = String::from_utf8(out.stderr).expect("UTF-8");
    assert_eq!(String::from_utf8_lossy(&out.stdout), "", "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one sentence: {stderr:?}");
    let sentence = stderr.trim_end().strip_prefix("undying: ").expect("it says who speaks").to_owned();
    assert!(sentence.contains(';') || sentence.contains('?'), "it says what to do next: {sentence}");
    Said { code: out.status.code(), sentence }
}

fn names(dir: &Path) -> Vec<String> {
    let all = fs::read_dir(dir).expect("is there").flatten();
    all.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

/// A Python that stands still until it is dropped.
struct Standing(Child);

impl Standing {
    fn new(command: &mut Command) -> Standing {
        let code = "import sys; sys.stdout.write('READY\\n'); sys.stdout.flush(); sys.stdin.read()";
        let mut child =
            command.args(["-c", code]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("is piped")).read_line(&mut line).expect("UTF-8");
        assert_eq!(line, "READY\n");
        Standing(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn python() -> Option<Python> {
    let newest = found::supported().pop();
    if newest.is_none() {
        skip("no Python that can be read is here");
    }
    newest
}

#[allow(clippy::print_stderr)]
fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

/// A small snapshot.
fn snapshot() -> (TempDir, std::path::PathBuf) {
    use undying_graph::{Sink, Tail};
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("snap");
    let whole = Builder::from_edges(&[vec![1], vec![0]]);
    let mut writer = Writer::create(&path, false, "0").expect("a new directory");
    writer.begin(whole.graph.len()).expect("begins");
    for n in whole.graph.nodes() {
        let edges: Vec<_> = whole.graph.edges(n).collect();
        writer.object(&whole.graph.row(n), &edges).expect("takes");
    }
    let name = writer.label("test.Node");
    let mut types = whole.types.clone();
    types[0].name = name;
    writer.finish(Tail { types, ..Tail::default() }).expect("finishes");
    writer.commit().expect("commits");
    (dir, path)
}

#[test]
fn a_process_that_is_gone() {
    for command in [&["dump", "999999999"][..], &["report", "999999999"], &["why", "999999999", "dict"]] {
        let said = refused(command);
        assert_eq!(said.code, Some(3), "{}", said.sentence);
        assert!(said.sentence.contains("999999999"), "{}", said.sentence);
    }
}

#[test]
fn not_a_python() {
    // Waits for a line that never comes.
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts");
    let said = refused(&["dump", &child.id().to_string(), "-o", "snap"]);
    assert_eq!(said.code, Some(3), "{}", said.sentence);
    assert!(said.sentence.contains("not a CPython"), "{}", said.sentence);
    drop(child.stdin.take());
    assert!(child.wait().expect("ends").success());
}

#[test]
fn not_permitted() {
    let Some(python) = python() else { return };
    if !is_root() {
        return skip("only root can become somebody else");
    }
    let target = Standing::new(&mut Command::new(&python.path));
    let dir = tempfile::tempdir().expect("a directory");
    let binary = dir.path().join("undying");
    fs::copy(UNDYING, &binary).expect("copies");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(dir.path(), open).expect("is ours");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary);
    let said = judge(command.args(["dump", &target.pid(), "-o", "/tmp/never"]).output().expect("setpriv is there"));
    assert_eq!(said.code, Some(3), "{}", said.sentence);
    assert!(said.sentence.contains("not permitted"), "{}", said.sentence);
    assert!(!Path::new("/tmp/never").exists());
}

#[test]
fn traced_by_another() {
    let Some(python) = python() else { return };
    let target = Standing::new(&mut Command::new(&python.path));
    let pid = nix::unistd::Pid::from_raw(target.0.id() as i32);
    nix::sys::ptrace::seize(pid, nix::sys::ptrace::Options::empty()).expect("it is our child");
    let said = refused(&["dump", &target.pid(), "-o", "snap"]);
    assert_eq!(said.code, Some(3), "{}", said.sentence);
    assert!(said.sentence.contains("traced"), "{}", said.sentence);
}

#[test]
fn an_unsupported_version() {
    let Some(old) = found::all().into_iter().find(|p| !p.is_supported()) else {
        return skip("no Python that cannot be read is here");
    };
    let target = Standing::new(&mut Command::new(&old.path));
    let said = refused(&["dump", &target.pid(), "-o", "snap"]);
    assert_eq!(said.code, Some(3), "{}", said.sentence);
    assert!(said.sentence.contains("CPython"), "{}", said.sentence);
}

#[test]
fn a_path_that_is_no_snapshot() {
    for path in ["nowhere", "/", "/etc/passwd"] {
        let said = refused(&["report", path]);
        assert_eq!(said.code, Some(3), "{}", said.sentence);
        assert!(said.sentence.contains(path) && said.sentence.contains("not a snapshot"), "{}", said.sentence);
    }
}

#[test]
fn a_truncated_snapshot() {
    for file in ["objects.parquet", "edges.parquet", "types.parquet", "meta.json"] {
        let (_dir, path) = snapshot();
        let table = path.join(file);
        let bytes = fs::read(&table).expect("is there");
        fs::write(&table, &bytes[..bytes.len() / 2]).expect("writes");
        let said = refused(&["report", path.to_str().expect("UTF-8")]);
        assert_eq!(said.code, Some(4), "{file}: {}", said.sentence);
        assert!(said.sentence.contains(file), "{file}: {}", said.sentence);
    }
}

#[test]
fn a_newer_schema() {
    let (_dir, path) = snapshot();
    let meta = fs::read_to_string(path.join("meta.json")).expect("is there");
    let newer = meta.replace("\"schema\": 1", "\"schema\": 1000");
    assert_ne!(meta, newer);
    fs::write(path.join("meta.json"), newer).expect("writes");
    let said = refused(&["top", path.to_str().expect("UTF-8")]);
    assert_eq!(said.code, Some(4), "{}", said.sentence);
    assert!(said.sentence.contains("1000"), "{}", said.sentence);
}

#[test]
fn a_full_disk() {
    let Some(python) = python() else { return };
    if !is_root() {
        return skip("only root can mount a small file system");
    }
    let small = tempfile::tempdir().expect("a directory");
    let mount = |arguments: &[&str]| {
        let done = Command::new(arguments[0]).args(&arguments[1..]).arg(small.path()).output();
        done.is_ok_and(|o| o.status.success())
    };
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=64k", "none"]) {
        return skip("no file system can be mounted here");
    }
    let target = Standing::new(&mut Command::new(&python.path));
    let out = Command::new(UNDYING).args(["dump", &target.pid(), "-o", "snap"]).current_dir(small.path()).output();
    let left = names(small.path());
    assert!(mount(&["umount"]));
    let said = judge(out.expect("runs"));
    assert_eq!(said.code, Some(5), "{}", said.sentence);
    assert!(said.sentence.contains("space"), "{}", said.sentence);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_destination_that_exists() {
    let Some(python) = python() else { return };
    let target = Standing::new(&mut Command::new(&python.path));
    let dir = tempfile::tempdir().expect("a directory");
    let mine = dir.path().join("mine");
    fs::write(&mine, "mine").expect("writes");
    for force in [&[][..], &["--force"]] {
        let said = refused_in(dir.path(), &[&["dump", &target.pid(), "-o", "mine"], force].concat());
        assert_eq!(said.code, Some(2), "{}", said.sentence);
        assert!(said.sentence.contains("mine"), "{}", said.sentence);
    }
    let said = refused_in(dir.path(), &["run", "-o", "mine", "-c", "print('must not run')"]);
    assert_eq!(said.code, Some(2), "{}", said.sentence);
    assert_eq!(fs::read(&mine).expect("is there"), b"mine");
    assert_eq!(names(dir.path()), ["mine"]);
}

#[test]
fn wrong_usage() {
    let wrong: &[&[&str]] = &[
        &[],
        &["frobnicate"],
        &["dump"],
        &["dump", "me"],
        &["dump", "-5"],
        &["report", "1", "--frobnicate"],
        &["report", "1", "--format", "xml"],
        &["report", "1", "--fail-on", "rubbish"],
        &["why", "1"],
        &["top", "1", "--by", "colour"],
        &["run"],
        &["run", "-m"],
        &["run", "-m", "-c", "x"],
    ];
    for arguments in wrong {
        let said = refused(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.sentence);
        assert!(said.sentence.contains("undying") || said.sentence.contains("pgrep"), "{}", said.sentence);
    }
}

#[test]
fn a_class_that_is_not_there() {
    let (_dir, path) = snapshot();
    let path = path.to_str().expect("UTF-8");
    let said = refused(&["why", path, "test.Nodes"]);
    assert_eq!(said.code, Some(2), "{}", said.sentence);
    let said = refused(&["why", path, "Nod"]);
    assert!(said.sentence.contains("did you mean test.Node?"), "{}", said.sentence);
}

#[test]
fn no_interpreter_to_run() {
    let said = refused(&["run", "--python", "no/such/python", "-c", "pass"]);
    assert_eq!(said.code, Some(3), "{}", said.sentence);
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(UNDYING);
    command.args(["run", "-c", "pass"]).env("PATH", dir.path()).env_remove("VIRTUAL_ENV");
    let said = judge(command.output().expect("runs"));
    assert_eq!(said.code, Some(3), "{}", said.sentence);
}

#[test]
fn a_pipe_that_nobody_reads_is_no_error() {
    let (_dir, path) = snapshot();
    let mut child = Command::new(UNDYING)
        .args(["top", path.to_str().expect("UTF-8"), "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    let out = child.wait_with_output().expect("ends");
    assert_eq!((out.status.code(), String::from_utf8_lossy(&out.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn a_number_that_is_a_snapshot_is_read_as_one_and_that_is_said() {
    let (dir, path) = snapshot();
    fs::rename(&path, dir.path().join("1")).expect("renames");
    let run =
        |arguments: &[&str]| Command::new(UNDYING).args(arguments).current_dir(dir.path()).output().expect("runs");
    let out = run(&["top", "1"]);
    assert!(out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("process 1 was not looked at"));
    assert!(String::from_utf8_lossy(&out.stdout).contains("test.Node"));
    assert!(run(&["top", "1", "-q"]).stderr.is_empty());
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    use nix::sys::signal::{Signal, kill};
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let target = Standing::new(&mut Command::new(&python.path));
    // Interrupted at many moments: each time it is done, or it was nothing.
    for round in 0..20u32 {
        let name = format!("snap{round}");
        let mut child = Command::new(UNDYING)
            .args(["dump", &target.pid(), "-o", &name])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        for _ in 0..round * 2000 {
            std::hint::spin_loop();
        }
        let _ = kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGINT);
        let status = child.wait().expect("ends");
        let whole = dir.path().join(&name).join("meta.json").is_file();
        let before_we_listened = std::os::unix::process::ExitStatusExt::signal(&status) == Some(2);
        match status.code() {
            Some(0) => assert!(whole),
            code => assert!(!whole && (code == Some(130) || before_we_listened), "{status:?}"),
        }
        let left: Vec<String> = names(dir.path()).into_iter().filter(|n| n.contains("partial")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    let mut stdin = target.0.stdin.as_ref().expect("is piped");
    stdin.write_all(b"still there").expect("it lives");
}
