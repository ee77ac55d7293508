//! The serialised report: what a program that draws it relies on.

use serde_json::json;
use undying_report::{Block, Cell, Column, Fact, Link, Path, Report, Table, Tone};

#[test]
fn every_block_says_what_it_is() {
    let mut path = Path::from("A");
    path.hop(".b", "A", true);
    let mut report = Report::default();
    report.part("p").text(Tone::Quiet, "t").push(Block::Path(path));
    report.facts(vec![Fact::new("pause", Cell::Seconds(0.5)), Fact::new("nothing", Cell::Empty)]);
    report.next(Link::new("why", ["app.X".to_owned()]));
    let rows = vec![vec![Cell::Address(4096), Cell::Bytes(8)]];
    let columns = vec![Column::left("address"), Column::right("size")];
    report.push(Block::Table(Table { columns, rows, omitted: 2 }));
    let expected = json!({"blocks": [
        {"block": "heading", "level": 1, "text": "p"},
        {"block": "text", "tone": "quiet", "text": "t"},
        {"block": "path", "start": "A", "hops": [{"edge": ".b", "node": "A", "mark": true}]},
        {"block": "facts", "facts": [
            {"name": "pause", "value": {"unit": "seconds", "value": 0.5}},
            {"name": "nothing", "value": {"unit": "empty"}},
        ]},
        {"block": "facts", "facts": [
            {"name": "next", "value": {"unit": "link", "value": {"command": "why", "what": ["app.X"]}}},
        ]},
        {"block": "table", "columns": [{"name": "address", "right": false}, {"name": "size", "right": true}],
         "rows": [[{"unit": "address", "value": 4096}, {"unit": "bytes", "value": 8}]], "omitted": 2},
    ]});
    assert_eq!(serde_json::to_value(&report).expect("a report serialises"), expected);
}
