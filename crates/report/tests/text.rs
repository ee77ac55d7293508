//! What a person sees: wrapping, indentation, colour only where asked, nothing
//! that a hostile name could do to a terminal.

use undying_report::{Block, Branch, Cell, Column, Fact, Link, Path, Report, Style, Table, Tone, write};

fn text(report: &Report, style: &Style) -> String {
    let mut out = Vec::new();
    write(report, style, &mut out).expect("memory takes everything");
    String::from_utf8(out).expect("UTF-8")
}

fn finding() -> Report {
    let mut path = Path::from("A");
    path.hop(".b", "B", false).hop(".a", "A", true);
    let mut report = Report::default();
    report
        .part("1 suspect")
        .finding("1. garbage: two objects that only the collector can free")
        .push(Block::Path(path));
    report.facts(vec![
        Fact::new("size", Cell::Bytes(208)),
        Fact::new("cure", Cell::Text("make .a weak".into())),
        Fact::new("next", Cell::Link(Link::new("why", ["app.Leak Test".to_owned()]))),
    ]);
    report
}

#[test]
fn a_finding_reads_from_top_to_bottom() {
    let style = Style { target: Some("snap".into()), ..Style::default() };
    let expected = "\
1 suspect

1. garbage: two objects that only the collector can free
   A —.b→ B —.a→ A
   size  208 bytes
   cure  make .a weak
   next  undying why snap 'app.Leak Test'
";
    assert_eq!(text(&finding(), &style), expected);
}

#[test]
fn ascii_has_no_other_character_and_no_link_without_a_target() {
    let shown = text(&finding(), &Style { unicode: false, ..Style::default() });
    assert!(shown.is_ascii(), "{shown}");
    assert!(shown.contains("A --.b--> B --.a--> A"), "{shown}");
    assert!(!shown.contains("next"), "{shown}");
}

#[test]
fn colour_is_the_same_text_with_codes() {
    let plain = text(&finding(), &Style::default());
    let coloured = text(&finding(), &Style { colour: true, ..Style::default() });
    assert!(!plain.contains('\x1b'));
    assert!(coloured.contains("\x1b[1;31m—.a→\x1b[0m"), "{coloured:?}");
    let mut bare = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        bare.push_str(before);
        rest = after.split_once('m').expect("a code ends with m").1;
    }
    assert_eq!(bare + rest, plain);
}

#[test]
fn nothing_is_wider_than_the_output_but_a_word_that_is() {
    let words = "the collector frees these late, or never when it is switched off or cannot see the edge between them";
    let mut path = Path::from("module app");
    for i in 0..12 {
        path.hop(format!(".attribute_{i}"), "dict", false);
    }
    let columns = vec![Column::left("class"), Column::right("count")];
    let row = vec![Cell::Name("package.module.VeryLongClassName.".repeat(4)), Cell::Count(12345)];
    let mut report = finding();
    report.text(Tone::Plain, words).push(Block::Path(path));
    report.push(Block::Table(Table { columns, rows: vec![row], omitted: 7 }));
    for width in [40, 60, 80, 120] {
        let shown = text(&report, &Style { width, ..Style::default() });
        for line in shown.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{width}: words are lost: {flat}");
        assert!(flat.contains("12,345") && flat.contains("and 7 more"), "{flat}");
    }
}

#[test]
fn a_name_cannot_steer_the_terminal() {
    let evil = "app.\x1b]0;owned\x07\u{202e}gpj\r\n.Class";
    let mut path = Path::from(evil);
    path.hop(evil, evil, false);
    let mut report = Report::default();
    report.part(evil).finding(evil).text(Tone::Plain, evil).push(Block::Path(path));
    report.facts(vec![Fact::new(evil, Cell::Name(evil.into()))]);
    let row = vec![Cell::Name(evil.into())];
    report.push(Block::Table(Table { columns: vec![Column::left("class")], rows: vec![row], omitted: 0 }));
    report.push(Block::Tree { branches: vec![Branch { cells: vec![Cell::Text(evil.into())], branches: vec![] }] });
    let shown = text(&report, &Style::default());
    assert!(shown.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{shown:?}");
}

#[test]
fn trees_show_who_stands_under_whom() {
    let leaf = |t: &str| Branch { cells: vec![Cell::Name(t.into())], branches: vec![] };
    let root = Branch {
        cells: vec![Cell::Name("app".into()), Cell::Count(3)],
        branches: vec![Branch { cells: vec![Cell::Name("x".into())], branches: vec![leaf("y")] }, leaf("z")],
    };
    let mut report = Report::default();
    report.push(Block::Tree { branches: vec![root] });
    assert_eq!(text(&report, &Style::default()), "app 3\n├─ x\n│  └─ y\n└─ z\n");
}

#[test]
fn a_tree_of_any_depth_is_written() {
    let mut branch = Branch::default();
    for _ in 0..5_000 {
        branch = Branch { cells: vec![Cell::Text("n".into())], branches: vec![branch] };
    }
    let mut report = Report::default();
    report.push(Block::Tree { branches: vec![branch] });
    assert!(text(&report, &Style::default()).lines().count() > 50);
}
