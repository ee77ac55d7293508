//! `cargo xtask wheel`: builds the wheel as pip does, installs it into a fresh environment
//! of each interpreter and lets tests/python ask it what a user asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::test::{pythons, silently, target_directory};

/// The oldest Python that can import it.
const OLDEST: (u32, u32) = (3, 9);

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
        if newest == Some(*version) {
            let tables = root.join("tests/requirements/tables.txt");
            if let Err(e) = silently(pip(&inside).args(["install", "-r"]).arg(tables)) {
                println!("without pandas and pyarrow: {e:#}");
            }
        }
        println!("Python {name}");
        let mut tests = Command::new(&inside);
        tests.args(["-m", "unittest", "discover", "--start-directory"]).arg(root.join("tests/python"));
        ensure!(tests.status().context("cannot run Python")?.success(), "tests/python fails on Python {name}");
    }
    ensure!(wheel.is_some(), "no Python from {}.{} on was found", OLDEST.0, OLDEST.1);
    Ok(())
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
    words.env("CARGO_TARGET_DIR", target_directory(root));
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
