//! The one place that lays out tables.

use comfy_table::{
    Attribute, Cell as Box, CellAlignment, Color, ContentArrangement, LineStyle, Table as Grid, TableStyle,
};

use crate::style::clean;
use crate::text::plain;
use crate::{Cell, Style, Table};

/// The table's lines, without the line ends.
pub(crate) fn lines(table: &Table, style: &Style, width: usize) -> Vec<String> {
    let mut grid = Grid::new();
    let rule = if style.unicode { '─' } else { '-' };
    grid.load_style(TableStyle::new().header_separator(LineStyle::none().fill(rule).junction(rule)));
    grid.set_content_arrangement(ContentArrangement::Dynamic);
    grid.set_width(width.clamp(20, u16::MAX as usize) as u16);
    grid.force_no_tty();
    if style.colour {
        grid.enforce_styling();
    }
    grid.set_header(table.columns.iter().map(|c| header(&c.name, c.right)).collect::<Vec<_>>());
    for row in &table.rows {
        grid.add_row(row.iter().zip(&table.columns).map(|(cell, c)| value(cell, c.right, style)).collect::<Vec<_>>());
    }
    if let Some(first) = grid.column_mut(0) {
        first.set_padding((0, 1));
    }
    grid.lines().map(|l| l.trim_end().to_owned()).collect()
}

fn header(name: &str, right: bool) -> Box {
    aligned(Box::new(name).add_attribute(Attribute::Dim), right)
}

fn value(cell: &Cell, right: bool, style: &Style) -> Box {
    let text = clean(&plain(cell, style));
    let made = match cell {
        Cell::Name(_) => Box::new(text).fg(Color::DarkCyan),
        Cell::Address(_) => Box::new(text).add_attribute(Attribute::Dim),
        Cell::Link(_) => Box::new(text).fg(Color::DarkBlue),
        _ => Box::new(text),
    };
    aligned(made, right)
}

fn aligned(made: Box, right: bool) -> Box {
    made.set_alignment(if right { CellAlignment::Right } else { CellAlignment::Left })
}
