//! The interpreters that are here.  A test that needs one runs on every one of
//! them; what is not here is said, never guessed.
#![allow(dead_code)] // each test file uses its part

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One interpreter.
#[derive(Clone, Debug)]
pub struct Python {
    /// Its executable.
    pub path: PathBuf,
    /// Major and minor version.
    pub version: (u32, u32),
    /// `3.11.7`
    pub full: String,
}

impl Python {
    /// Whether its memory is understood.
    pub fn is_supported(&self) -> bool {
        ((3, 8)..=(3, 13)).contains(&self.version)
    }
}

/// Every interpreter found: those named in UNDYING_PYTHONS (separated by colons),
/// else pyenv's and those on the PATH; one for each build.
pub fn all() -> Vec<Python> {
    let named = std::env::var_os("UNDYING_PYTHONS");
    let candidates = match &named {
        Some(list) => std::env::split_paths(list).collect(),
        None => usual_places(),
    };
    let mut builds = BTreeMap::new();
    for path in candidates {
        if let Some((key, python)) = ask(&path) {
            builds.entry(key).or_insert(python);
        }
    }
    let all: Vec<Python> = builds.into_values().collect();
    assert!(!all.is_empty(), "no Python is here: install one, or name some in UNDYING_PYTHONS");
    let missing: Vec<String> = (8..=13)
        .filter(|&minor| !all.iter().any(|p| p.version == (3, minor)))
        .map(|minor| format!("3.{minor}"))
        .collect();
    if !missing.is_empty() {
        eprintln_skipped(&missing.join(", "));
    }
    all
}

/// Those whose memory is understood.
pub fn supported() -> Vec<Python> {
    all().into_iter().filter(Python::is_supported).collect()
}

#[allow(clippy::print_stderr)]
fn eprintln_skipped(missing: &str) {
    eprintln!("not found, so not tested: Python {missing}");
}

fn usual_places() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let pyenv = std::env::var_os("PYENV_ROOT").map_or(home.join(".pyenv"), PathBuf::from);
    let versions = std::fs::read_dir(pyenv.join("versions")).into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = versions.map(|v| v.path().join("bin/python")).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    for dir in std::env::split_paths(&path).filter(|d| !d.ends_with("shims")) {
        places.extend((6..=15).map(|minor| dir.join(format!("python3.{minor}"))));
        places.extend(["python3", "python2.7"].map(|name| dir.join(name)));
    }
    places.retain(|p| p.exists());
    places
}

/// What tells builds apart, and the interpreter.
fn ask(path: &Path) -> Option<(String, Python)> {
    let code = "import sys; print('%d %d %d'%sys.version_info[:3]); print(sys.version.replace(chr(10),' ')); \
                print(sys.base_prefix if hasattr(sys,'base_prefix') else sys.prefix)";
    let out = Command::new(path).args(["-c", code]).output().ok().filter(|o| o.status.success())?;
    let text = String::from_utf8(out.stdout).ok()?;
    let mut lines = text.lines();
    let numbers: Vec<u32> = lines.next()?.split(' ').filter_map(|n| n.parse().ok()).collect();
    let &[major, minor, patch] = numbers.as_slice() else {
        return None;
    };
    let key = format!("{major:02}.{minor:02}.{patch:02} {}", lines.collect::<Vec<_>>().join(" "));
    let full = format!("{major}.{minor}.{patch}");
    Some((key, Python { path: path.into(), version: (major, minor), full }))
}

/// The built command.
pub const UNDYING: &str = match option_env!("CARGO_BIN_EXE_undying") {
    Some(path) => path,
    None => "undying",
};

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/cli lies two below the root")
}
