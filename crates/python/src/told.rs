//! One answer, in the forms in which it is told: JSON as the command line's, text, HTML.
//! Answers are kept here and not as Python objects, so that the next snapshot does not
//! find them among what grew.

use pyo3::prelude::*;
use serde::Serialize;
use undying_analysis::render::HeapTold;
use undying_graph::Snapshot;
use undying_report::{Report, Style};

use crate::html;

/// One answer.
#[pyclass(frozen, module = "undying")]
#[derive(Debug)]
pub struct Told {
    json: String,
    report: Report,
    /// What further commands would be asked of.
    target: Option<String>,
}

/// The answer as a program reads it: the command line's envelope.
#[derive(Serialize)]
struct Envelope<'a, T> {
    schema: u32,
    command: &'static str,
    python: &'a str,
    snapshots: Vec<HeapTold>,
    #[serde(flatten)]
    told: T,
}

impl Told {
    /// An answer about these heaps, oldest first, each with where it was saved.
    pub fn of(
        command: &'static str,
        heaps: &[(&Snapshot, Option<&str>)],
        told: &impl Serialize,
        report: Report,
    ) -> Result<Told, serde_json::Error> {
        let last = heaps.last();
        let envelope = Envelope {
            schema: undying_snapshot::SCHEMA,
            command,
            python: last.map_or("", |(s, _)| &s.facts.python),
            snapshots: heaps.iter().map(|(s, path)| HeapTold::of(s, path.map(str::to_owned))).collect(),
            told,
        };
        let json = serde_json::to_string(&envelope)?;
        Ok(Told { json, report, target: last.and_then(|(_, path)| path.map(str::to_owned)) })
    }
}

#[pymethods]
impl Told {
    /// The JSON text.
    fn json(&self) -> &str {
        &self.json
    }

    /// The report as text.
    #[pyo3(signature = (width=100, unicode=true))]
    fn text(&self, width: usize, unicode: bool) -> String {
        let style = Style { width: width.clamp(40, 160), colour: false, unicode, target: self.target.clone() };
        let mut text = Vec::new();
        // a vector takes everything
        let _ = undying_report::write(&self.report, &style, &mut text);
        String::from_utf8_lossy(&text).trim_end().to_owned()
    }

    /// The report as a piece of HTML, without scripts and links.
    fn html(&self) -> String {
        html::fragment(&self.report)
    }
}
