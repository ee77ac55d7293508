//! The README's two commands, run as they are written there.

mod found;

use std::fs;
use std::process::Command;

/// The commands in the README's shell blocks, in order.
fn commands() -> Vec<String> {
    let text = fs::read_to_string(found::root().join("README.md")).expect("is there");
    let mut commands = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line) {
            (false, "```sh") => inside = true,
            (true, "```") => inside = false,
            (true, command) => commands.push(command.to_owned()),
            _ => {}
        }
    }
    commands
}

/// Whether `cargo xtask test` runs us: it must not be run again by us.
fn inside() -> bool {
    std::env::var_os("UNDYING_TESTS").is_some()
}

#[test]
fn the_first_command_reports_the_pair() {
    let command = &commands()[0];
    assert_eq!(command, "cargo run --release --quiet -- run examples/a_and_b.py");
    if !python3_is_supported() {
        return;
    }
    let out = Command::new("sh").args(["-c", command]).current_dir(found::root()).output().expect("runs");
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}");
    for words in ["born here.", "1 suspect", "__main__.LeakTest", "A —.b→ B —.a→ A", "make weak"] {
        assert!(said.contains(words), "{words} is not in:\n{said}");
    }
}

#[test]
fn the_second_command_runs_all_tests() {
    let mut command = commands()[1].clone();
    assert_eq!(command, "cargo xtask test");
    if inside() {
        command.push_str(" --list");
    }
    let out = Command::new("sh").args(["-c", &command]).current_dir(found::root()).output().expect("runs");
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}");
    assert!(said.contains("cargo test --workspace"), "{said}");
}

/// What the README shows is what undying says.
#[test]
fn the_picture_is_the_golden_report() {
    let text = fs::read_to_string(found::root().join("README.md")).expect("is there");
    let golden = fs::read_to_string(found::root().join("crates/cli/tests/golden/a_and_b.txt")).expect("is there");
    for line in golden.lines().filter(|l| !l.contains('N')) {
        assert!(text.contains(line), "README.md does not show {line:?}");
    }
}

fn python3_is_supported() -> bool {
    let code = "import sys; sys.exit(not (3, 8) <= sys.version_info[:2] <= (3, 13))";
    let supported = Command::new("python3").args(["-c", code]).status().is_ok_and(|s| s.success());
    if !supported {
        skip("the python3 on the PATH cannot be read");
    }
    supported
}

#[allow(clippy::print_stderr)]
fn skip(why: &str) {
    eprintln!("skipped: {why}");
}
