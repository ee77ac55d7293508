//! What is written is what is read.

mod heaps;

use proptest::prelude::*;
use undying_graph::Silent;
use undying_snapshot::{SCHEMA, read, read_meta};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_heap_comes_back(heap in heaps::heap(40)) {
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("s");
        let summary = heap.write(&dest);
        let expected = heap.build();
        heaps::same(&read(&dest, &Silent).unwrap(), &expected);
        prop_assert_eq!(summary.counts.objects as usize, expected.graph.len());
        let written = summary.counts.edges + summary.counts.untraversed;
        prop_assert_eq!(written as usize, expected.graph.edge_count());
        let meta = read_meta(&dest).unwrap();
        prop_assert_eq!((meta.schema, meta.undying.as_str()), (SCHEMA, "0.0.0-test"));
        prop_assert_eq!(meta.counts, summary.counts);
        prop_assert_eq!(meta.facts, expected.facts);
    }
}

#[test]
fn a_heap_of_many_row_groups_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    let heap = heaps::large(1_100_000);
    let summary = heap.write(&dest);
    assert!(summary.counts.edges > 1 << 20, "more than one row group of references");
    let files: u64 = std::fs::read_dir(&dest).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(summary.bytes, files);
    heaps::same(&read(&dest, &Silent).unwrap(), &heap.build());
}

#[test]
fn an_empty_heap_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    let heap = heaps::Heap::default();
    heap.write(&dest);
    heaps::same(&read(&dest, &Silent).unwrap(), &heap.build());
}

#[test]
fn reading_stops_when_told() {
    struct Stop;
    impl undying_graph::Progress for Stop {
        fn phase(&self, _: &str, _: u64) {}
        fn done(&self, _: u64) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    heaps::large(10).write(&dest);
    assert!(matches!(read(&dest, &Stop), Err(undying_snapshot::ReadError::Cancelled)));
}
