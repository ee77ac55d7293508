//! A Python that does what it is told, with the planted modules built for it.

#![allow(clippy::print_stderr)] // what is left out is told

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use undying_recorder::{Limits, Recording, record};

/// An interpreter with its headers.
pub struct Python {
    pub program: PathBuf,
    pub include: String,
    pub suffix: String,
}

/// Every interpreter found that can be read and built for; the others are named.
pub fn pythons() -> Vec<Python> {
    let home = std::env::var("HOME").unwrap_or_default();
    let versions = Path::new(&home).join(".pyenv/versions");
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(versions).into_iter().flatten().flatten().map(|e| e.path()).collect();
    found.sort();
    let mut programs: Vec<PathBuf> = found.into_iter().map(|p| p.join("bin/python")).collect();
    programs.push("/usr/bin/python3".into());
    let ask = "import sys, sysconfig as s; print(*sys.version_info[:2], s.get_paths()['include'], s.get_config_var('EXT_SUFFIX'))";
    programs
        .into_iter()
        .filter_map(|program| {
            let output = Command::new(&program).args(["-c", ask]).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            let [major, minor, include, suffix] = text.split_whitespace().collect::<Vec<_>>()[..] else { return None };
            let known = major == "3" && (8..=13).contains(&minor.parse().unwrap_or(0));
            if !known || !Path::new(include).join("Python.h").exists() {
                eprintln!("skipped: {} ({major}.{minor}, headers at {include})", program.display());
                return None;
            }
            Some(Python { program, include: include.into(), suffix: suffix.into() })
        })
        .collect()
}

pub fn planted() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planted")
}

/// A driver that is ready, and where its modules were built.
pub struct Driver {
    pub child: Child,
    pub lines: Receiver<String>,
    _modules: tempfile::TempDir,
}

impl Driver {
    pub fn start(python: &Python, script: &str) -> Driver {
        let modules = tempfile::tempdir().unwrap();
        let c = planted();
        for (compiler, source, name) in [("cc", "planted.c", "planted"), ("c++", "holder.cpp", "holder")] {
            let to = modules.path().join(format!("{name}{}", python.suffix));
            let built = Command::new(compiler)
                .args(["-g", "-O2", "-shared", "-fPIC", "-I", &python.include, "-I"])
                .arg(c.join("include"))
                .arg(c.join(source))
                .arg("-o")
                .arg(to)
                .status();
            assert!(built.is_ok_and(|s| s.success()), "{compiler} cannot build {source}");
        }
        let mut child = Command::new(&python.program)
            .arg("-u")
            .arg(c.join(script))
            .env("PYTHONPATH", modules.path())
            .env("PYTHONHASHSEED", "0")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).all(|l| told.send(l).is_ok()));
        let driver = Driver { child, lines, _modules: modules };
        assert_eq!(driver.line(), "ready");
        driver
    }

    pub fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(60)).expect("the driver says something")
    }

    pub fn tell(&mut self, line: &str) -> std::io::Result<()> {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").and_then(|()| input.flush())
    }

    /// Watch the object of a case while its step is made so often.
    pub fn record(&mut self, case: &str, calls: usize) -> Recording {
        self.tell(&format!("at {case}")).unwrap();
        let address = self.line().parse().unwrap();
        let pid = self.child.id() as i32;
        let (input, lines) = (self.child.stdin.as_mut().unwrap(), &self.lines);
        let go = || writeln!(input, "go {case} {calls}").and_then(|()| input.flush());
        let done = || lines.try_recv().is_ok();
        record(pid, &[address], &Limits::default(), go, done).unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
