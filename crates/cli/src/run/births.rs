//! What the program's start-up file is to ask of the tracer, and what to say when
//! there is none.  The tracer is in the Python module undying (crates/python), where
//! the program's Python has it.

use crate::VERSION;
use crate::args::Run;

/// The oldest Python that can have the module.
const OLDEST: &str = "3.9";
/// The oldest that gets a report, so that it is worth a word what is missing from it.
const OLDEST_READ: (u32, u32) = (3, 8);

/// The wishes as the start-up file reads them, one a line after the version; `None`
/// to leave the tracer out.
pub fn wishes(args: &Run, colour: bool) -> Option<String> {
    if args.no_births {
        return None;
    }
    let mut lines = vec![VERSION.to_owned()];
    lines.extend(args.sample.map(|bytes| format!("sample {bytes}")));
    lines.extend(args.depth.map(|frames| format!("depth {frames}")));
    lines.extend(args.follow.iter().map(|class| format!("follow {class}")));
    if args.interactive {
        lines.push(if colour { "interactive colour".into() } else { "interactive".into() });
    }
    Some(lines.join("\n"))
}

/// The option that can do nothing without births.
pub fn needed_by(args: &Run) -> Option<&'static str> {
    match args {
        Run { interactive: true, .. } => Some("-i"),
        Run { follow, .. } if !follow.is_empty() => Some("--follow"),
        _ => None,
    }
}

/// Why births are not recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unrecorded {
    /// This interpreter has no module undying.
    NoModule { python: String },
    /// It has one of another version than ours.
    OtherModule { version: String, python: String },
    /// The module is not for this version.
    TooOld { version: String },
    /// The tracer would not start.
    Failed { sentence: String },
}

impl Unrecorded {
    /// As the start-up file says it: a letter and what belongs to it.
    pub fn parse(line: &str) -> Option<Unrecorded> {
        let mut chars = line.chars();
        let (kind, rest) = (chars.next()?, chars.as_str().to_owned());
        match kind {
            'N' => Some(Unrecorded::NoModule { python: rest }),
            'O' => {
                let (version, python) = rest.split_once('\t')?;
                Some(Unrecorded::OtherModule { version: version.into(), python: python.into() })
            }
            'V' => Some(Unrecorded::TooOld { version: rest }),
            'F' => Some(Unrecorded::Failed { sentence: rest }),
            _ => None,
        }
    }

    /// One sentence: what is missing, for whom, what to do next.
    pub fn sentence(&self, needed_by: Option<&str>) -> String {
        let needed = needed_by.map(|option| format!(", and {option} needs them")).unwrap_or_default();
        let why = match self {
            Unrecorded::NoModule { python } => {
                format!("install undying for this Python, {} -m pip install undying", named(python))
            }
            Unrecorded::OtherModule { version, python } => format!(
                "this is undying {VERSION} and the program's Python has {version}, {} -m pip install \
                 undying=={VERSION}",
                named(python)
            ),
            Unrecorded::TooOld { version } => {
                format!("the program's Python is {version}, and the tracer runs on {OLDEST} and later")
            }
            Unrecorded::Failed { sentence } => sentence.clone(),
        };
        format!("births are not recorded{needed}: {why}")
    }

    /// Whether it is to be said where nothing needs births.
    pub fn is_worth_a_word(&self) -> bool {
        let Unrecorded::TooOld { version } = self else { return true };
        let numbers = version.split_once('.').map(|(a, b)| (a.parse().unwrap_or(0), b.parse().unwrap_or(0)));
        numbers.is_some_and(|v| v >= OLDEST_READ)
    }
}

/// An interpreter that does not know its own path is still a Python.
fn named(python: &str) -> &str {
    if python.is_empty() { "python" } else { python }
}

#[cfg(test)]
mod tests {
    use super::Unrecorded;

    #[test]
    fn each_reason_says_what_to_do() {
        let said = |line: &str, by| Unrecorded::parse(line).map(|u| u.sentence(by));
        let install = "births are not recorded: install undying for this Python, /p/python -m pip install undying";
        assert_eq!(said("N/p/python", None).as_deref(), Some(install));
        let needed = said("V3.8", Some("-i")).unwrap_or_default();
        assert!(
            needed.starts_with("births are not recorded, and -i needs them: ") && needed.contains("3.8"),
            "{needed}"
        );
        assert!(said("O0.0.1\t/p/python", None).unwrap_or_default().contains("0.0.1"));
        assert_eq!(said("Fno room", None).as_deref(), Some("births are not recorded: no room"));
        assert_eq!((said("", None), said("X", None), said("O", None)), (None, None, None));
    }

    #[test]
    fn where_there_is_no_report_nothing_is_said_of_births() {
        let worth = |version: &str| Unrecorded::TooOld { version: version.into() }.is_worth_a_word();
        assert_eq!([worth("2.7"), worth("3.7"), worth("3.8"), worth("")], [false, false, true, false]);
    }
}
