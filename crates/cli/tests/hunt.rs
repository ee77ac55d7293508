//! What each call leaves behind is told, and what fills once is not: callables with one
//! leak each, and healthy ones, on every interpreter found.

mod found;

use std::process::{Command, Output};

use found::{Python, UNDYING};
use serde_json::Value;

fn undying(python: &Python, arguments: &[&str]) -> Output {
    let mut command = Command::new(UNDYING);
    command.arg("hunt").args(arguments).arg("--python").arg(&python.path);
    command.current_dir(found::root().join("tests/targets")).env_remove("PYTHONPATH");
    command.output().expect("runs")
}

fn json(python: &Python, name: &str, more: &[&str]) -> Value {
    let callable = format!("hunted:{name}");
    let out = undying(python, &[&["--format", "json", &callable], more].concat());
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "Python {} {name}: {stderr}", python.full);
    serde_json::from_slice(&out.stdout).expect("JSON")
}

/// Each of these on every interpreter.
fn everywhere(names: &[&str], more: &[&str], check: impl Fn(&str, &Value, &str)) {
    for python in found::supported() {
        for name in names {
            let said = json(&python, name, more);
            check(name, &said, &format!("Python {} {name}: {said:#}", python.full));
        }
    }
}

fn figure(said: &Value, name: &str) -> f64 {
    said["per_call"][name].as_f64().unwrap_or(f64::NAN)
}

/// The class's row.
fn row<'a>(said: &'a Value, class: &str) -> &'a Value {
    let rows = said["leaks"].as_array().expect("a list");
    rows.iter().find(|r| r["type"] == class).unwrap_or(&Value::Null)
}

fn near(is: f64, wanted: f64) -> bool {
    (is - wanted).abs() <= 0.005
}

#[test]
fn an_object_kept_by_each_call_is_counted_and_its_holder_named() {
    everywhere(&["keeps"], &[], |_, said, all| {
        assert_eq!((said["verdict"].as_str(), said["command"].as_str()), (Some("leak"), Some("hunt")), "{all}");
        assert!(near(figure(said, "objects"), 1.0) && figure(said, "references") == 0.0, "{all}");
        let row = row(said, "hunted.Thing");
        assert!(near(row["count_per_call"].as_f64().unwrap_or(0.0), 1.0), "{all}");
        let suspect = &said["suspects"][0];
        assert_eq!((suspect["type"].as_str(), suspect["rank"].as_u64()), (Some("hunted.Thing"), Some(1)), "{all}");
        assert!(suspect["path_text"].as_str().unwrap_or("").contains("hunted.kept"), "{all}");
        for born in [&suspect["born"][0], &row["born"][0]] {
            assert!(born.as_str().unwrap_or("").contains("in keeps"), "{all}");
        }
        let judged = said["rounds"].as_array().expect("a list").iter().filter(|r| r["judged"] == true);
        let (mut rounds, calls) = (0, said["calls"].as_u64().unwrap_or(0));
        for round in judged {
            let figure = |name: &str| round[name].as_i64().unwrap_or(0);
            assert!((figure("objects") - figure("calls")).abs() <= 2, "{all}");
            rounds += 1;
        }
        assert!(rounds >= 4 && calls >= 10_000, "{all}");
    });
}

#[test]
fn one_in_ten_calls_is_a_leak() {
    everywhere(&["keeps_one_in_ten"], &[], |_, said, all| {
        assert_eq!(said["verdict"], "leak", "{all}");
        assert!(near(figure(said, "objects"), 0.1), "{all}");
        assert_eq!(said["suspects"][0]["type"], "hunted.Thing", "{all}");
    });
}

#[test]
fn what_holds_more_and_more_of_what_is_there_anyhow_leaks() {
    everywhere(&["keeps_nothing_new"], &[], |_, said, all| {
        assert_eq!(said["verdict"], "leak", "{all}");
        assert!(near(row(said, "list")["entries_per_call"].as_f64().unwrap_or(0.0), 1.0), "{all}");
        assert_eq!((figure(said, "objects"), figure(said, "references")), (0.0, 0.0), "{all}");
    });
}

#[test]
fn references_without_a_holder_are_counted() {
    for (name, rate) in [("gains_a_reference", 1.0), ("loses_a_reference", -1.0)] {
        everywhere(&[name], &[], |_, said, all| {
            assert_eq!(said["verdict"], "leak", "{all}");
            assert!(near(figure(said, "references"), rate) && figure(said, "objects") == 0.0, "{all}");
            let row = row(said, "hunted.Thing");
            assert!(near(row["references_per_call"].as_f64().unwrap_or(0.0), rate), "{all}");
        });
    }
}

#[test]
fn an_object_without_a_holder_is_counted() {
    everywhere(&["orphans"], &[], |_, said, all| {
        assert_eq!(said["verdict"], "leak", "{all}");
        assert!(near(figure(said, "objects"), 1.0) && figure(said, "references") == 0.0, "{all}");
        assert!(near(row(said, "hunted.Thing")["count_per_call"].as_f64().unwrap_or(0.0), 1.0), "{all}");
    });
}

#[test]
fn what_is_lost_on_the_way_out_is_found_where_errors_are_expected() {
    everywhere(&["orphans_on_the_way_out"], &["--expect-errors"], |_, said, all| {
        assert_eq!(said["verdict"], "leak", "{all}");
        assert!(near(figure(said, "objects"), 1.0), "{all}");
        assert_eq!(said["raised"], said["calls"], "{all}");
    });
}

#[test]
fn memory_that_is_no_object_is_counted() {
    everywhere(&["allocates"], &[], |_, said, all| {
        assert_eq!(said["verdict"], "leak", "{all}");
        assert!(near(figure(said, "blocks"), 1.0) && figure(said, "objects") == 0.0, "{all}");
    });
    everywhere(&["mallocs"], &[], |_, said, all| {
        assert_eq!(said["verdict"], "leak", "{all}");
        // 100 bytes, as glibc counts them: with 8 of its own, in sixteens
        assert!(near(figure(said, "native_bytes"), 112.0) && near(figure(said, "bytes"), 112.0), "{all}");
        assert_eq!(figure(said, "blocks"), 0.0, "{all}");
    });
}

#[test]
fn what_fills_once_is_no_leak() {
    let healthy = [
        "nothing",
        "makes_cycles",
        "fills_an_lru_cache",
        "fills_600_entries",
        "compiles_patterns",
        "interns",
        "fills_a_pool",
        "imports_late",
        "draws_coupons",
        "doubles_its_storage",
    ];
    everywhere(&healthy, &["--fail-on", "any"], |_, said, all| {
        assert_eq!(said["verdict"], "clean", "{all}");
        for figure in ["references", "objects", "bytes", "blocks", "native_bytes"] {
            assert_eq!(said["per_call"][figure], 0.0, "{all}");
        }
        for list in ["leaks", "suspects", "undecided"] {
            assert_eq!(said[list], Value::Array(Vec::new()), "{all}");
        }
    });
    everywhere(&["raises"], &["--expect-errors", "--fail-on", "any"], |_, said, all| {
        assert_eq!(said["verdict"], "clean", "{all}");
    });
}

#[test]
fn coroutines_methods_and_arguments_are_called_as_they_should() {
    everywhere(&["keeps_in_a_coroutine", "Service.handle"], &[], |name, said, all| {
        let class = if name == "Service.handle" { "hunted.Entry" } else { "hunted.Thing" };
        assert!(near(row(said, class)["count_per_call"].as_f64().unwrap_or(0.0), 1.0), "{all}");
    });
    let arguments = ["-n", "50", "--args", "-3", "\"a b\"", "more=[1, 2]"];
    everywhere(&["takes"], &arguments, |_, said, all| {
        assert!(near(figure(said, "objects"), 1.0), "{all}");
        let rounds = said["rounds"].as_array().expect("a list");
        assert!(rounds.iter().filter(|r| r["judged"] == true).all(|r| r["calls"] == 50), "{all}");
    });
}

/// The newest interpreter that can be read, where one is enough.
fn newest() -> Python {
    found::supported().pop().expect("one was found")
}

#[test]
fn a_script_is_loaded_without_its_main_part() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("repro.py");
    std::fs::write(dir.path().join("beside.py"), "kept = []").expect("writes");
    let text = "import beside\nclass C: pass\ndef step(): beside.kept.append(C())\nif __name__ == '__main__': 1/0\n";
    std::fs::write(&file, text).expect("writes");
    for python in found::supported() {
        let out = undying(&python, &["--format", "json", "-n", "100", "--script", file.to_str().expect("UTF-8")]);
        let stderr = String::from_utf8_lossy(&out.stderr);
        let said: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
        assert!(near(row(&said, "repro.C")["count_per_call"].as_f64().unwrap_or(0.0), 1.0), "{said:#}");
        assert!(said["suspects"][0]["path_text"].as_str().unwrap_or("").contains("beside.kept"), "{said:#}");
    }
}

#[test]
fn people_read_the_verdict_first() {
    let python = newest();
    let text = |name: &str| {
        let out = undying(&python, &["-q", name]);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && stderr.is_empty(), "{stderr}");
        String::from_utf8(out.stdout).expect("UTF-8")
    };
    // wrapped as it may be
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = text("hunted:keeps");
    let third = said.lines().nth(2).unwrap_or("");
    assert!(third.starts_with("Leaks: 1.00 objects, 0 references, ") && third.ends_with(" bytes a call."), "{said}");
    let told = words(said.clone());
    for words in ["hunted.Thing", "hunted.kept[…] → Thing", "in keeps", "judged"] {
        assert!(told.contains(words), "{words} is not in:\n{said}");
    }
    assert!(!told.contains("next"), "the process is gone: there is nothing to ask next\n{said}");
    assert!(words(text("hunted:nothing")).contains("No leak: nothing grows with the calls."));
    assert!(words(text("hunted:loses_a_reference")).contains("will vanish while in use"));
}

#[test]
fn the_programs_own_words_are_not_in_the_answer() {
    let out = undying(&newest(), &["--format", "json", "-n", "20", "hunted:prints"]);
    assert!(serde_json::from_slice::<Value>(&out.stdout).is_ok_and(|said| said["verdict"] == "clean"));
    assert!(String::from_utf8_lossy(&out.stderr).contains("a word of the program\n"));
}

#[test]
fn fail_on_tells_by_the_exit_status() {
    let python = newest();
    let status = |arguments: &[&str]| undying(&python, arguments).status.code();
    assert_eq!(status(&["hunted:keeps", "--fail-on", "growth:high"]), Some(1));
    assert_eq!(status(&["hunted:keeps", "--fail-on", "bytes"]), Some(0));
    assert_eq!(status(&["hunted:mallocs", "--fail-on", "any"]), Some(1));
    assert_eq!(status(&["hunted:gains_a_reference", "--fail-on", "references"]), Some(1));
    assert_eq!(status(&["hunted:nothing", "--fail-on", "any"]), Some(0));
}

#[test]
fn what_goes_wrong_is_a_sentence_and_an_exit_status() {
    let python = newest();
    let cases: [(&[&str], i32, &[&str]); 11] = [
        (&["hunted"], 2, &["MODULE:CALLABLE"]),
        (&[], 2, &["MODULE:CALLABLE"]),
        (&["hunted:keeps", "--script", "x.py"], 2, &["cannot be used with"]),
        (&["--script", "no_such_file.py"], 2, &["is no file"]),
        (&["hunted:takes", "--args", "[1"], 2, &["neither JSON nor a Python literal"]),
        (&["no_such_module:f"], 3, &["no_such_module", "cannot be imported"]),
        (&["hunted:no_such_name"], 3, &["no such callable", "no_such_name"]),
        (&["hunted:kept"], 3, &["list"]),
        (&["hunted:raises"], 3, &["in raises", "ValueError: as it is meant", "--expect-errors"]),
        (&["hunted:leaves"], 3, &["SystemExit(5)"]),
        (&["hunted:crashes"], 3, &["signal 11"]),
    ];
    for (arguments, status, words) in cases {
        let out = undying(&python, arguments);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(status), "{arguments:?}: {stderr}");
        assert!(out.stdout.is_empty(), "{arguments:?}");
        for word in words {
            assert!(stderr.contains(word), "{arguments:?}: {word:?} is not in: {stderr}");
        }
        assert!(!stderr.contains("driver.py"), "{arguments:?}: {stderr}");
    }
}
