//! A snapshot appears whole or not at all, for its owner only.
#![allow(clippy::print_stderr)] // says what it skips

mod heaps;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use undying_graph::{Silent, Sink, Tail};
use undying_snapshot::{WriteError, Writer, read};

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn permissions_are_the_owners_only() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    let mut writer = Writer::create(&dest, false, "0").unwrap();
    let partial = names(dir.path());
    assert_eq!(partial.len(), 1);
    assert!(partial[0].starts_with(".s.") && partial[0].ends_with(".partial"), "{partial:?}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join(&partial[0])), 0o700);
    heaps::large(10).tell(&mut writer).unwrap();
    assert!(!dest.exists());
    writer.commit().unwrap();
    assert_eq!(names(dir.path()), ["s"]);
    assert_eq!(mode(&dest), 0o700);
    for file in names(&dest) {
        assert_eq!(mode(&dest.join(&file)), 0o600, "{file}");
    }
}

#[test]
fn what_is_there_is_not_touched_without_force() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    for make in [|p: &Path| fs::write(p, "mine").unwrap(), |p: &Path| fs::create_dir(p).unwrap()] {
        make(&dest);
        let error = Writer::create(&dest, false, "0").err().unwrap();
        assert!(matches!(error, WriteError::Exists(_)), "{error:?}");
        assert!(error.to_string().contains("--force"));
        assert_eq!(names(dir.path()), ["s"]);
        if dest.is_dir() { fs::remove_dir(&dest).unwrap() } else { fs::remove_file(&dest).unwrap() }
    }
}

#[test]
fn force_replaces_a_snapshot_at_the_very_end() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    heaps::large(10).write(&dest);
    let mut writer = Writer::create(&dest, true, "0").unwrap();
    heaps::large(20).tell(&mut writer).unwrap();
    assert_eq!(read(&dest, &Silent).unwrap().graph.len(), 10);
    writer.commit().unwrap();
    assert_eq!(read(&dest, &Silent).unwrap().graph.len(), 20);
    assert_eq!(names(dir.path()), ["s"]);

    // Dropped half way: the old one stays.
    let mut writer = Writer::create(&dest, true, "0").unwrap();
    heaps::large(30).tell(&mut writer).unwrap();
    drop(writer);
    assert_eq!(read(&dest, &Silent).unwrap().graph.len(), 20);
    assert_eq!(names(dir.path()), ["s"]);
}

#[test]
fn force_replaces_nothing_but_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    fs::create_dir(&dest).unwrap();
    fs::write(dest.join("precious"), "x").unwrap();
    assert!(matches!(Writer::create(&dest, true, "0"), Err(WriteError::NotOurs(_))));
    fs::remove_file(dest.join("precious")).unwrap();
    // An empty directory is no loss.
    let mut writer = Writer::create(&dest, true, "0").unwrap();
    heaps::large(3).tell(&mut writer).unwrap();
    writer.commit().unwrap();
    assert_eq!(read(&dest, &Silent).unwrap().graph.len(), 3);
}

#[test]
fn something_that_came_meanwhile_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    let mut writer = Writer::create(&dest, false, "0").unwrap();
    heaps::large(3).tell(&mut writer).unwrap();
    fs::create_dir(&dest).unwrap();
    assert!(matches!(writer.commit(), Err(WriteError::Exists(_))));
    assert_eq!(names(dir.path()), ["s"]);
    assert!(names(&dest).is_empty());
}

#[test]
fn an_unfinished_capture_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    let mut writer = Writer::create(&dest, false, "0").unwrap();
    writer.begin(3).unwrap();
    assert!(matches!(writer.commit(), Err(WriteError::Unfinished(_))));
    let mut writer = Writer::create(&dest, false, "0").unwrap();
    writer.begin(3).unwrap();
    let error = writer.finish(Tail::default()).unwrap_err();
    assert!(error.to_string().contains("3 objects were announced and 0 came"), "{error}");
    drop(writer);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn places_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Writer::create(Path::new("/"), false, "0"), Err(WriteError::NoName(_))));
    assert!(matches!(Writer::create(&dir.path().join(".."), false, "0"), Err(WriteError::NoName(_))));
    let nowhere = dir.path().join("no/where/s");
    let error = Writer::create(&nowhere, false, "0").err().unwrap();
    assert!(matches!(&error, WriteError::Io { why, .. } if why.kind() == ErrorKind::NotFound), "{error:?}");
}

const CHILD: &str = "UNDYING_TEST_LIMITED";

/// Values that do not compress, so that the limit is met early.
fn writes_past_the_limit(dest: &Path) -> std::io::Error {
    let mut writer = Writer::create(dest, false, "0").unwrap();
    let heap = heaps::large(400_000);
    let error = heap.tell(&mut writer).unwrap_err();
    assert!(writer.finish(Tail::default()).is_err(), "an error is not forgotten");
    error
}

#[test]
fn a_file_that_may_not_grow_gives_one_error_and_leaves_nothing() {
    if let Some(dest) = std::env::var_os(CHILD) {
        let error = writes_past_the_limit(Path::new(&dest));
        assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{error}");
        assert!(error.to_string().starts_with("cannot write the snapshot "), "{error}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -f 1000; exec \"$0\" --exact \"$1\"";
    let name = "a_file_that_may_not_grow_gives_one_error_and_leaves_nothing";
    let me = std::env::current_exe().unwrap();
    let mut child = Command::new("sh");
    child.arg("-c").arg(script).arg(me).arg(name).env(CHILD, dir.path().join("s"));
    let done = child.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"));
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_full_disk_gives_one_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(dir.path()).output();
    if !mount.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: may not mount a small file system");
        return;
    }
    let error = writes_past_the_limit(&dir.path().join("s"));
    let left = names(dir.path());
    let gone = Command::new("umount").arg(dir.path()).status();
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    assert!(left.is_empty(), "{left:?}");
    assert!(gone.unwrap().success());
}
