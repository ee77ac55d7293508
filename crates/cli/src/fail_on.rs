//! `--fail-on KIND[:CONFIDENCE]`: what makes a command exit with 1.

use std::str::FromStr;

/// A kind of suspect, and how sure it has to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailOn {
    /// `any`, or a suspect's kind.
    kind: String,
    /// At least so sure: 1 low, 2 medium, 3 high.
    least: u8,
}

/// The kinds a suspect can have.
const KINDS: &[&str] = &["growth", "cycle", "garbage", "retained", "references", "orphan", "ownership", "bytes"];

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<FailOn, String> {
        let (kind, confidence) = match text.split_once(':') {
            Some((kind, confidence)) => (kind, Some(confidence)),
            None => (text, None),
        };
        if kind != "any" && !KINDS.contains(&kind) {
            return Err(format!("no suspect is of kind {kind:?}; the kinds are any, {}", KINDS.join(", ")));
        }
        let least = match confidence {
            None => 1,
            Some(word) => rank(word).ok_or_else(|| format!("{word:?} is no confidence; say high, medium or low"))?,
        };
        Ok(FailOn { kind: kind.to_owned(), least })
    }
}

impl FailOn {
    /// Whether a suspect of this kind and confidence is meant.
    pub fn names(&self, kind: &str, confidence: &str) -> bool {
        (self.kind == "any" || self.kind == kind) && rank(confidence).is_some_and(|r| r >= self.least)
    }
}

fn rank(confidence: &str) -> Option<u8> {
    match confidence {
        "low" => Some(1),
        "medium" => Some(2),
        "high" => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_is_the_least_that_counts() {
        let on = |text: &str| text.parse::<FailOn>().expect("well formed");
        assert!(on("any").names("garbage", "low"));
        assert!(on("garbage:medium").names("garbage", "high"));
        assert!(!on("garbage:medium").names("garbage", "low"));
        assert!(!on("garbage").names("cycle", "high"));
        assert!("garbage:sure".parse::<FailOn>().is_err());
        assert!("rubbish".parse::<FailOn>().is_err());
    }
}
