//! docs/FORMAT.md names every table, every column and every field.

mod heaps;

use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;
use undying_graph::{Certainty, EdgeKind, Origin, RootKind};
use undying_snapshot::SCHEMA;

#[test]
fn the_page_names_all_there_is() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/FORMAT.md");
    let page = fs::read_to_string(page).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("s");
    heaps::large(10).write(&dest);
    assert!(page.contains(&format!("The schema's number is **{SCHEMA}**")));
    let chapters: Vec<&str> = page.split("\n## ").collect();
    for entry in fs::read_dir(&dest).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let chapter = chapters.iter().find(|c| c.lines().next().unwrap().contains(&name));
        let chapter = chapter.unwrap_or_else(|| panic!("no chapter on {name}"));
        let words: Vec<String> = if name.ends_with(".json") {
            let meta: Value = serde_json::from_str(&fs::read_to_string(dest.join(&name)).unwrap()).unwrap();
            let counts = meta["counts"].as_object().unwrap().keys().cloned();
            meta.as_object().unwrap().keys().cloned().chain(counts).collect()
        } else {
            let table = SerializedFileReader::new(File::open(dest.join(&name)).unwrap()).unwrap();
            let schema = table.metadata().file_metadata().schema_descr_ptr();
            schema.columns().iter().map(|c| c.name().to_string()).collect()
        };
        for word in words {
            assert!(chapter.contains(&format!("`{word}`")), "{name}: {word}");
        }
    }
    let kinds = EdgeKind::ALL.iter().map(|k| k.name()).chain(Certainty::ALL.iter().map(|c| c.name()));
    let others = RootKind::ALL.iter().map(|k| k.name()).chain(Origin::ALL.iter().map(|o| o.name()));
    for name in kinds.chain(others) {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
