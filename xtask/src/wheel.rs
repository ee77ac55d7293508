//! `cargo xtask wheel`: builds the wheel as pip does, installs it into a fresh environment
//! of each interpreter and lets tests/python ask it what a user asks.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::test::{pythons, silently, target_directory};

/// The oldest Python that can import it.
const OLDEST: (u32, u32) = (3, 9);

/// The compiler's flags, separated by 0x1f.
const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";

/// Builds and tests.
pub fn run(root: &Path) -> Result<()> {
    let place = target_directory(root).join("wheel");
    let pythons: Vec<_> = pythons().into_iter().filter(|(version, _)| *version >= OLDEST).collect();
    let newest = pythons.last().map(|(version, _)| *version);
    let mut wheel = None;
    for (version, python) in pythons.iter().rev() {
        let name = format!("{}.{}", version.0, version.1);
        let environment = place.join(&name);
        silently(Command::new(python).args(["-m", "venv", "--clear"]).arg(&environment))
            .with_context(|| format!("no environment for Python {name}"))?;
        let inside = environment.join("bin/python");
        if wheel.is_none() {
            wheel = Some(build(root, &inside, &place.join("dist"))?);
        }
        let Some(wheel) = &wheel else { continue };
        silently(pip(&inside).args(["install", "--no-index"]).arg(wheel))?;
        println!("Python {name}");
        install(root, &inside, "pytest.txt");
        if newest == Some(*version) {
            install(root, &inside, "frames.txt");
        }
        let mut tests = Command::new(&inside);
        tests.args(["-m", "unittest", "discover", "--start-directory"]).arg(root.join("tests/python"));
        ensure!(tests.status().context("cannot run Python")?.success(), "tests/python fails on Python {name}");
    }
    ensure!(wheel.is_some(), "no Python from {}.{} on was found", OLDEST.0, OLDEST.1);
    Ok(())
}

/// What tests can do without, and then say so.
fn install(root: &Path, python: &Path, requirements: &str) {
    let file = root.join("tests/requirements").join(requirements);
    if let Err(e) = silently(pip(python).args(["install", "-r"]).arg(file)) {
        println!("without {requirements}: {e:#}");
    }
}

fn pip(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]);
    pip
}

/// The wheel, in a directory of its own.
fn build(root: &Path, python: &Path, dist: &Path) -> Result<PathBuf> {
    let began = Instant::now();
    if dist.exists() {
        fs::remove_dir_all(dist).context("cannot empty the directory for the wheel")?;
    }
    let mut words = pip(python);
    words.args(["wheel", "--no-deps", "--wheel-dir"]).arg(dist).arg(root);
    words.env("CARGO_TARGET_DIR", target_directory(root)).env(FLAGS, flags(root)?);
    if !words.status().context("cannot run pip")?.success() {
        bail!("pip wheel failed");
    }
    let mut found = fs::read_dir(dist).context("no wheel")?.flatten().map(|entry| entry.path());
    let wheel = found.find(|path| path.extension().is_some_and(|e| e == "whl")).context("pip made no wheel")?;
    let bytes = fs::metadata(&wheel)?.len();
    let seconds = began.elapsed().as_secs();
    println!("{} in {seconds} s, {:.1} MB", wheel.display(), bytes as f64 / 1e6);
    Ok(wheel)
}

/// The flags there are, and those that keep this machine's directories out of the wheel:
/// a panic names the file it comes from.  `.ci/run` gives the latter to every build.
fn flags(root: &Path) -> Result<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    silently(Command::new(cargo).args(["fetch", "--locked"]).current_dir(root))?;
    let given = env::var(FLAGS).map(|flags| flags.split('\x1f').map(str::to_owned).collect());
    let spaced = |_| env::var("RUSTFLAGS").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let mut flags: Vec<String> = given.unwrap_or_else(spaced);
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let sources = env::var_os("CARGO_HOME").map_or(home.join(".cargo"), PathBuf::from).join("registry/src");
    for place in fs::read_dir(sources).into_iter().flatten().flatten() {
        let flag = format!("--remap-path-prefix={}=registry", place.path().display());
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    flags.retain(|flag| !flag.is_empty());
    Ok(flags.join("\x1f"))
}
