//! Names, each stored once: attribute, local, slot, module and function names.

use rustc_hash::FxHashMap;
use serde::Serialize;

/// A row of [`Labels`].  Number 0 is "no name".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
pub struct LabelId(pub u32);

impl LabelId {
    /// No name.
    pub const NONE: LabelId = LabelId(0);
}

/// The table of names.
#[derive(Clone, Debug)]
pub struct Labels {
    text: String,
    ends: Vec<u32>,
    known: FxHashMap<Box<str>, u32>,
}

impl Default for Labels {
    fn default() -> Self {
        let mut labels = Labels { text: String::new(), ends: Vec::new(), known: FxHashMap::default() };
        labels.intern("");
        labels
    }
}

impl Labels {
    /// The number of `text`, new or known.  The empty text is [`LabelId::NONE`].
    /// Past 4 GiB of names every new one becomes [`LabelId::NONE`].
    pub fn intern(&mut self, text: &str) -> LabelId {
        if let Some(&n) = self.known.get(text) {
            return LabelId(n);
        }
        if self.text.len() + text.len() > u32::MAX as usize {
            return LabelId::NONE;
        }
        let n = self.ends.len() as u32;
        self.text.push_str(text);
        self.ends.push(self.text.len() as u32);
        self.known.insert(text.into(), n);
        LabelId(n)
    }

    /// The number of a name that is there already.
    pub fn find(&self, text: &str) -> Option<LabelId> {
        self.known.get(text).map(|&n| LabelId(n))
    }

    /// The text; empty for a number that is not in the table.
    pub fn text(&self, id: LabelId) -> &str {
        let i = id.0 as usize;
        let Some(&end) = self.ends.get(i) else { return "" };
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start as usize..end as usize]
    }

    /// How many names, the empty one included.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Never: the empty name is always there.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}
