//! What a user makes of suspects: which to leave out (`--ignore`), which are known
//! already (`--baseline`), and which make the command fail (`--fail-on`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use undying_analysis::suspects::Suspect;

use crate::fail_on::FailOn;
use crate::failure::{Exit, Failure};

/// The form of baseline files.
const BASELINE: u32 = 1;

/// Options of every command that has suspects.
#[derive(Args, Debug, Clone, Default)]
pub struct Judging {
    /// Exit with 1 when there is a suspect of this KIND (any, growth, garbage, cycle…)
    /// and at least this CONFIDENCE (high, medium, low); may be given repeatedly
    #[arg(long, value_name = "KIND[:CONFIDENCE]")]
    pub fail_on: Vec<FailOn>,
    /// Leave out suspects whose class, way or rule is this; * stands for anything;
    /// may be given repeatedly
    #[arg(long, value_name = "PATTERN")]
    pub ignore: Vec<String>,
    /// Leave out suspects that FILE lists; written when it is not there yet, later only
    /// ever shortened by what was cured; one file for each command
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

/// What was left out.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Sifted {
    /// Suspects that `--ignore` named.
    pub ignored: usize,
    /// Suspects that the baseline lists.
    pub known: usize,
    /// Lines of the baseline that fit no suspect any more and were taken out.
    pub cured: usize,
}

impl Sifted {
    /// For people.
    pub fn notes(&self) -> Vec<String> {
        let told = |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}"));
        let notes = [
            told(self.ignored, "left out by --ignore"),
            told(self.known, "known from the baseline and left out"),
            told(self.cured, "of the baseline not seen any more and taken out of it"),
        ];
        notes.into_iter().flatten().collect()
    }
}

/// A file of known suspects.
#[derive(Serialize, Deserialize)]
struct Baseline {
    schema: u32,
    suspects: Vec<Known>,
}

/// One of them.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    kind: String,
    #[serde(rename = "type")]
    type_name: String,
    path_text: String,
}

impl Known {
    fn of(s: &Suspect) -> Known {
        Known { kind: s.kind.name().into(), type_name: s.type_name.clone(), path_text: lengthless(&s.path_text) }
    }
}

impl Judging {
    /// Whether a suspect is what `--fail-on` named.
    pub fn is_named(&self, suspects: &[Suspect]) -> bool {
        let mut named = suspects.iter().flat_map(|s| self.fail_on.iter().map(move |f| (s, f)));
        named.any(|(s, f)| f.names(s.kind.name(), s.confidence.name()))
    }

    /// Takes out what is not to be told, and numbers the rest anew.
    pub fn sift(&self, suspects: &mut Vec<Suspect>) -> Result<Sifted, Failure> {
        let mut sifted = Sifted::default();
        // first, so that what --ignore hides does not look cured
        if let Some(file) = &self.baseline {
            hold_against(file, suspects, &mut sifted)?;
        }
        let all = suspects.len();
        suspects.retain(|s| !self.ignore.iter().any(|p| names(p, s)));
        sifted.ignored = all - suspects.len();
        for (suspect, rank) in suspects.iter_mut().zip(1..) {
            suspect.rank = rank;
        }
        Ok(sifted)
    }
}

fn names(pattern: &str, s: &Suspect) -> bool {
    [&s.type_name, &s.path_text, s.rule, s.kind.name()].iter().any(|text| fits(pattern, text))
}

/// Whether the whole text is what the pattern says, `*` being anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.find(middle) {
                Some(at) => rest = &rest[at + middle.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

/// A way without how often a step repeats: a chain that was known is the same when it is
/// longer.
fn lengthless(way: &str) -> String {
    let mut parts = way.split('×');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |way, part| way + "×" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn hold_against(file: &Path, suspects: &mut Vec<Suspect>, sifted: &mut Sifted) -> Result<(), Failure> {
    let Some(mut baseline) = read(file)? else {
        let mut known: Vec<Known> = suspects.iter().map(Known::of).collect();
        known.sort();
        known.dedup();
        sifted.known = suspects.len();
        suspects.clear();
        return write(file, &Baseline { schema: BASELINE, suspects: known });
    };
    let seen: Vec<Known> = suspects.iter().map(Known::of).collect();
    let before = (suspects.len(), baseline.suspects.len());
    suspects.retain(|s| !baseline.suspects.contains(&Known::of(s)));
    baseline.suspects.retain(|k| seen.contains(k));
    sifted.known = before.0 - suspects.len();
    sifted.cured = before.1 - baseline.suspects.len();
    if sifted.cured > 0 { write(file, &baseline) } else { Ok(()) }
}

fn read(file: &Path) -> Result<Option<Baseline>, Failure> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failure(file, format!("cannot be read: {e}; give the name of a file that can"))),
    };
    let baseline: Baseline = serde_json::from_str(&text)
        .map_err(|e| failure(file, format!("is no baseline ({e}); give another name, or remove it to begin anew")))?;
    match baseline.schema {
        BASELINE => Ok(Some(baseline)),
        newer => Err(failure(
            file,
            format!("has schema {newer}, newer than this version knows ({BASELINE}); update undying"),
        )),
    }
}

/// Aside, then renamed: a baseline is whole or as it was.
fn write(file: &Path, baseline: &Baseline) -> Result<(), Failure> {
    let told = |e: io::Error| {
        let advice = "nothing was left behind, choose a directory in which you may write";
        Failure::new(Exit::Output, format!("the baseline {} cannot be written: {e}; {advice}", file.display()))
    };
    let dir = file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut aside = tempfile::NamedTempFile::new_in(dir).map_err(told)?;
    serde_json::to_writer_pretty(&mut aside, baseline).map_err(|e| told(e.into()))?;
    aside.persist(file).map(drop).map_err(|e| told(e.error))
}

fn failure(file: &Path, what: String) -> Failure {
    Failure::new(Exit::Usage, format!("the baseline {} {what}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::{fits, lengthless};

    #[test]
    fn a_chain_is_known_at_any_length() {
        assert_eq!(lengthless("a.last.before×199 → B.next×3 → C"), "a.last.before× → B.next× → C");
        assert_eq!(lengthless("a.cache2[0]"), "a.cache2[0]");
        assert_eq!(lengthless(""), "");
    }

    #[test]
    fn a_star_is_anything() {
        for (pattern, text, is) in [
            ("app.Node", "app.Node", true),
            ("app.Node", "app.Nodes", false),
            ("app.*", "app.Node", true),
            ("*", "", true),
            ("*.Node", "app.Node", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*cache*", "app._cache[…]", true),
            ("a*a", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, text), is, "{pattern} {text}");
        }
    }
}
