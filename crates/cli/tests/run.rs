//! A program under `undying run` is the program under plain python: the same
//! output on both streams, the same exit status, on every interpreter found.

mod found;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use found::{Python, UNDYING};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What can be seen of a program from outside.
#[derive(PartialEq, Debug)]
struct Seen {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

struct Case<'a> {
    dir: &'a Path,
    arguments: Vec<&'a str>,
    stdin: &'a str,
    python_path: Option<&'a OsStr>,
}

fn case<'a>(dir: &'a Path, arguments: &[&'a str]) -> Case<'a> {
    Case { dir, arguments: arguments.to_vec(), stdin: "", python_path: None }
}

impl Case<'_> {
    fn seen(&self, mut command: Command) -> Seen {
        command.args(&self.arguments).current_dir(self.dir).env_remove("PYTHONPATH");
        if let Some(path) = self.python_path {
            command.env("PYTHONPATH", path);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        // A program that does not read closes the pipe; that is its right.
        let _ = child.stdin.take().expect("is piped").write_all(self.stdin.as_bytes());
        let out = child.wait_with_output().expect("ends");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Seen { status: out.status, stdout: text(out.stdout), stderr: text(out.stderr) }
    }

    fn plain(&self, python: &Python) -> Seen {
        self.seen(Command::new(&python.path))
    }

    fn ours(&self, python: &Python) -> Seen {
        let report = self.dir.join("report.txt");
        let mut command = Command::new(UNDYING);
        command.args(["run", "--force", "-o"]).arg(report).arg("--python").arg(&python.path);
        let mut seen = self.seen(command);
        // That births are not recorded, before all else, and at the end that there is no
        // report are the only lines we may add.
        let (ours, theirs): (Vec<_>, Vec<_>) =
            seen.stderr.split_inclusive('\n').partition(|l| l.starts_with("undying: "));
        let about_births = ours.iter().filter(|l| l.starts_with("undying: births are not recorded: ")).count();
        assert!(about_births <= 1 && ours.len() - about_births <= 1, "{ours:?}");
        seen.stderr = theirs.concat();
        seen
    }

    /// Gives what both saw.
    fn same(&self, python: &Python) -> Seen {
        let (plain, ours) = (self.plain(python), self.ours(python));
        assert_eq!(ours, plain, "{} {:?}", python.full, self.arguments);
        ours
    }
}

fn script(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("program.py"), text).expect("writes");
    dir
}

/// Everywhere the same; what was seen on the last.
fn everywhere(text: &str, arguments: &[&str]) -> Seen {
    let dir = script(text);
    let all: Vec<&str> = ["program.py"].iter().chain(arguments).copied().collect();
    let mut seen: Vec<Seen> = found::all().iter().map(|python| case(dir.path(), &all).same(python)).collect();
    seen.pop().expect("one was found")
}

#[test]
fn the_program_is_the_real_main() {
    let text = r#"
from __future__ import print_function
import sys, os, __main__
print(sys.argv, __name__, __file__, __package__, sys.path)
print(sorted(k for k in vars(__main__)), __main__.__dict__ is globals(), type(globals().get("__loader__")))
print(getattr(sys, "orig_argv", None), sys.flags)
print("sitecustomize" in sys.modules, sorted(k for k in os.environ if "UNDYING_RUN" in k or k == "PYTHONPATH"))
print([p for p in sys.path_importer_cache if "undying" in p])
print([l for l in open("/proc/self/status") if l[:6] in ("SigBlk", "SigIgn", "SigCgt")])
"#;
    let seen = everywhere(text, &["a b", "--format", "json", "-q", "--", "-m"]);
    assert!(seen.stdout.contains("'--format', 'json', '-q', '--', '-m'"), "{}", seen.stdout);
}

#[test]
fn modules_and_code_run_as_python_runs_them() {
    let dir = script("import sys; print(sys.argv[1:], __name__, __package__); sys.exit(len(sys.argv))");
    let package = dir.path().join("package");
    std::fs::create_dir(&package).expect("a directory");
    std::fs::write(package.join("__init__.py"), "").expect("writes");
    std::fs::write(package.join("__main__.py"), "import sys; print(sys.argv[1:], __package__); 1/0").expect("writes");
    for python in found::all() {
        case(dir.path(), &["-m", "program", "-m", "x"]).same(&python);
        case(dir.path(), &["-m", "package", "--help"]).same(&python);
        case(dir.path(), &["-m", "no_such_module"]).same(&python);
        case(dir.path(), &["-c", "import sys; print(sys.argv); print(sys.path[0])", "-c", "y"]).same(&python);
        case(dir.path(), &["package"]).same(&python);
        let missing = case(dir.path(), &["no_such_file.py"]).same(&python);
        assert_eq!(missing.status.code(), Some(2));
    }
}

#[test]
fn every_way_to_end_keeps_its_status_and_its_words() {
    let ends = [
        ("import sys; sys.exit(7)", Some(7)),
        ("import sys; sys.exit('text')", Some(1)),
        ("import sys; sys.exit()", Some(0)),
        ("raise SystemExit(256 + 3)", Some(3)),
        ("def f(n):\n    return 1 // n if n == 0 else f(n - 1)\nf(3)", Some(1)),
        ("try:\n    {}['x']\nexcept KeyError:\n    raise ValueError('second')", Some(1)),
        ("def f(:\n", Some(1)),
        ("import os; os._exit(9)", Some(9)),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", None),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", None),
        ("import os, sys; sys.stdout.flush(); os.execv('/bin/sh', ['sh', '-c', 'exit 5'])", Some(5)),
    ];
    for (text, code) in ends {
        let seen = everywhere(text, &[]);
        assert_eq!(seen.status.code(), code, "{text}: {seen:?}");
    }
    // A program that is interrupted dies of it from 3.8 on, and exits with 1 before.
    everywhere("import os, signal; os.kill(os.getpid(), signal.SIGINT)\nwhile True: pass", &[]);
}

#[test]
fn a_crash_is_the_same_crash() {
    let seen = everywhere("import ctypes; ctypes.string_at(0)", &[]);
    assert_eq!(seen.status.signal(), Some(Signal::SIGSEGV as i32));
}

#[test]
fn standard_input_is_the_programs() {
    let dir = script("import sys\nfor line in sys.stdin: sys.stdout.write(line.upper())");
    for python in found::all() {
        let mut case = case(dir.path(), &["program.py"]);
        case.stdin = "one\ntwo\n";
        assert_eq!(case.same(&python).stdout, "ONE\nTWO\n");
    }
}

#[test]
fn threads_are_joined_and_exit_handlers_run_in_their_order() {
    let text = r#"
from __future__ import print_function
import atexit, sys, threading, logging
out = lambda *words: (print(*words), sys.stdout.flush())
atexit.register(out, "registered first, called last")
atexit.register(out, "registered last, called first")
main_is_over = threading.Event()
def late():
    main_is_over.wait()
    out("thread ends after the program's last line")
threading.Thread(target=late).start()
def daemon():
    threading.Event().wait()
d = threading.Thread(target=daemon)
d.daemon = True
d.start()
out("last line")
main_is_over.set()
"#;
    let seen = everywhere(text, &[]);
    let lines: Vec<&str> = seen.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{seen:?}");
    assert!(lines[1].starts_with("thread ends") && lines[2].contains("called first"), "{seen:?}");
}

#[test]
fn children_of_the_program_know_nothing_of_us() {
    let text = r#"
from __future__ import print_function
import os, subprocess, sys
see = "import os,sys; print(sorted(k for k in os.environ if 'UNDYING_RUN' in k or k == 'PYTHONPATH'), " \
      "[f for f in range(3, 300) if os.path.exists('/proc/self/fd/%d' % f) and 'socket' in os.readlink('/proc/self/fd/%d' % f)])"
sys.stdout.flush()
subprocess.check_call([sys.executable, "-c", see], close_fds=False)
pid = os.fork()
if pid == 0:
    sys.exit(4)
print(os.waitpid(pid, 0)[1] >> 8)
"#;
    let seen = everywhere(text, &[]);
    assert_eq!(seen.stdout, "[] []\n4\n");
}

#[test]
fn a_program_that_closes_everything_is_not_written_into() {
    let text = r#"
import os
os.closerange(3, 1024)
f = [open("mine.txt", "w+b") for _ in range(1)][0]
for fd in range(3, 256):
    if fd != f.fileno():
        os.dup2(f.fileno(), fd)
f.write(b"mine")
"#;
    let dir = script(text);
    for python in found::all() {
        case(dir.path(), &["program.py"]).same(&python);
        assert_eq!(std::fs::read(dir.path().join("mine.txt")).expect("is there"), b"mine");
    }
}

#[test]
fn a_sitecustomize_of_the_users_own_is_still_imported() {
    let dir = script("import sys; print(sys.modules['sitecustomize'].__file__); print(sys.path)");
    let site = tempfile::tempdir().expect("a directory");
    std::fs::write(site.path().join("sitecustomize.py"), "print('mine')").expect("writes");
    for python in found::all() {
        let mut case = case(dir.path(), &["program.py"]);
        case.python_path = Some(site.path().as_os_str());
        assert!(case.same(&python).stdout.starts_with("mine\n"));
    }
}

/// Under undying with these options, of a Python without the module.
fn with_options(python: &Python, options: &[&str], program: &[&str]) -> Seen {
    let mut command = Command::new(UNDYING);
    command.arg("run").arg("--python").arg(&python.path).args(options).args(program).stdin(Stdio::null());
    let out = command.env_remove("PYTHONPATH").output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Seen { status: out.status, stdout: text(out.stdout), stderr: text(out.stderr) }
}

/// Whether this Python has the module undying, as it has in nobody's pyenv.
fn has_the_module(python: &Python) -> bool {
    Command::new(&python.path).args(["-c", "import undying._undying"]).output().is_ok_and(|o| o.status.success())
}

#[test]
fn where_births_are_not_recorded_one_line_says_how_to_get_them() {
    let program = ["-c", "import sys; sys.stderr.write('first line\\n')"];
    for python in found::supported().into_iter().filter(|p| !has_the_module(p)) {
        let seen = with_options(&python, &[], &program);
        let (line, rest) = seen.stderr.split_once('\n').expect("two lines");
        assert!(line.starts_with("undying: births are not recorded: ") && rest.starts_with("first line\n"), "{seen:?}");
        match python.version {
            (3, 8) => assert!(line.contains("3.8") && line.contains("3.9"), "{line}"),
            _ => assert!(line.contains("python") && line.ends_with(" -m pip install undying"), "{line}"),
        }
        for quiet in ["-q", "--no-births"] {
            assert!(with_options(&python, &[quiet], &program).stderr.starts_with("first line\n"), "{quiet}");
        }
        assert!(with_options(&python, &["--sample"], &program).stderr.starts_with(line));
    }
}

#[test]
fn what_needs_births_does_not_begin_without_them() {
    for python in found::all().into_iter().filter(|p| !has_the_module(p)) {
        let asked: [(&[&str], &[&str]); 3] =
            [(&["--follow", "A"], &["-c", "print(1)"]), (&["-i"], &[]), (&["-q", "-i", "-c"], &["print(1)"])];
        for (options, program) in asked {
            let seen = with_options(&python, options, program);
            assert_eq!((seen.status.code(), seen.stdout.as_str()), (Some(2), ""), "{} {seen:?}", python.full);
            assert!(seen.stderr.starts_with("undying: births are not recorded, and -"), "{seen:?}");
            assert_eq!(seen.stderr.lines().count(), 1, "{seen:?}");
        }
    }
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let pairs: [&[&str]; 7] = [
        &["--no-births", "--sample"],
        &["--no-births", "--depth", "3"],
        &["--no-births", "--follow", "A"],
        &["--no-births", "-i"],
        &["--sample=1K", "--follow", "A"],
        &["--depth", "0"],
        &["--sample=0"],
    ];
    for options in pairs {
        let mut command = Command::new(UNDYING);
        let out = command.arg("run").args(options).args(["-c", "print(1)"]).output().expect("runs");
        assert_eq!((out.status.code(), out.stdout.len()), (Some(2), 0), "{options:?}");
    }
}

#[test]
fn nothing_is_left_in_the_temporary_directory() {
    for python in found::all() {
        let tmp = tempfile::tempdir().expect("a directory");
        for code in ["pass", "import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)"] {
            let mut command = Command::new(UNDYING);
            command.arg("run").arg("--python").arg(&python.path).args(["-c", code]).env("TMPDIR", tmp.path());
            command.output().expect("runs");
            let left: Vec<_> = std::fs::read_dir(tmp.path()).expect("is there").collect();
            assert!(left.is_empty(), "{} {code}: {left:?}", python.full);
        }
    }
}

#[test]
fn signals_that_only_we_get_are_handed_on() {
    let text = r#"
import signal, sys, time
def handler(number, frame):
    sys.stdout.write("got %d\n" % number)
    sys.stdout.flush()
    sys.exit(5)
signal.signal(signal.SIGTERM, handler)
signal.signal(signal.SIGUSR1, handler)
try:
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    while True:
        time.sleep(0.01)  # a signal just before a long sleep would wait for its end
except KeyboardInterrupt:
    sys.stdout.write("interrupted\n")
    sys.exit(6)
"#;
    let dir = script(text);
    for python in found::all() {
        for (signal, words, code) in
            [(Signal::SIGTERM, "got 15\n", 5), (Signal::SIGUSR1, "got 10\n", 5), (Signal::SIGINT, "interrupted\n", 6)]
        {
            let (mut child, mut out) = started(&python, dir.path());
            kill(Pid::from_raw(child.id() as i32), signal).expect("is there");
            let mut rest = String::new();
            out.read_to_string(&mut rest).expect("UTF-8");
            assert_eq!(rest, words, "{} {signal}", python.full);
            assert_eq!(child.wait().expect("ends").code(), Some(code), "{} {signal}", python.full);
        }
    }
}

#[test]
fn when_we_are_killed_the_program_goes_on() {
    let text = r#"
import os, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
parent = os.getppid()
sys.stdout.write("READY\n")
sys.stdout.flush()
while os.getppid() == parent:
    pass
import atexit
sys.stdout.write("alone\n")
sys.stdout.flush()
"#;
    let dir = script(text);
    for python in found::all() {
        let (mut child, mut out) = started(&python, dir.path());
        child.kill().expect("is there");
        child.wait().expect("ends");
        let mut rest = String::new();
        out.read_to_string(&mut rest).expect("UTF-8");
        assert_eq!(rest, "alone\n", "{}", python.full);
    }
}

/// Under way: it has said READY.
fn started(python: &Python, dir: &Path) -> (Child, impl Read + use<>) {
    let mut command = Command::new(UNDYING);
    command.arg("run").arg("--python").arg(&python.path).arg("program.py").current_dir(dir);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    let mut out = BufReader::new(child.stdout.take().expect("is piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("UTF-8");
    assert_eq!(line, "READY\n");
    (child, out)
}
