//! One value with its unit, and the link that is a command.

use serde::Serialize;

/// A value as it is meant: the writer chooses how a unit looks.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "unit", content = "value", rename_all = "lowercase")]
pub enum Cell {
    /// Nothing to say.
    Empty,
    /// Words.
    Text(String),
    /// How many.
    Count(u64),
    /// A size in bytes.
    Bytes(u64),
    /// A time in seconds.
    Seconds(f64),
    /// A part of the whole, 0 to 1.
    Share(f64),
    /// Where something lies in the target.
    Address(u64),
    /// The name of a class, a module, a function, a file.
    Name(String),
    /// The next command.
    Link(Link),
}

/// A question to ask next: `undying COMMAND TARGET WHAT…`.  The target is known
/// to whoever prints, not to whoever links.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Link {
    /// The command's name: `why`, `cycles`.
    pub command: String,
    /// What follows the target.
    pub what: Vec<String>,
}

impl Link {
    /// A command with its arguments after the target.
    pub fn new(command: impl Into<String>, what: impl IntoIterator<Item = String>) -> Link {
        Link { command: command.into(), what: what.into_iter().collect() }
    }

    /// As it is typed in a shell.
    pub fn shell(&self, target: &str) -> String {
        let mut out = format!("undying {} {}", self.command, quoted(target));
        for word in &self.what {
            out.push(' ');
            out.push_str(&quoted(word));
        }
        out
    }
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:,+@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_what_a_shell_takes() {
        let link = Link::new("why", ["app.Thing".to_owned()]);
        assert_eq!(link.shell("/tmp/a b"), "undying why '/tmp/a b' app.Thing");
        let link = Link::new("why", ["<class> it's".to_owned()]);
        assert_eq!(link.shell("42"), r"undying why 42 '<class> it'\''s'");
    }
}
