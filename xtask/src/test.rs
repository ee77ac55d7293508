//! `cargo xtask test`: sets up what the tests want and runs them all;
//! `cargo xtask golden` renews the golden reports and the pages of rules.  Knows where
//! environments lie, not what the tests do with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Set while the tests run, so that a test does not start them all again.
const INSIDE: &str = "UNDYING_TESTS";

/// Where tests find an environment for each interpreter: `DIR/3.X/bin/python`.
const ENVIRONMENTS: &str = "UNDYING_TEST_ENVS";

/// What `test` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only say what would be set up and run
    #[arg(long)]
    list: bool,
    /// Handed to cargo test
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Sets up and runs.
pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let environments = target_directory(root).join("test-env");
    let pythons = pythons();
    let mut words = vec!["test".to_owned(), "--workspace".to_owned()];
    words.extend(arguments.rest.iter().cloned());
    for ((major, minor), python) in &pythons {
        println!("{} -m venv {}", python.display(), environments.join(format!("{major}.{minor}")).display());
    }
    println!("cargo {}", words.join(" "));
    if arguments.list {
        return Ok(());
    }
    let newest = pythons.keys().next_back().copied();
    for (version, python) in &pythons {
        let mut wanted = vec![root.join("tests/requirements/every.txt")];
        if Some(*version) == newest {
            wanted.push(root.join("tests/requirements/tables.txt"));
        }
        let name = format!("{}.{}", version.0, version.1);
        if let Err(e) = set_up(python, &environments.join(&name), &wanted) {
            println!("no environment for Python {name}, so the tests that want one are left out: {e:#}");
        }
    }
    cargo(root, &words, &[(INSIDE, "1".as_ref()), (ENVIRONMENTS, environments.as_os_str())])
}

/// Writes the golden reports anew, and what the pages of docs/rules quote.
pub fn golden(root: &Path) -> Result<()> {
    let words = ["test", "-p", "undying-cli", "--test", "examples", "--test", "rules"].map(str::to_owned);
    cargo(root, &words, &[("UPDATE_GOLDEN", "1".as_ref())])
}

fn cargo(root: &Path, words: &[String], variables: &[(&str, &std::ffi::OsStr)]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(words).current_dir(root).envs(variables.iter().copied());
    if !command.status().context("cannot run cargo")?.success() {
        bail!("cargo {} failed", words.join(" "));
    }
    Ok(())
}

pub fn target_directory(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// One interpreter for each version from 3.8 to 3.13: pyenv's, else the PATH's.
pub fn pythons() -> BTreeMap<(u32, u32), PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let pyenv = std::env::var_os("PYENV_ROOT").map_or(home.join(".pyenv"), PathBuf::from);
    let built = fs::read_dir(pyenv.join("versions")).into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = built.map(|v| v.path().join("bin/python")).collect();
    places.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    for dir in std::env::split_paths(&path).filter(|d| !d.ends_with("shims")) {
        places.extend((8..=13).map(|minor| dir.join(format!("python3.{minor}"))));
        places.push(dir.join("python3"));
    }
    let mut found = BTreeMap::new();
    for place in places.into_iter().filter(|p| p.is_file()) {
        if let Some(version) = version(&place).filter(|v| ((3, 8)..=(3, 13)).contains(v)) {
            found.entry(version).or_insert(place);
        }
    }
    found
}

fn version(python: &Path) -> Option<(u32, u32)> {
    let code = "import sys; print('%d.%d' % sys.version_info[:2])";
    let out = Command::new(python).args(["-c", code]).output().ok().filter(|o| o.status.success())?;
    let text = String::from_utf8(out.stdout).ok()?;
    let (major, minor) = text.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// An environment with these requirements; what is there already is kept.
fn set_up(python: &Path, environment: &Path, wanted: &[PathBuf]) -> Result<()> {
    let stamp = environment.join("installed");
    let texts: Result<Vec<String>, _> = wanted.iter().map(fs::read_to_string).collect();
    let asked = texts.context("cannot read tests/requirements")?.concat();
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == asked) {
        return Ok(());
    }
    silently(Command::new(python).args(["-m", "venv", "--clear"]).arg(environment))?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    wanted.iter().for_each(|file| {
        pip.arg("-r").arg(file);
    });
    silently(&mut pip)?;
    fs::write(&stamp, asked).context("cannot write into the environment")
}

pub fn silently(command: &mut Command) -> Result<()> {
    let out = command.output().context("cannot be run")?;
    if !out.status.success() {
        let words = String::from_utf8_lossy(&out.stderr);
        bail!("{}", words.lines().last().unwrap_or("it failed without a word"));
    }
    Ok(())
}
