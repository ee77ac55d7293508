//! A report as a piece of HTML for notebooks: headings, paragraphs, tables; no script, no
//! link, no style sheet.  Names come from the target, so every text is escaped.

use std::fmt::Write;

use undying_report::{Block, Branch, Cell, Fact, Path, Report, Table, Tone, address, bytes, count, seconds, share};

/// How deep a tree is followed.
const DEEPEST: usize = 200;

/// The report inside one `div`.
pub fn fragment(report: &Report) -> String {
    let mut out = String::from("<div class=\"undying\">");
    for block in &report.blocks {
        match block {
            Block::Heading { level, text } => {
                let tag = if *level > 1 { "h5" } else { "h4" };
                element(&mut out, tag, text);
            }
            Block::Text { tone, text } => element(&mut out, tag_of(*tone), text),
            Block::Table(t) => table(&mut out, t),
            Block::Tree { branches } => tree(&mut out, branches, 0),
            Block::Path(p) => path(&mut out, p),
            Block::Facts { facts: f } => facts(&mut out, f),
        }
    }
    out.push_str("</div>");
    out
}

fn tag_of(tone: Tone) -> &'static str {
    match tone {
        Tone::Strong | Tone::Warning => "p><strong",
        Tone::Quiet => "p><small",
        Tone::Plain | Tone::Good => "p",
    }
}

/// `tag` may be two, the outer first: `p><small`.
fn element(out: &mut String, tag: &str, text: &str) {
    let close: Vec<&str> = tag.split("><").collect();
    let close: Vec<String> = close.iter().rev().map(|t| format!("</{t}>")).collect();
    let _ = write!(out, "<{tag}>{}{}", escaped(text), close.concat());
}

fn table(out: &mut String, t: &Table) {
    out.push_str("<table><thead><tr>");
    t.columns.iter().for_each(|c| element(out, "th", &c.name));
    out.push_str("</tr></thead><tbody>");
    for row in &t.rows {
        out.push_str("<tr>");
        row.iter().for_each(|cell| element(out, "td", &plain(cell)));
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
    if t.omitted > 0 {
        element(out, "p><small", &format!("and {} more", count(t.omitted)));
    }
}

fn tree(out: &mut String, branches: &[Branch], depth: usize) {
    if branches.is_empty() || depth > DEEPEST {
        return;
    }
    out.push_str("<ul>");
    for branch in branches {
        let words: Vec<String> = branch.cells.iter().map(plain).collect();
        let _ = write!(out, "<li>{}", escaped(&words.join(" ")));
        tree(out, &branch.branches, depth + 1);
        out.push_str("</li>");
    }
    out.push_str("</ul>");
}

fn path(out: &mut String, path: &Path) {
    let _ = write!(out, "<p><code>{}", escaped(&path.start));
    for hop in &path.hops {
        let arrow = escaped(&hop.arrow(true));
        let arrow = if hop.mark { format!("<mark>{arrow}</mark>") } else { arrow };
        let _ = write!(out, " {arrow} {}", escaped(&hop.node));
    }
    out.push_str("</code></p>");
}

fn facts(out: &mut String, facts: &[Fact]) {
    out.push_str("<table><tbody>");
    for fact in facts.iter().filter(|f| !plain(&f.value).is_empty()) {
        out.push_str("<tr>");
        element(out, "th", &fact.name);
        element(out, "td", &plain(&fact.value));
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
}

/// A command is for a shell, so it is not shown.
fn plain(cell: &Cell) -> String {
    match cell {
        Cell::Empty | Cell::Link(_) => String::new(),
        Cell::Text(t) | Cell::Name(t) => t.clone(),
        Cell::Count(n) => count(*n),
        Cell::Bytes(n) => bytes(*n),
        Cell::Seconds(s) => seconds(*s),
        Cell::Share(s) => share(*s),
        Cell::Address(a) => address(*a),
    }
}

/// What means something in HTML, and what turns the direction of a line, spelled out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.extend(c.escape_default());
            }
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}
