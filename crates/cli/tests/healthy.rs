//! Programs that only look as if they leaked, on the oldest and the newest interpreter:
//! none is accused.  A program of which looks alone cannot tell says so in a line
//! `# allowed: CONFIDENCE`, and may be suspected so much over three snapshots.

mod found;
mod stages;

use std::fs;
use std::path::PathBuf;

use found::Python;
use stages::{Stages, WORDS, line};

const CONFIDENCES: [&str; 3] = ["low", "medium", "high"];

fn programs() -> Vec<PathBuf> {
    let files = fs::read_dir(found::root().join("tests/targets/healthy")).expect("is there").flatten();
    let mut programs: Vec<PathBuf> =
        files.map(|f| f.path()).filter(|p| p.extension().is_some_and(|e| e == "py")).collect();
    programs.sort();
    assert!(programs.len() >= 40, "the programs are gone: {programs:?}");
    programs
}

/// The surest that a suspect of this program may be over three snapshots, as an index.
fn allowed(text: &str) -> usize {
    let marked = text.lines().find_map(|l| l.strip_prefix("# allowed: "));
    marked.map_or(0, |word| CONFIDENCES.iter().position(|c| *c == word).expect("a confidence"))
}

/// Who is suspected more than they may be.
fn accused(python: &Python, program: &PathBuf) -> Vec<String> {
    let text = fs::read_to_string(program).expect("UTF-8");
    let stages = Stages::of(python, &[program.to_str().expect("a path of letters")], 3);
    let mut complaints = Vec::new();
    for (words, most) in [(&WORDS[1..], 0), (&["READY", "DONE"], 1), (&WORDS[..], allowed(&text))] {
        let loud = stages.suspects(words).into_iter().filter(|s| {
            let sure = CONFIDENCES.iter().position(|c| s["confidence"] == *c);
            sure.expect("a confidence") > most
        });
        let name = program.file_stem().expect("a name").to_string_lossy();
        complaints.extend(loud.map(|s| format!("Python {} {name} {words:?}: {}", python.full, line(&s))));
    }
    complaints
}

#[test]
fn nothing_healthy_is_accused() {
    let (pythons, programs) = (stages::oldest_and_newest(), programs());
    let jobs: Vec<(&Python, &PathBuf)> = pythons.iter().flat_map(|p| programs.iter().map(move |f| (p, f))).collect();
    let complaints = stages::two_at_a_time(&jobs, |(python, program)| accused(python, program)).concat();
    assert!(complaints.is_empty(), "{} accused:\n{}", complaints.len(), complaints.join("\n"));
}
