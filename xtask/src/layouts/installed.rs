//! The interpreters of this machine: where pyenv keeps them, what they say of
//! themselves, which of their files hold debug information.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// One installed interpreter.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The directory that holds `bin`, `lib` and `include`.
    pub prefix: PathBuf,
    /// `PY_VERSION_HEX`.
    pub hexversion: u32,
    /// `GCC 12.2.0`.
    pub compiler: String,
}

/// The directory of pyenv's versions: `PYENV_ROOT`, or `.pyenv` in the home directory.
pub fn versions() -> Option<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")))?;
    Some(root.join("versions"))
}

impl Installed {
    /// The interpreter pyenv knows by this version, if it is there.
    pub fn find(version: &str) -> Result<Option<Installed>> {
        let Some(prefix) = versions().map(|versions| versions.join(version)) else {
            return Ok(None);
        };
        if !prefix.join("bin/python3").exists() {
            return Ok(None);
        }
        let said =
            run(&prefix.join("bin/python3"), "import sys,platform;print(sys.hexversion,platform.python_compiler())")?;
        let (hexversion, compiler) = said.trim().split_once(' ').context("python3 said nothing of its version")?;
        let hexversion = hexversion.parse().context("python3 said no version")?;
        Ok(Some(Installed { prefix, hexversion, compiler: compiler.to_string() }))
    }

    /// The directory of `Python.h`.
    pub fn include(&self, minor: &str) -> PathBuf {
        self.prefix.join(format!("include/python{minor}"))
    }

    /// The files to read debug information from, the interpreter itself first, then
    /// its extension modules by name, those made for CPython's own tests left out.
    pub fn objects(&self, minor: &str) -> Result<Vec<PathBuf>> {
        let lib = self.prefix.join("lib");
        let shared = lib.join(format!("libpython{minor}.so.1.0"));
        let main = if shared.exists() { shared } else { self.prefix.join(format!("bin/python{minor}")) };
        let dynload = lib.join(format!("python{minor}/lib-dynload"));
        let entries = std::fs::read_dir(&dynload).with_context(|| format!("cannot list {}", dynload.display()))?;
        let mut modules = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".so") && !name.contains("_test") && !name.starts_with("xx") && !name.starts_with("_xx") {
                modules.push(path);
            }
        }
        modules.sort();
        modules.insert(0, main);
        Ok(modules)
    }
}

/// What an interpreter prints when it runs `program`.
pub fn run(python: &Path, program: &str) -> Result<String> {
    let output = Command::new(python).args(["-I", "-c", program]).output();
    let output = output.with_context(|| format!("cannot run {}", python.display()))?;
    if !output.status.success() {
        bail!("{} failed: {}", python.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
