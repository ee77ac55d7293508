//! Where results go, and how they look there: width, colour, characters.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use undying_report::Style;

use crate::args::Common;

/// Columns of an output that has none: a pipe or a file.
const PIPE_WIDTH: usize = 100;

/// How a report looks on this output.
pub fn style(out: &(impl IsTerminal + AsFd), common: &Common, target: Option<String>) -> Style {
    let terminal = out.is_terminal();
    let width = if terminal { terminal_size::terminal_size_of(out.as_fd()).map(|(w, _)| w.0 as usize) } else { None };
    let wished = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|t| t == OsStr::new("dumb"));
    Style {
        width: width.or(wished).unwrap_or(PIPE_WIDTH).clamp(40, 160),
        colour: terminal && !common.no_color && !set("NO_COLOR") && !dumb,
        unicode: unicode(),
        target,
    }
}

/// How a report looks in a file.
pub fn plain(target: Option<String>) -> Style {
    Style { width: PIPE_WIDTH, colour: false, unicode: unicode(), target }
}

/// Whether the locale takes Unicode: it does unless it names another charset.
fn unicode() -> bool {
    let value = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
    let locale = value("LC_ALL").or_else(|| value("LC_CTYPE")).or_else(|| value("LANG")).unwrap_or_default();
    match locale.split_once('.') {
        Some((_, charset)) => charset.to_lowercase().replace('-', "").starts_with("utf8"),
        None => true,
    }
}
