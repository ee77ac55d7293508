//! `undying diff`: snapshots of one process, oldest first, two in memory at a time.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use undying_analysis::render::{HeapTold, Limits, render_diff};
use undying_analysis::{DiffAnswer, History, Intermediates, diff};
use undying_graph::{Facts, Snapshot};
use undying_snapshot::SCHEMA;

use crate::args::{Common, Diff, Format};
use crate::failure::{Exit, Failure};
use crate::judge::Sifted;
use crate::output;
use crate::progress::Bars;

/// The answer as a program reads it.
#[derive(Serialize)]
struct Envelope<'a> {
    schema: u32,
    command: &'static str,
    python: &'a str,
    snapshots: &'a [HeapTold],
    #[serde(flatten)]
    answer: &'a DiffAnswer,
    #[serde(flatten)]
    sifted: &'a Sifted,
}

/// `undying diff`.  Gives whether `--fail-on` matched.
pub fn diff_command(args: &Diff, common: &Common, out: &mut dyn Write) -> Result<bool, Failure> {
    let bars = Bars::new(common.quiet);
    let mut before = load(&args.snapshots[0], &bars)?;
    let told = |dir: &Path, snapshot: &Snapshot| HeapTold::of(snapshot, Some(dir.display().to_string()));
    let mut heaps = vec![told(&args.snapshots[0], &before)];
    let mut history = History::default();
    let mut answer: Option<DiffAnswer> = None;
    for dir in &args.snapshots[1..] {
        let after = load(dir, &bars)?;
        check(&before.facts, &after.facts, dir)?;
        heaps.push(told(dir, &after));
        answer = Some(diff(&before, &after, &mut history, &mut Intermediates::default(), &bars)?);
        before = after;
    }
    let last = before;
    let mut answer = answer.ok_or_else(|| Failure::new(Exit::Usage, "give two snapshots or more"))?;
    let sifted = args.judging.sift(&mut answer.suspects)?;
    bars.clear();
    let name = args.snapshots.last().map(|d| d.display().to_string());
    let style = output::style(&io::stdout(), common, name);
    let written = match common.format {
        Format::Text => {
            let first = args.snapshots[0].display().to_string();
            let report = render_diff(&last, &answer, &first, &sifted.notes(), Limits { rows: args.limit });
            undying_report::write(&report, &style, out)
        }
        Format::Json => {
            let python = &last.facts.python;
            let (command, snapshots) = ("diff", &heaps[..]);
            let envelope = Envelope { schema: SCHEMA, command, python, snapshots, answer: &answer, sifted: &sifted };
            serde_json::to_writer_pretty(&mut *out, &envelope)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
        }
    };
    written.and_then(|()| out.flush()).map_err(Failure::output)?;
    Ok(args.judging.is_named(&answer.suspects))
}

/// Reads one of several snapshots; what is wrong with it is told by its name.
pub fn load(dir: &Path, bars: &Bars) -> Result<Snapshot, Failure> {
    undying_snapshot::read(dir, bars).map_err(Failure::from).map_err(|failure| match failure.exit {
        Exit::Snapshot => Failure::new(Exit::Snapshot, format!("{}: {}", dir.display(), failure.sentence)),
        _ => failure,
    })
}

/// Two heaps of different processes have nothing in common but their classes' names.
pub fn check(before: &Facts, after: &Facts, dir: &Path) -> Result<(), Failure> {
    let dir = dir.display();
    let sentence = if (before.pid, &before.host) != (after.pid, &after.host) {
        format!(
            "{dir} is of process {} on {:?} and the one before it of process {} on {:?}; \
             diff compares snapshots of one process",
            after.pid, after.host, before.pid, before.host
        )
    } else if before.captured_at > after.captured_at {
        format!("{dir} was captured before the one given ahead of it; give the oldest first")
    } else {
        return Ok(());
    };
    Err(Failure::new(Exit::Usage, sentence))
}
