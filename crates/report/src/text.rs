//! A report as text, to a terminal or a pipe.  Wraps, indents and colours;
//! counts nothing, looks nothing up.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use crate::style::{Ink, clean};
use crate::{Block, Branch, Cell, Fact, Path, Report, Style, count, table, unit};

/// Columns that a finding's blocks stand in from its heading.
const INDENT: usize = 3;

/// Writes the whole report.
pub fn write(report: &Report, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut indent = 0;
    let mut before: Option<&Block> = None;
    for block in &report.blocks {
        let lines = lines(block, style, &mut indent);
        if lines.is_empty() {
            continue;
        }
        if before.is_some_and(|b| !belongs(b, block)) {
            writeln!(out)?;
        }
        for line in lines {
            writeln!(out, "{line}")?;
        }
        before = Some(block);
    }
    Ok(())
}

/// Whether no blank line stands between the two: a heading and what it is the
/// heading of, a path and what is said of it.
fn belongs(before: &Block, block: &Block) -> bool {
    let heading = |b: &Block| matches!(b, Block::Heading { .. });
    match before {
        Block::Heading { .. } => !heading(block),
        Block::Path(_) => matches!(block, Block::Facts { .. } | Block::Path(_)),
        _ => false,
    }
}

/// A cell without colour.
pub(crate) fn plain(cell: &Cell, style: &Style) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(t) | Cell::Name(t) => t.clone(),
        Cell::Count(n) => unit::count(*n),
        Cell::Bytes(n) => unit::bytes(*n),
        Cell::Seconds(s) => unit::seconds(*s),
        Cell::Share(s) => unit::share(*s),
        Cell::Address(a) => unit::address(*a),
        Cell::Link(link) => style.target.as_deref().map(|t| link.shell(t)).unwrap_or_default(),
    }
}

fn lines(block: &Block, style: &Style, indent: &mut usize) -> Vec<String> {
    let pad = " ".repeat(*indent);
    let room = style.width.saturating_sub(*indent).max(20);
    match block {
        Block::Heading { level, text } => {
            *indent = if *level > 1 { INDENT } else { 0 };
            let ink = if *level > 1 { Ink::Finding } else { Ink::Part };
            let inner = " ".repeat(*indent);
            let lines = wrap(&clean(text), style.width.max(20), &inner);
            lines.iter().map(|l| style.paint(ink, l)).collect()
        }
        Block::Text { tone, text } => {
            let ink = Ink::of(*tone);
            wrap(&clean(text), room, "").iter().map(|l| format!("{pad}{}", style.paint(ink, l))).collect()
        }
        Block::Table(t) => {
            let mut lines = table::lines(t, style, room);
            if t.omitted > 0 {
                lines.push(style.paint(Ink::Quiet, &format!("and {} more", count(t.omitted))));
            }
            lines.iter().map(|l| format!("{pad}{l}")).collect()
        }
        Block::Tree { branches } => {
            let mut lines = Vec::new();
            branches.iter().for_each(|b| tree(b, style, "", "", &mut lines));
            lines.iter().map(|l| format!("{pad}{l}")).collect()
        }
        Block::Path(p) => path(p, style, room).iter().map(|l| format!("{pad}{l}")).collect(),
        Block::Facts { facts: f } => facts(f, style, room).iter().map(|l| format!("{pad}{l}")).collect(),
    }
}

fn facts(facts: &[Fact], style: &Style, room: usize) -> Vec<String> {
    let shown = |f: &&Fact| !plain(&f.value, style).is_empty();
    let column = facts.iter().filter(shown).map(|f| f.name.width()).max().unwrap_or(0) + 2;
    let mut lines = Vec::new();
    for fact in facts.iter().filter(shown) {
        let value = clean(&plain(&fact.value, style));
        // A command must survive being copied: it is never wrapped.
        let wrapped = match fact.value {
            Cell::Link(_) => vec![value],
            _ => wrap(&value, room.saturating_sub(column).max(20), ""),
        };
        for (i, part) in wrapped.iter().enumerate() {
            let name = if i == 0 { clean(&fact.name) } else { String::new() };
            let gap = " ".repeat(column.saturating_sub(name.width()));
            lines.push(format!("{}{gap}{}", style.paint(Ink::Quiet, &name), style.paint(ink(&fact.value), part)));
        }
    }
    lines
}

fn ink(cell: &Cell) -> Ink {
    match cell {
        Cell::Name(_) => Ink::Name,
        Cell::Address(_) => Ink::Quiet,
        Cell::Link(_) => Ink::Link,
        _ => Ink::Plain,
    }
}

/// The path, broken before an arrow where a line is full.
fn path(path: &Path, style: &Style, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let start = clean(&path.start);
    let mut used = start.width();
    let mut line = style.paint(Ink::Name, &start);
    for hop in &path.hops {
        let (arrow, node) = (clean(&hop.arrow(style.unicode)), clean(&hop.node));
        let wide = arrow.width() + node.width() + 2;
        if used + wide > room {
            lines.push(std::mem::replace(&mut line, "   ".into()));
            used = 3;
        }
        let arrow_ink = if hop.mark { Ink::Mark } else { Ink::Plain };
        line.push_str(&format!(" {} {}", style.paint(arrow_ink, &arrow), style.paint(Ink::Name, &node)));
        used += wide;
    }
    lines.push(line);
    lines
}

/// One line a branch; a deep tree is cut, not followed for ever.
fn tree(branch: &Branch, style: &Style, lead: &str, under: &str, lines: &mut Vec<String>) {
    const DEEPEST: usize = 200;
    let words: Vec<String> = branch.cells.iter().map(|c| style.paint(ink(c), &clean(&plain(c, style)))).collect();
    lines.push(format!("{lead}{}", words.join(" ")));
    if under.chars().count() > DEEPEST {
        return;
    }
    let (fork, last, down) = if style.unicode { ("├─ ", "└─ ", "│  ") } else { ("|- ", "`- ", "|  ") };
    for (i, b) in branch.branches.iter().enumerate() {
        let end = i + 1 == branch.branches.len();
        let lead = format!("{under}{}", if end { last } else { fork });
        let under = format!("{under}{}", if end { "   " } else { down });
        tree(b, style, &lead, &under, lines);
    }
}

/// Words in lines no wider than `room`, `inner` before every line but the first.
/// A word that is wider than a line stands alone and whole.
fn wrap(text: &str, room: usize, inner: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let filled = !line.trim_start().is_empty();
        if filled && line.width() + 1 + word.width() > room {
            lines.push(std::mem::replace(&mut line, inner.to_owned()));
        } else if filled {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.trim().is_empty() {
        lines.push(line);
    }
    lines
}
