//! The pages of docs/rules as text: their programs and what these expect, the section
//! that is written from what undying says, the list of pages.  Runs nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::found;

/// Above what undying says.
const SECTION: &str = "## What undying says\n";
/// Below the list of pages in README.md.
const LIST: &str = "| rule | tells |\n| --- | --- |\n";

/// One page.
pub struct Page {
    /// The rule.
    pub name: String,
    /// The file's text.
    pub text: String,
}

/// One program of a page.
pub struct Fence {
    /// The page's name.
    pub page: String,
    /// `leak`, `cured tail`…
    pub word: String,
    /// The comment above it.
    pub expects: Value,
}

impl Fence {
    /// The interface file of the module that the program wants, and the module's name: the
    /// fence ```` ```swig ```` with the same word.
    pub fn interface(&self) -> Option<(String, String)> {
        let text = fs::read_to_string(file(&self.page)).expect("UTF-8");
        let opening = format!("```swig {}\n", self.word);
        let (_, after) = text.split_once(&opening)?;
        let interface = after.split("\n```").next().expect("a fence ends").to_owned() + "\n";
        let name = interface.lines().find_map(|l| l.strip_prefix("%module ")).expect("it names its module").to_owned();
        Some((name, interface))
    }
}

/// Where a page is.
pub fn file(name: &str) -> PathBuf {
    found::root().join("docs/rules").join(format!("{name}.md"))
}

/// Every page but the list of them, by name.
pub fn all() -> Vec<Page> {
    let files = fs::read_dir(found::root().join("docs/rules")).expect("is there").flatten();
    let names = files.map(|f| f.file_name().to_string_lossy().into_owned());
    let names: BTreeSet<String> = names.filter_map(|n| n.strip_suffix(".md").map(str::to_owned)).collect();
    let pages = names.into_iter().filter(|name| name != "README");
    pages.map(|name| Page { text: fs::read_to_string(file(&name)).expect("UTF-8"), name }).collect()
}

impl Page {
    /// Its programs, each of which says what it expects.
    pub fn fences(&self) -> Vec<Fence> {
        let mut fences = Vec::new();
        let mut above = "";
        for line in self.text.lines() {
            if let Some(word) = line.strip_prefix("```python ") {
                let comment = above.strip_prefix("<!-- expects: ").and_then(|c| c.strip_suffix(" -->"));
                let expects = comment.and_then(|c| serde_json::from_str(c).ok());
                let expects = expects.unwrap_or_else(|| panic!("{}: {word} does not say what it expects", self.name));
                fences.push(Fence { page: self.name.clone(), word: word.to_owned(), expects });
            }
            above = line;
        }
        fences
    }

    /// What it says undying says.
    pub fn section(&self) -> &str {
        let (before, after) = self.cut();
        &self.text[before..after]
    }

    /// The text with another section.
    pub fn with_section(&self, section: &str) -> String {
        let (before, after) = self.cut();
        format!("{}\n{section}\n{}", &self.text[..before], &self.text[after..])
    }

    fn cut(&self) -> (usize, usize) {
        let at = self.text.find(SECTION).unwrap_or_else(|| panic!("{} has no {SECTION:?}", self.name));
        let before = at + SECTION.len();
        let length = self.text[before..].find("\n## ").expect("another section follows");
        (before, before + length + 1)
    }

    /// Its row in the list: the title, and the first sentence.
    fn row(&self) -> String {
        let mut lines = self.text.lines();
        let title = lines.next().and_then(|l| l.strip_prefix("# ")).expect("a title");
        assert_eq!(title, self.name, "a page is titled as its file is named");
        let tells = lines.find(|l| !l.is_empty()).expect("a sentence");
        format!("| [{title}]({title}.md) | {tells} |\n")
    }
}

/// README.md with the list that the pages make.
pub fn listed(readme: &str, pages: &[Page]) -> String {
    let (before, rest) = readme.split_once(LIST).expect("README.md has a list of rules");
    let end = rest.find("\n\n").map_or(rest.len(), |at| at + 1);
    let rows: String = pages.iter().map(Page::row).collect();
    format!("{before}{LIST}{rows}{}", &rest[end..])
}

/// The most lines of a way that a page shows.
const LONGEST: usize = 4;

/// The lines of a suspect in a report, from its headline on; of a long way its ends.
pub fn block(report: &str, rank: u64) -> String {
    let headline = format!("{rank}. ");
    let mut lines = report.lines().skip_while(|l| !l.starts_with(&headline));
    let mut block: Vec<&str> = lines.next().into_iter().collect();
    block.extend(lines.take_while(|l| l.is_empty() || l.starts_with(' ')));
    let end = block.iter().position(|l| l.is_empty()).unwrap_or(block.len());
    if end > 1 + LONGEST {
        block.splice(LONGEST..end - 1, ["   …"]);
    }
    block.join("\n").trim_end().to_owned()
}

/// The headline and the way, which are the same in every run.
pub fn head(block: &str) -> String {
    let lines: Vec<&str> = block.lines().take_while(|l| !l.is_empty()).collect();
    lines.join("\n")
}
