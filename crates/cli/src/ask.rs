//! The questions: a heap in, an answer out, as text or as JSON.  Each command is
//! one call into the analyses and one into a writer.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use undying_analysis::render::{HeapTold, Limits, Told, render, told};
use undying_analysis::{Answer, Intermediates, Query, Selected, TopBy, answer, naming, select, survival};
use undying_graph::{Progress, Snapshot};
use undying_report::{Style, Tone};
use undying_snapshot::SCHEMA;

use crate::args::{By, Common, Cycles, Format, Lives, Report, Source, Top, Why};
use crate::failure::{Exit, Failure};
use crate::judge::{Judging, Sifted};
use crate::progress::Bars;
use crate::source::{self, Target};
use crate::{diff, output, say};

/// A question with its answer and the heap it was asked of.
pub struct Asked<'a> {
    snapshot: &'a Snapshot,
    query: Query,
    answer: Answer,
    sifted: Option<Sifted>,
}

/// The answer as a program reads it.
#[derive(Serialize)]
struct Envelope<'a> {
    schema: u32,
    command: &'static str,
    python: &'a str,
    snapshots: [HeapTold; 1],
    #[serde(flatten)]
    told: Told,
    #[serde(flatten)]
    sifted: Option<&'a Sifted>,
}

impl<'a> Asked<'a> {
    /// Answers the question.
    pub fn of(snapshot: &'a Snapshot, query: Query, progress: &dyn Progress) -> Result<Asked<'a>, Failure> {
        Asked::with(snapshot, query, Intermediates::default(), progress)
    }

    /// Answers the question with what is known already.
    fn with(
        snapshot: &'a Snapshot,
        query: Query,
        mut kept: Intermediates,
        progress: &dyn Progress,
    ) -> Result<Asked<'a>, Failure> {
        let answer = answer(snapshot, &query, &mut kept, progress)?;
        Ok(Asked { snapshot, query, answer, sifted: None })
    }

    /// Writes it, as text or as JSON.
    pub fn write(&self, out: &mut dyn Write, format: Format, style: &Style, limits: Limits) -> io::Result<()> {
        match format {
            Format::Text => {
                let mut report = render(self.snapshot, &self.query, &self.answer, limits);
                for note in self.sifted.iter().flat_map(Sifted::notes) {
                    report.text(Tone::Quiet, format!("{note}."));
                }
                undying_report::write(&report, style, out)?;
            }
            Format::Json => {
                serde_json::to_writer_pretty(&mut *out, &self.envelope(style)).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        out.flush()
    }

    fn envelope<'s>(&'s self, style: &'s Style) -> Envelope<'s> {
        let facts = &self.snapshot.facts;
        let saved = style.target.as_deref().filter(|t| t.parse::<i64>() != Ok(facts.pid));
        Envelope {
            schema: SCHEMA,
            command: match self.query {
                Query::Report => "report",
                Query::Why { .. } => "why",
                Query::Cycles => "cycles",
                Query::Lives => "lives",
                _ => "top",
            },
            python: &facts.python,
            snapshots: [HeapTold::of(self.snapshot, saved.map(str::to_owned))],
            told: told(self.snapshot, &self.answer),
            sifted: self.sifted.as_ref(),
        }
    }

    /// Takes out the suspects that are not to be told.
    pub fn sift(&mut self, judging: &Judging) -> Result<(), Failure> {
        if let Answer::Report(report) = &mut self.answer {
            self.sifted = Some(judging.sift(&mut report.suspects)?);
        }
        Ok(())
    }

    /// Whether a suspect is what `--fail-on` named.
    pub fn is_named(&self, judging: &Judging) -> bool {
        let Answer::Report(report) = &self.answer else { return false };
        judging.is_named(&report.suspects)
    }
}

/// What goes with a question.
#[derive(Default)]
struct Wishes<'a> {
    limits: Limits,
    judging: Judging,
    since: Option<&'a Path>,
}

impl Wishes<'_> {
    fn rows(rows: usize) -> Wishes<'static> {
        Wishes { limits: Limits { rows }, ..Wishes::default() }
    }
}

/// Reads the heap, answers, writes.  Gives whether `--fail-on` matched.
fn ask(source: &Source, query: Query, wishes: &Wishes, common: &Common, out: &mut dyn Write) -> Result<bool, Failure> {
    let resolved = source::resolve(&source.target);
    if let (Some(note), false) = (&resolved.note, common.quiet) {
        say(note);
    }
    let bars = Bars::new(common.quiet);
    let snapshot = source::load(&resolved.target, &bars)?;
    if let Query::Why { what } = &query {
        check_named(&snapshot, what)?;
    }
    let mut kept = Intermediates::default();
    if let Some(dir) = wishes.since {
        let before = diff::load(dir, &bars)?;
        diff::check(&before.facts, &snapshot.facts, Path::new(&source.target))?;
        kept.since = Some(survival(&before, &snapshot, &bars)?);
    }
    let mut asked = Asked::with(&snapshot, query, kept, &bars)?;
    asked.sift(&wishes.judging)?;
    bars.clear();
    let name = match &resolved.target {
        Target::Live(pid) => pid.to_string(),
        Target::Saved(dir) => dir.display().to_string(),
    };
    let style = output::style(&io::stdout(), common, Some(name));
    asked.write(out, common.format, &style, wishes.limits).map_err(Failure::output)?;
    Ok(asked.is_named(&wishes.judging))
}

/// A question about nothing is answered with what there is.
pub fn check_named(snapshot: &Snapshot, what: &str) -> Result<(), Failure> {
    let Selected::Nothing(near) = select(snapshot, what) else { return Ok(()) };
    let names: Vec<&str> = near.iter().map(|&t| naming::type_name(snapshot, t)).collect();
    let advice = match names.is_empty() {
        true => "undying top lists the classes".to_owned(),
        false => format!("did you mean {}?", names.join(", ")),
    };
    Err(Failure::new(Exit::Usage, format!("{what:?} is no class and no object's address in this heap; {advice}")))
}

/// `undying report`
pub fn report(args: &Report, common: &Common, out: &mut dyn Write) -> Result<bool, Failure> {
    let wishes = Wishes { judging: args.judging.clone(), ..Wishes::default() };
    ask(&args.source, Query::Report, &wishes, common, out)
}

/// `undying why`
pub fn why(args: &Why, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
    let query = Query::Why { what: args.what.clone() };
    let wishes = Wishes { since: args.since.as_deref(), ..Wishes::rows(args.limit) };
    ask(&args.source, query, &wishes, common, out).map(drop)
}

/// `undying cycles`
pub fn cycles(args: &Cycles, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
    ask(&args.source, Query::Cycles, &Wishes::rows(args.limit), common, out).map(drop)
}

/// `undying lives`
pub fn lives(args: &Lives, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
    ask(&args.source, Query::Lives, &Wishes::rows(args.limit), common, out).map(drop)
}

/// `undying top`
pub fn top(args: &Top, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
    let by = match args.by {
        By::Type => TopBy::Type,
        By::Dominator => TopBy::Dominator,
    };
    let query = Query::Top { by };
    ask(&args.source, query, &Wishes::rows(args.limit), common, out).map(drop)
}
