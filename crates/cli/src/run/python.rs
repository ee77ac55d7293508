//! Which Python runs the program.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};

/// The one named; else the active virtual environment's; else `python3`, else
/// `python` on the PATH, as a shell would find them.
pub fn find(named: Option<&Path>) -> Result<OsString, Failure> {
    if let Some(path) = named {
        return explicit(path);
    }
    let environment = std::env::var_os("VIRTUAL_ENV").filter(|v| !v.is_empty());
    if let Some(python) = environment.map(|v| Path::new(&v).join("bin/python")).filter(|p| is_program(p)) {
        return Ok(python.into());
    }
    let found = ["python3", "python"].into_iter().find(|name| on_path(name).is_some());
    found.map(OsString::from).ok_or_else(|| {
        let sentence = "no Python was found: neither python3 nor python is on the PATH; name one with --python PATH";
        Failure::new(Exit::Target, sentence)
    })
}

/// It was found and would not start.
pub fn cannot_start(python: &OsString, e: std::io::Error) -> Failure {
    let sentence = format!("cannot run {}: {e}; name an interpreter with --python PATH", python.to_string_lossy());
    Failure::new(Exit::Target, sentence)
}

fn explicit(path: &Path) -> Result<OsString, Failure> {
    // A bare name is looked for on the PATH, as a shell does.
    let bare = path.components().count() == 1 && !path.as_os_str().to_string_lossy().contains('/');
    let there = if bare { on_path(&path.to_string_lossy()).is_some() } else { is_program(path) };
    if there {
        return Ok(path.into());
    }
    let sentence = format!("{} is no program that can be run; give --python an interpreter's path", path.display());
    Err(Failure::new(Exit::Target, sentence))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| is_program(p))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
