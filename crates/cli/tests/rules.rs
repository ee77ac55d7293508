//! The programs of docs/rules, on the oldest and the newest interpreter: a leak is named
//! as its page says, a cured one is not.  `UPDATE_GOLDEN=1` writes what undying says into
//! the pages, and the list of them, to be read in review.
#![allow(clippy::print_stderr)] // what was not held against a page is told

mod builds;
mod found;
mod pages;
mod stages;

use std::collections::BTreeSet;
use std::fs;

use builds::Tools;
use found::Python;
use pages::{Fence, Page};
use serde_json::Value;
use stages::{Stages, WORDS, line};
use undying_analysis::suspects::rules::RULES;

/// In the section of a page that was filled, before the interpreter's version.
const MARK: &str = "<!-- written by cargo xtask golden, Python ";

/// Rules of one heap, which RULES does not list.
const OF_ONE_HEAP: &[&str] = &["garbage", "retainer", "swig-destructor", "swig-newobject"];

/// Rules of counts, which RULES does not list either.
const OF_REFERENCES: &[&str] = &["lost-reference", "no-traverse", "orphan", "stolen-reference", "type-leak"];

/// What came of a program.
struct Outcome {
    complaints: Vec<String>,
    /// What undying said of the leak, in the page's words.
    said: Option<String>,
}

#[test]
fn leaks_are_named_and_cures_are_not() {
    let pages = pages::all();
    let fences: Vec<Fence> = pages.iter().flat_map(Page::fences).collect();
    let pythons = stages::oldest_and_newest();
    let jobs: Vec<(&Python, &Fence)> = pythons.iter().flat_map(|p| fences.iter().map(move |f| (p, f))).collect();
    let outcomes = stages::two_at_a_time(&jobs, |(python, fence)| outcome(python, fence));
    let mut complaints: Vec<String> = outcomes.iter().flat_map(|o| o.complaints.clone()).collect();
    if let Some(newest) = pythons.last() {
        let said = jobs.iter().zip(&outcomes).filter(|((python, _), _)| python.path == newest.path);
        let said = said.filter_map(|((_, fence), outcome)| Some((fence.page.as_str(), outcome.said.as_deref()?)));
        complaints.extend(untold_on_the_pages(&pages, newest, &said.collect::<Vec<_>>()));
    }
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

fn outcome(python: &Python, fence: &Fence) -> Outcome {
    let page = pages::file(&fence.page);
    let program = [page.to_str().expect("a path of letters"), &fence.word];
    let one_heap = fence.expects["command"] == "report";
    let modules = match built(python, fence) {
        Ok(modules) => modules,
        Err(why) => {
            assert!(std::env::var_os("CI").is_none(), "{}: {why}", fence.page);
            eprintln!("skipped: {} {} on Python {}: {why}", fence.page, fence.word, python.full);
            return Outcome { complaints: Vec::new(), said: None };
        }
    };
    let modules = modules.as_ref().map(tempfile::TempDir::path);
    let stages = Stages::beside(modules, python, &program, if one_heap { 1 } else { 3 });
    let mut outcome = match fence.expects.get("none") {
        Some(least) => Outcome { complaints: accused(&stages, least), said: None },
        None if one_heap => named(&stages, fence, &["report", "READY"], None),
        None => {
            let two = named(&stages, fence, &["diff", "READY", "DONE"], None);
            let three = named(&stages, fence, &["diff", "READY", "MORE", "DONE"], Some("high"));
            Outcome { complaints: [two.complaints, three.complaints].concat(), said: three.said }
        }
    };
    // where a module was built is of no interest, nor by which SWIG
    let built = modules.and_then(|m| m.to_str()).map(|m| format!("{m}/"));
    if let (Some(said), Some(built)) = (&mut outcome.said, built) {
        *said = said.replace(&built, "").replace("swig_runtime_data5.", "");
    }
    for complaint in &mut outcome.complaints {
        *complaint = format!("Python {} {} {}: {complaint}", python.full, fence.page, fence.word);
    }
    outcome
}

/// The directory of the module that a program wants; an error says why it cannot be had.
fn built(python: &Python, fence: &Fence) -> Result<Option<tempfile::TempDir>, String> {
    let Some((module, interface)) = fence.interface() else { return Ok(None) };
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join(format!("{module}.i"));
    fs::write(&file, interface).expect("writes");
    Tools::of(python)?.wrap(&file, &module, dir.path(), &[])?;
    Ok(Some(dir))
}

/// A cured program: nothing so sure in its second half, or over all of it.
fn accused(stages: &Stages, least: &Value) -> Vec<String> {
    let sure: &[&str] = if *least == "high" { &["high"] } else { &["high", "medium"] };
    let mut complaints = Vec::new();
    for words in [&WORDS[1..], &WORDS[..]] {
        let loud = stages.suspects(words).into_iter().filter(|s| sure.iter().any(|c| s["confidence"] == *c));
        complaints.extend(loud.map(|s| format!("{words:?} accuses {}", line(&s))));
    }
    complaints
}

/// A leak: one of the first three suspects is all that the page says.
fn named(stages: &Stages, fence: &Fence, question: &[&str], confidence: Option<&str>) -> Outcome {
    let answer = stages.json(question);
    let suspects = answer["suspects"].as_array().expect("a list");
    let first = &suspects[..suspects.len().min(3)];
    let Some(found) = first.iter().find(|s| is_expected(s, fence)) else {
        let all: Vec<String> = suspects.iter().take(5).map(line).collect();
        let complaint = format!("{question:?} does not name it: {}", all.join(" | "));
        return Outcome { complaints: vec![complaint], said: None };
    };
    let mut complaints = Vec::new();
    if let Some(expected) = confidence.filter(|c| found["confidence"] != *c) {
        complaints.push(format!("{question:?} is not of {expected} confidence: {}", line(found)));
    }
    let text = stages.well(question);
    let block = pages::block(&text, found["rank"].as_u64().expect("a number"));
    // where a module lies is of no interest
    let module = found["module_file"].as_str().and_then(|file| file.rsplit_once('/'));
    let block = module.map_or(block.clone(), |(dir, _)| block.replace(&format!("{dir}/"), ""));
    Outcome { complaints, said: Some(format!("$ undying {}\n{block}", question.join(" "))) }
}

fn is_expected(suspect: &Value, fence: &Fence) -> bool {
    let expects = &fence.expects;
    let (class, way) = (suspect["type"].as_str().unwrap_or(""), suspect["path_text"].as_str().unwrap_or(""));
    let of_type = any(&expects["type"], |t| class == t || class.ends_with(&format!(".{t}")));
    let of_kind = any(&expects["kind"], |k| suspect["kind"] == k);
    let rule = expects["rule"].as_str().unwrap_or(&fence.page);
    let mut holders = expects["holder"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let held = holders.all(|words| words.split('|').any(|w| way.contains(w)));
    of_type && of_kind && held && suspect["rule"] == rule
}

/// Whether a word, or one of a list of them, is so.
fn any(words: &Value, mut is: impl FnMut(&str) -> bool) -> bool {
    match words {
        Value::Array(words) => words.iter().filter_map(Value::as_str).any(is),
        word => is(word.as_str().expect("a word")),
    }
}

/// Holds the pages against what was said, or writes it there.
fn untold_on_the_pages(pages: &[Page], python: &Python, said: &[(&str, &str)]) -> Vec<String> {
    let (major, minor) = python.version;
    let mark = format!("{MARK}{major}.{minor} -->\n");
    let mut missing = Vec::new();
    for page in pages {
        let said: Vec<&str> = said.iter().filter(|(name, _)| *name == page.name).map(|(_, text)| *text).collect();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let fences: String = said.iter().map(|text| format!("\n```text\n{text}\n```\n")).collect();
            fs::write(pages::file(&page.name), page.with_section(&(mark.clone() + &fences))).expect("writes");
        } else if page.section().contains(&mark) || !page.section().contains(MARK) {
            let told = said.iter().filter(|text| !page.section().contains(&pages::head(text)));
            missing
                .extend(told.map(|text| format!("{} lacks (cargo xtask golden):\n{}", page.name, pages::head(text))));
        } else {
            eprintln!("{} was not written on Python {major}.{minor}, so it was not held against it", page.name);
        }
    }
    missing
}

#[test]
fn the_list_of_rules_is_that_of_the_pages() {
    let readme = pages::file("README");
    let text = fs::read_to_string(&readme).expect("is there");
    let listed = pages::listed(&text, &pages::all());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(readme, listed).expect("writes");
    } else {
        assert_eq!(text, listed, "cargo xtask golden writes the list");
    }
}

#[test]
fn every_rule_has_its_page_and_every_page_its_rule() {
    let others = OF_ONE_HEAP.iter().chain(OF_REFERENCES).copied();
    let rules: BTreeSet<&str> = RULES.iter().map(|r| r.name).chain(others).collect();
    let pages = pages::all();
    assert_eq!(pages.iter().map(|p| p.name.as_str()).collect::<BTreeSet<_>>(), rules);
    for page in &pages {
        let headings: Vec<&str> = page.text.lines().filter_map(|l| l.strip_prefix("## ")).collect();
        let all = ["What it sees", "A real example", "What undying says", "The cure", "When it is wrong"];
        assert_eq!(headings, all, "{}", page.name);
        let fences = page.fences();
        let of = |word: &str| -> BTreeSet<String> {
            fences.iter().filter_map(|f| f.word.strip_prefix(word)).map(str::to_owned).collect()
        };
        assert!(!of("leak").is_empty() && of("leak") == of("cured"), "{}: each leak has its cure", page.name);
    }
}
