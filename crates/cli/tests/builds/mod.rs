//! Extension modules built for a test: with which compiler, SWIG and headers.  What
//! cannot be built here is said, never guessed.  Knows nothing of what is in a module.
#![allow(dead_code)] // each test file uses its part

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::found::Python;

/// What modules for one interpreter are built with.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The interpreter: of the environment that `cargo xtask test` makes, where there is one.
    pub python: PathBuf,
    include: String,
    suffix: String,
}

impl Tools {
    /// For one interpreter; an error says what is missing.
    pub fn of(python: &Python) -> Result<Tools, String> {
        let version = format!("{}.{}", python.version.0, python.version.1);
        let environment = std::env::var_os("UNDYING_TEST_ENVS").map(|dir| Path::new(&dir).join(version));
        let inside = environment.map(|e| e.join("bin/python")).filter(|p| p.exists());
        let tools =
            Tools { python: inside.unwrap_or(python.path.clone()), include: String::new(), suffix: String::new() };
        let asked = tools.ask("import sysconfig as s; print(s.get_paths()['include'], s.get_config_var('EXT_SUFFIX'))");
        let asked = asked.ok_or("it does not say where its headers are")?;
        let (include, suffix) = asked.split_once(' ').ok_or("it does not say where its headers are")?;
        if !Path::new(include).join("Python.h").is_file() {
            return Err(format!("Python {} has no headers here", python.full));
        }
        runs("c++", "--version").then_some(()).ok_or("there is no C++ compiler")?;
        Ok(Tools { include: include.to_owned(), suffix: suffix.to_owned(), ..tools })
    }

    /// What a line of Python prints, without the newline.
    pub fn ask(&self, code: &str) -> Option<String> {
        let out = Command::new(&self.python).args(["-c", code]).stderr(Stdio::null()).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    /// SWIG: the environment's, else the one on the PATH.
    pub fn swig(&self) -> Result<PathBuf, String> {
        let mut places = vec![self.python.with_file_name("swig"), PathBuf::from("swig")];
        places.retain(|p| runs(p, "-version"));
        places.into_iter().next().ok_or_else(|| "there is no SWIG".to_owned())
    }

    /// `SOURCE` into `DIR/NAME.so`, as this interpreter wants it named.
    pub fn compile(&self, source: &Path, name: &str, dir: &Path, options: &[&str]) {
        let compiler = if source.extension().is_some_and(|e| e == "c") { "cc" } else { "c++" };
        let mut command = Command::new(compiler);
        command.args(["-g", "-O1", "-w", "-shared", "-fPIC", "-I", &self.include]).args(options).arg(source);
        well(command.arg("-o").arg(dir.join(format!("{name}{}", self.suffix))));
    }

    /// The interface file's module into `dir`.
    pub fn wrap(&self, interface: &Path, module: &str, dir: &Path, options: &[&str]) -> Result<(), String> {
        let wrapped = dir.join(format!("{module}_wrap.cxx"));
        let mut command = Command::new(self.swig()?);
        command
            .args(["-python", "-c++", "-module", module])
            .args(options)
            .arg("-outdir")
            .arg(dir)
            .arg("-o")
            .arg(&wrapped);
        well(command.arg(interface));
        let beside = interface.parent().and_then(Path::to_str).unwrap_or(".");
        self.compile(&wrapped, &format!("_{module}"), dir, &["-I", beside]);
        Ok(())
    }
}

/// Runs what has to succeed.
pub fn well(command: &mut Command) {
    let out = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}

fn runs(program: impl AsRef<OsStr>, option: &str) -> bool {
    let asked = Command::new(program).arg(option).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
