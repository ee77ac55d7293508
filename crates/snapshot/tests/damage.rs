//! A damaged snapshot is an error and never a panic, nor a graph that points
//! outside itself.

mod heaps;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use undying_graph::{Silent, Snapshot};
use undying_snapshot::{ReadError, SCHEMA, read, read_meta};

const FILES: [&str; 12] = [
    "objects.parquet",
    "edges.parquet",
    "untraversed.parquet",
    "types.parquet",
    "roots.parquet",
    "names.parquet",
    "regions.parquet",
    "births.parquet",
    "places.parquet",
    "deaths.parquet",
    "wrappers.parquet",
    "meta.json",
];

fn small(dir: &Path) -> PathBuf {
    let mut runner = TestRunner::deterministic();
    let heap = loop {
        let heap = heaps::heap(12).new_tree(&mut runner).unwrap().current();
        let has_both =
            heap.things.iter().any(|t| t.untraversed.iter().any(|l| (l.target as usize) < heap.things.len()));
        if has_both
            && heap.things.len() > 8
            && !heap.roots.is_empty()
            && !heap.named.is_empty()
            && !heap.regions.is_empty()
            && heap.wrappers.iter().filter(|w| (w.0 as usize) < heap.things.len()).count() > 2
            && heap.births.as_ref().is_some_and(|b| b.places.len() > 2 && b.living.len() > 2 && !b.dead.is_empty())
        {
            break heap;
        }
    };
    let dest = dir.join("s");
    heap.write(&dest);
    dest
}

/// Ids are in range, so that every look-up an analysis makes is.
fn is_sound(s: &Snapshot) {
    for n in s.graph.nodes() {
        assert!(s.graph.type_id(n).index() < s.types.len());
        assert!(s.graph.edges(n).all(|e| e.target.index() < s.graph.len()));
    }
    assert!(s.roots.iter().all(|r| r.node.index() < s.graph.len()));
    assert!(s.named.iter().all(|r| r.node.index() < s.graph.len()));
    if let Some(births) = &s.births {
        assert!(births.iter().all(|b| b.node.index() < s.graph.len() && births.stack(b.place).count() > 0));
    }
    assert!(s.wrappers.iter().all(|w| w.node.index() < s.graph.len()));
    assert!(s.types.iter().all(|t| t.object.is_none_or(|o| o.index() < s.graph.len())));
}

#[test]
fn every_truncation_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let dest = small(dir.path());
    for file in FILES {
        let path = dest.join(file);
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            match read(&dest, &Silent) {
                Err(ReadError::Damaged { .. }) => {}
                // The last byte of the JSON is a line end.
                Ok(_) if file == "meta.json" && length + 1 == whole.len() => {}
                other => panic!("{file} cut to {length} of {}: {:?}", whole.len(), other.map(|s| s.graph.len())),
            }
        }
        fs::write(&path, &whole).unwrap();
    }
    is_sound(&read(&dest, &Silent).unwrap());
}

#[test]
fn a_flipped_bit_in_any_byte_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let dest = small(dir.path());
    for file in FILES {
        let path = dest.join(file);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (heaps::mix(at as u64) % 8);
            fs::write(&path, &bytes).unwrap();
            if let Ok(s) = read(&dest, &Silent) {
                is_sound(&s);
            }
        }
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn flipped_bits_of_values_are_found() {
    // Every page has a checksum, so what lies before the footer cannot change
    // unseen (but for the bits of page headers that say nothing).
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    let heap = heaps::large(5_000);
    heap.write(&dest);
    let expected = heap.build();
    for file in ["objects.parquet", "edges.parquet"] {
        let path = dest.join(file);
        let whole = fs::read(&path).unwrap();
        let footer = u32::from_le_bytes(*whole[..whole.len() - 4].last_chunk().unwrap()) as usize;
        for step in 0..300 {
            let mut bytes = whole.clone();
            let bit = heaps::mix(step) as usize % ((whole.len() - footer - 12) * 8);
            bytes[4 + bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            if let Ok(s) = read(&dest, &Silent) {
                heaps::same(&s, &expected);
            }
        }
        fs::write(&path, &whole).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_overwritten_stretch_is_survived(
        file in 0usize..8,
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let dest = small(dir.path());
        let path = dest.join(FILES[file]);
        let mut whole = fs::read(&path).unwrap();
        let at = at.index(whole.len());
        for (to, from) in whole[at..].iter_mut().zip(&bytes) {
            *to = *from;
        }
        fs::write(&path, &whole).unwrap();
        if let Ok(s) = read(&dest, &Silent) {
            is_sound(&s);
        }
    }
}

#[test]
fn a_missing_table_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dest = small(dir.path());
    for file in &FILES[..7] {
        fs::rename(dest.join(file), dir.path().join("away")).unwrap();
        match read(&dest, &Silent) {
            Err(ReadError::Damaged { file: named, .. }) => assert_eq!(&named, file),
            other => panic!("{file}: {:?}", other.map(|s| s.graph.len())),
        }
        fs::rename(dir.path().join("away"), dest.join(file)).unwrap();
    }
}

#[test]
fn what_is_no_snapshot_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    for (path, why) in [
        (dir.path().join("nowhere"), "there is no such directory"),
        (file, "it is not a directory"),
        (dir.path().to_path_buf(), "it has no meta.json"),
    ] {
        let error = read(&path, &Silent).unwrap_err();
        assert!(matches!(error, ReadError::NotASnapshot { .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(matches!(read_meta(&path), Err(ReadError::NotASnapshot { .. })));
    }
}

#[test]
fn a_newer_schema_is_told_from_damage() {
    let dir = tempfile::tempdir().unwrap();
    let dest = small(dir.path());
    let path = dest.join("meta.json");
    let text = fs::read_to_string(&path).unwrap();
    // A later schema may say anything else.
    for text in [text.replace("\"schema\": 1", "\"schema\": 2"), "{\"schema\": 2}".into()] {
        fs::write(&path, text).unwrap();
        match read(&dest, &Silent) {
            Err(ReadError::Newer { schema: 2, ours }) => assert_eq!(ours, SCHEMA),
            other => panic!("{:?}", other.map(|s| s.graph.len())),
        }
    }
    for text in ["", "[]", "null", "{}", "{\"schema\": 1}", "{\"schema\": -1}", "{\"schema\": \"1\"}"] {
        fs::write(&path, text).unwrap();
        assert!(matches!(read(&dest, &Silent), Err(ReadError::Damaged { .. })), "{text}");
    }
}

#[test]
fn tables_of_two_snapshots_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    heaps::large(100).write(&a);
    heaps::large(90).write(&b);
    for file in ["objects.parquet", "edges.parquet"] {
        let mine = fs::read(a.join(file)).unwrap();
        fs::copy(b.join(file), a.join(file)).unwrap();
        assert!(matches!(read(&a, &Silent), Err(ReadError::Damaged { .. })));
        fs::write(a.join(file), mine).unwrap();
    }
    assert!(read(&a, &Silent).is_ok());
}
