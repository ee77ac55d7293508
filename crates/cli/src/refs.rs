//! `undying refs`: the ledger of references of one heap, or what came of it between
//! several of one process, oldest first, two in memory at a time.

use std::io::{self, Write};

use serde::Serialize;
use undying_analysis::render::{HeapTold, Limits, render_refs};
use undying_analysis::suspects::Suspect;
use undying_analysis::{Answer, History, Intermediates, Interval, Query, ReferencesAnswer, answer, diff};
use undying_snapshot::SCHEMA;

use crate::args::{Common, Format, Refs};
use crate::diff::{check, load};
use crate::failure::{Exit, Failure};
use crate::judge::Sifted;
use crate::progress::Bars;
use crate::source::{self, Target};
use crate::{output, say};

/// The answer as a program reads it.
#[derive(Serialize)]
struct Envelope<'a> {
    schema: u32,
    command: &'static str,
    python: &'a str,
    snapshots: &'a [HeapTold],
    #[serde(skip_serializing_if = "<[Interval]>::is_empty")]
    intervals: &'a [Interval],
    #[serde(flatten)]
    answer: &'a ReferencesAnswer,
    #[serde(flatten)]
    sifted: &'a Sifted,
}

/// `undying refs`.  Gives whether `--fail-on` matched.
pub fn refs(args: &Refs, common: &Common, out: &mut dyn Write) -> Result<bool, Failure> {
    let bars = Bars::new(common.quiet);
    let resolved = source::resolve(&args.targets[0]);
    if let (Some(note), false) = (&resolved.note, common.quiet) {
        say(note);
    }
    if let (Target::Live(_), true) = (&resolved.target, args.targets.len() > 1) {
        return Err(Failure::new(Exit::Usage, "several heaps are compared as snapshots: give their directories"));
    }
    let name = match &resolved.target {
        Target::Live(pid) => pid.to_string(),
        Target::Saved(dir) => dir.display().to_string(),
    };
    let mut last = source::load(&resolved.target, &bars)?;
    let saved = matches!(resolved.target, Target::Saved(_)).then(|| name.clone());
    let mut heaps = vec![HeapTold::of(&last, saved)];
    let mut history = History::default();
    let (mut grown, mut intervals): (Option<Vec<Suspect>>, Vec<Interval>) = (None, Vec::new());
    let mut kept = Intermediates::default();
    for dir in &args.targets[1..] {
        let dir = std::path::Path::new(dir);
        let after = load(dir, &bars)?;
        check(&last.facts, &after.facts, dir)?;
        heaps.push(HeapTold::of(&after, Some(dir.display().to_string())));
        kept = Intermediates::default();
        let told = diff(&last, &after, &mut history, &mut kept, &bars)?;
        (grown, intervals) = (Some(told.suspects), told.intervals);
        last = after;
    }
    let Answer::Refs(mut told) = answer(&last, &Query::Refs, &mut kept, &bars)? else {
        return Err(Failure::new(Exit::Target, "the ledger of references gave no answer; please report this"));
    };
    if let Some(grown) = grown {
        // several heaps say what goes on; what one shows may be old
        told.suspects = grown.into_iter().filter(Suspect::is_of_references).collect();
        (1..).zip(&mut told.suspects).for_each(|(rank, s)| s.rank = rank);
    }
    let sifted = args.judging.sift(&mut told.suspects)?;
    bars.clear();
    let first = (heaps.len() > 1).then_some(name.as_str());
    let style = output::style(&io::stdout(), common, args.targets.last().map(|t| t.to_string_lossy().into_owned()));
    let written = match common.format {
        Format::Text => {
            let report = render_refs(&last, &told, first, &sifted.notes(), Limits { rows: args.limit });
            undying_report::write(&report, &style, out)
        }
        Format::Json => {
            let envelope = Envelope {
                schema: SCHEMA,
                command: "refs",
                python: &last.facts.python,
                snapshots: &heaps,
                intervals: &intervals,
                answer: &told,
                sifted: &sifted,
            };
            serde_json::to_writer_pretty(&mut *out, &envelope)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
        }
    };
    written.and_then(|()| out.flush()).map_err(Failure::output)?;
    Ok(args.judging.is_named(&told.suspects))
}
