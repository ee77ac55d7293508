//! How a report looks on one output: width, colour, characters.

use crate::Tone;

/// The output's abilities, found out by whoever opened it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Style {
    /// Columns to fill; texts wrap and tables shrink to it.
    pub width: usize,
    /// Whether ANSI colours may be written.
    pub colour: bool,
    /// Whether arrows and lines may leave ASCII.
    pub unicode: bool,
    /// What the next commands are asked of (a pid or a snapshot's directory);
    /// `None` when nothing is left to ask: links are then not written.
    pub target: Option<String>,
}

impl Default for Style {
    fn default() -> Self {
        Style { width: 80, colour: false, unicode: true, target: None }
    }
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Part,
    Finding,
    Quiet,
    Warning,
    Good,
    Name,
    Mark,
    Link,
}

impl Ink {
    pub(crate) fn of(tone: Tone) -> Ink {
        match tone {
            Tone::Plain => Ink::Plain,
            Tone::Strong => Ink::Finding,
            Tone::Quiet => Ink::Quiet,
            Tone::Warning => Ink::Warning,
            Tone::Good => Ink::Good,
        }
    }

    fn codes(self) -> &'static str {
        match self {
            Ink::Plain => "",
            Ink::Part => "1;4",
            Ink::Finding => "1",
            Ink::Quiet => "2",
            Ink::Warning => "33",
            Ink::Good => "32",
            Ink::Name => "36",
            Ink::Mark => "1;31",
            Ink::Link => "34",
        }
    }
}

impl Style {
    /// The text in its ink, or as it is where colour is not wanted.
    pub(crate) fn paint(&self, ink: Ink, text: &str) -> String {
        match ink.codes() {
            codes if self.colour && !codes.is_empty() && !text.is_empty() => {
                format!("\x1b[{codes}m{text}\x1b[0m")
            }
            _ => text.to_owned(),
        }
    }
}

/// Names come from the target: what could steer a terminal is spelled out.
pub(crate) fn clean(text: &str) -> String {
    let unsafe_char = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.chars().any(unsafe_char) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if unsafe_char(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}
