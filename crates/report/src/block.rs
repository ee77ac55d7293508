//! The blocks a report is made of.  They know nothing of width, colour or markup.

use serde::Serialize;

use crate::{Cell, Link};

/// What a command has to say, in reading order.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    /// From top to bottom.
    pub blocks: Vec<Block>,
}

/// How much a text weighs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// As it comes.
    #[default]
    Plain,
    /// The sentence to read if only one is read.
    Strong,
    /// Circumstances.
    Quiet,
    /// Something is wrong, or was not done.
    Warning,
    /// All is well.
    Good,
}

/// One piece of a report.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "block", rename_all = "lowercase")]
pub enum Block {
    /// Level 1 opens a part, level 2 a finding in it; what follows a level 2
    /// belongs under it until the next heading.
    Heading {
        /// 1 or 2.
        level: u8,
        /// One line.
        text: String,
    },
    /// A paragraph.
    Text {
        /// How much it weighs.
        tone: Tone,
        /// One paragraph; it is wrapped by the writer.
        text: String,
    },
    /// Rows and columns.
    Table(Table),
    /// Nested lines.
    Tree {
        /// The outermost lines.
        branches: Vec<Branch>,
    },
    /// Who holds what, in order.
    Path(Path),
    /// Names with their values.
    Facts {
        /// In reading order.
        facts: Vec<Fact>,
    },
}

/// Rows and columns.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Table {
    /// Headers.
    pub columns: Vec<Column>,
    /// Each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
    /// How many more rows there would be; 0 when these are all.
    pub omitted: u64,
}

/// One column of a table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Column {
    /// Its header.
    pub name: String,
    /// Numbers stand to the right.
    pub right: bool,
}

/// One line of a tree.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Branch {
    /// Printed one after the other.
    pub cells: Vec<Cell>,
    /// What stands under it.
    pub branches: Vec<Branch>,
}

/// A chain of references: `start —hop→ node —hop→ node`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Path {
    /// Where it begins.
    pub start: String,
    /// Each reference and where it leads.  A cycle leads back to `start`.
    pub hops: Vec<Hop>,
}

/// One reference of a path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Hop {
    /// The reference: `.name`, `[key]`, `local x`; empty where it has no name.
    pub edge: String,
    /// What is held.
    pub node: String,
    /// Whether it is the one to look at (the reference to make weak).
    pub mark: bool,
}

/// A name with its value.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Fact {
    /// One or two words.
    pub name: String,
    /// Its value.
    pub value: Cell,
}

impl Report {
    /// Adds a part's heading.
    pub fn part(&mut self, text: impl Into<String>) -> &mut Report {
        self.push(Block::Heading { level: 1, text: text.into() })
    }

    /// Adds a finding's heading.
    pub fn finding(&mut self, text: impl Into<String>) -> &mut Report {
        self.push(Block::Heading { level: 2, text: text.into() })
    }

    /// Adds a paragraph.
    pub fn text(&mut self, tone: Tone, text: impl Into<String>) -> &mut Report {
        self.push(Block::Text { tone, text: text.into() })
    }

    /// Adds names with values.
    pub fn facts(&mut self, facts: Vec<Fact>) -> &mut Report {
        self.push(Block::Facts { facts })
    }

    /// Adds the next command under a name.
    pub fn next(&mut self, link: Link) -> &mut Report {
        self.facts(vec![Fact { name: "next".into(), value: Cell::Link(link) }])
    }

    /// Adds a block.
    pub fn push(&mut self, block: Block) -> &mut Report {
        self.blocks.push(block);
        self
    }
}

impl Fact {
    /// A name with its value.
    pub fn new(name: impl Into<String>, value: Cell) -> Fact {
        Fact { name: name.into(), value }
    }
}

impl Column {
    /// A column of words.
    pub fn left(name: impl Into<String>) -> Column {
        Column { name: name.into(), right: false }
    }

    /// A column of numbers.
    pub fn right(name: impl Into<String>) -> Column {
        Column { name: name.into(), right: true }
    }
}

impl Path {
    /// A path that has only its beginning.
    pub fn from(start: impl Into<String>) -> Path {
        Path { start: start.into(), hops: Vec::new() }
    }

    /// Adds a reference and what it leads to.
    pub fn hop(&mut self, edge: impl Into<String>, node: impl Into<String>, mark: bool) -> &mut Path {
        self.hops.push(Hop { edge: edge.into(), node: node.into(), mark });
        self
    }

    /// On one line: `A —.b→ B —.a→ A`, or with `--.b-->` where only ASCII is wanted.
    pub fn line(&self, unicode: bool) -> String {
        let mut out = self.start.clone();
        for hop in &self.hops {
            out.push(' ');
            out.push_str(&hop.arrow(unicode));
            out.push(' ');
            out.push_str(&hop.node);
        }
        out
    }
}

impl Hop {
    /// The arrow with the reference's name on it: `—.b→`, `→`, `--.b-->`.
    pub fn arrow(&self, unicode: bool) -> String {
        match (unicode, self.edge.is_empty()) {
            (true, true) => "→".into(),
            (true, false) => format!("—{}→", self.edge),
            (false, true) => "-->".into(),
            (false, false) => format!("--{}-->", self.edge),
        }
    }
}
