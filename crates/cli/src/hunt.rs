//! `undying hunt`: calls a function in rounds and says what each call leaves behind, of
//! which class, and who is to blame.  The allocators' counts and what was captured
//! between rounds judge; the captures name.

mod child;
mod pace;
mod record;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;

use serde::Serialize;
use undying_analysis::flight::Recorded;
use undying_analysis::hunt::{Course, HuntAnswer, Round, Verdict, change};
use undying_analysis::render::{Limits, render_flight, render_hunt};
use undying_analysis::suspects::Suspect;
use undying_analysis::{History, Intermediates, diff, survival};
use undying_graph::{Progress, Snapshot};
use undying_snapshot::SCHEMA;

use self::child::{Counts, Driven, Trouble, Wanted};
use self::pace::{Pace, ROUNDS};
use self::record::Records;
use crate::args::{Common, Format, Hunt};
use crate::failure::{Exit, Failure};
use crate::judge::Sifted;
use crate::progress::Bars;
use crate::run::python;
use crate::source::{self, Target};
use crate::{output, signals};

/// Calls of the round in which birthplaces are recorded, at most.
const BIRTH_CALLS: u64 = 200;
/// Frames of a birthplace.
const BIRTH_FRAMES: u32 = 16;

/// The answer as a program reads it.
#[derive(Serialize)]
struct Envelope<'a> {
    schema: u32,
    command: &'static str,
    callable: &'a str,
    python: &'a str,
    #[serde(flatten)]
    answer: &'a HuntAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a Recorded>,
    #[serde(skip_serializing_if = "<[Recorded]>::is_empty")]
    record_others: &'a [Recorded],
    #[serde(skip_serializing_if = "Option::is_none")]
    record_error: Option<&'a str>,
    #[serde(flatten)]
    sifted: &'a Sifted,
}

/// `undying hunt`.  Gives whether `--fail-on` matched.
pub fn hunt(args: &Hunt, common: &Common, out: &mut dyn Write) -> Result<bool, Failure> {
    let wanted = wanted(args)?;
    let python = python::find(args.python.as_deref())?;
    // Before signals are watched: the program would inherit what is blocked for that.
    let driven = Driven::start(&python, &wanted).map_err(|e| python::cannot_start(&python, e))?;
    signals::watch().map_err(|e| Failure::new(Exit::Target, format!("cannot listen for signals: {e}")))?;
    let callable = format!("{}:{}", wanted.place.to_string_lossy(), wanted.name);
    let bars = Bars::new(common.quiet);
    let pace = Pace { fixed: args.calls, time: args.time, ..Pace::default() };
    let mut hunt = Hunting {
        driven,
        wanted,
        pace,
        bars: &bars,
        course: Course::default(),
        last: None,
        recording: args.record,
        records: None,
    };
    let (mut answer, heap) = hunt.run()?;
    let recorded = hunt.records.take();
    let sifted = args.judging.sift(&mut answer.suspects)?;
    bars.clear();
    let python = &heap.facts.python;
    let written = match common.format {
        Format::Text => {
            let mut report = render_hunt(&answer, &callable, python, Some(&heap), Limits::default());
            for note in sifted.notes() {
                report.text(undying_report::Tone::Quiet, format!("{note}."));
            }
            match &recorded {
                Some(records) => {
                    records.objects.iter().for_each(|recorded| render_flight(recorded, &mut report));
                    if let Some(note) = &records.note {
                        report.text(undying_report::Tone::Warning, format!("{note}."));
                    }
                }
                None if args.record => {
                    report.text(undying_report::Tone::Quiet, "Nothing to record: nothing stays.");
                }
                None => {}
            }
            undying_report::write(&report, &output::style(&io::stdout(), common, None), out)
        }
        Format::Json => {
            let (schema, command, callable) = (SCHEMA, "hunt", callable.as_str());
            let records = recorded.as_ref();
            let objects = records.map_or(&[][..], |r| &r.objects);
            let envelope = Envelope {
                schema,
                command,
                callable,
                python,
                answer: &answer,
                record: objects.first(),
                record_others: objects.get(1..).unwrap_or_default(),
                record_error: records.and_then(|r| r.note.as_deref()),
                sifted: &sifted,
            };
            serde_json::to_writer_pretty(&mut *out, &envelope)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
        }
    };
    written.and_then(|()| out.flush()).map_err(Failure::output)?;
    let counted = |kind: &&str| args.judging.fail_on.iter().any(|f| f.names(kind, "high"));
    let left_out = sifted != Sifted::default() && answer.suspects.is_empty();
    Ok(args.judging.is_named(&answer.suspects) || (!left_out && answer.kinds().iter().any(counted)))
}

/// What the command line names.
fn wanted(args: &Hunt) -> Result<Wanted, Failure> {
    let usage = |sentence: String| Failure::new(Exit::Usage, sentence);
    let (is_script, place, name) = match (&args.script, &args.callable) {
        (Some(file), _) if !file.is_file() => {
            return Err(usage(format!("{} is no file; give --script a file with a step() in it", file.display())));
        }
        (Some(file), _) => (true, file.clone().into_os_string(), "step".to_owned()),
        (None, callable) => {
            let callable = callable.as_deref().unwrap_or_default();
            let parts = callable.split_once(':').filter(|(module, name)| !module.is_empty() && !name.is_empty());
            let (module, name) = parts.ok_or_else(|| {
                usage(format!("{callable:?} names no callable; write MODULE:CALLABLE, as in package.module:function"))
            })?;
            (false, OsString::from(module), name.to_owned())
        }
    };
    let (arguments, expect_errors) = (args.args.clone(), args.expect_errors);
    Ok(Wanted { is_script, place, name, arguments, expect_errors })
}

/// A hunt under way.
struct Hunting<'a> {
    driven: Driven,
    wanted: Wanted,
    pace: Pace,
    bars: &'a Bars,
    course: Course,
    /// The allocators' counts after the last round.
    last: Option<Counts>,
    /// Whether to record what leaks, and what was.
    recording: bool,
    records: Option<Records>,
}

impl Hunting<'_> {
    /// All of it; the answer, and the last heap.
    fn run(&mut self) -> Result<(HuntAnswer, Snapshot), Failure> {
        let ready = self.driven.ready();
        self.told(ready)?;
        self.warm_up()?;
        let mut calls = self.pace.round();
        for sets in 1.. {
            let heaps = self.set(calls)?;
            let (made, _) = self.course.calls();
            let leaks = self.course.leaks();
            let open = leaks || self.course.is_unsettled();
            let next = self.pace.next(calls, sets, made, self.course.seconds(), leaks).filter(|_| open);
            match next {
                Some(more) => calls = more,
                None => return self.answer(heaps, calls),
            }
        }
        Err(Failure::new(Exit::Target, "the hunt did not come to an end"))
    }

    /// Until what is made once is made, and it is known how long a call takes.
    fn warm_up(&mut self) -> Result<(), Failure> {
        self.warm(1)?;
        let first = self.pace.first();
        if !self.pace.is_too_slow_for(first) {
            self.warm(first)?;
            self.warm(first)?;
        }
        for _ in 0..2 {
            self.warm(self.pace.round())?;
        }
        Ok(())
    }

    fn warm(&mut self, calls: u64) -> Result<(), Failure> {
        let round = self.round(calls)?;
        self.pace.seconds = round.seconds / calls as f64;
        // a block is small: 64 bytes on average will do to be careful
        let kept = round.native_bytes.unwrap_or(0).saturating_add(round.blocks.saturating_mul(64));
        self.pace.bytes = if self.last.is_some() { kept.max(0) as f64 / calls as f64 } else { 0.0 };
        self.course.warm_up(round);
        Ok(())
    }

    /// One round, held against the counts of the one before.
    fn round(&mut self, calls: u64) -> Result<Round, Failure> {
        self.bars.phase("calling", 0);
        let answered = self.driven.calls(calls);
        let now = self.told(answered)?;
        let was = self.last.replace(now).unwrap_or(now);
        Ok(Round {
            calls,
            seconds: now.seconds,
            raised: now.raised,
            blocks: now.blocks - was.blocks,
            native_bytes: now.native_bytes.zip(was.native_bytes).map(|(now, was)| now - was),
            ..Round::default()
        })
    }

    /// Rounds that are judged together: the first, the middle and the last heap.
    fn set(&mut self, calls: u64) -> Result<[Snapshot; 3], Failure> {
        self.course.begin_set();
        let first = self.capture()?;
        let (mut before, mut middle) = (None, None);
        for i in 0..ROUNDS {
            let round = self.round(calls)?;
            let after = self.capture()?;
            let changed = change(before.as_ref().or(middle.as_ref()).unwrap_or(&first), &after, self.bars)?;
            self.course.enter(round, &changed);
            if i + 1 == ROUNDS / 2 {
                (middle, before) = (Some(after), None);
            } else {
                before = Some(after);
            }
        }
        let last = before.ok_or_else(|| Failure::new(Exit::Target, "no round was made"))?;
        Ok([first, middle.unwrap_or_default(), last])
    }

    fn capture(&self) -> Result<Snapshot, Failure> {
        source::load(&Target::Live(self.driven.pid()), self.bars)
    }

    /// The verdict, and where something leaks: who holds it, and where it is made.
    fn answer(&mut self, heaps: [Snapshot; 3], calls: u64) -> Result<(HuntAnswer, Snapshot), Failure> {
        let suspects = if self.course.leaks() { self.suspects(&heaps)? } else { Vec::new() };
        let [_, _, last] = heaps;
        let mut answer = HuntAnswer::of(&self.course, suspects);
        // before births are: that puts frames of its own on every stack
        if self.recording && answer.verdict != Verdict::Clean {
            self.records = Some(self.record(&answer)?);
        }
        if answer.verdict == Verdict::Leak && answer.per_call.objects > 0.0 {
            self.births(&mut answer, &last, calls)?;
        }
        Ok((answer, last))
    }

    /// One more round, in which is recorded where objects are made.
    fn births(&mut self, answer: &mut HuntAnswer, last: &Snapshot, calls: u64) -> Result<(), Failure> {
        match self.driven.record_births(BIRTH_FRAMES) {
            // it died of what was recorded, which is told
            Err(Trouble::Ended(_)) if self.records.is_some() => return Ok(()),
            other => self.told(other)?,
        }
        let recent = if self.records.is_some() { Some(self.capture()?) } else { None };
        self.round(calls.min(BIRTH_CALLS))?;
        let after = self.capture()?;
        let same = survival(recent.as_ref().unwrap_or(last), &after, self.bars)?;
        answer.put_births(&after, &same);
        Ok(())
    }

    fn suspects(&self, [first, middle, last]: &[Snapshot; 3]) -> Result<Vec<Suspect>, Failure> {
        let mut history = History::default();
        diff(first, middle, &mut history, &mut Intermediates::default(), self.bars)?;
        Ok(diff(middle, last, &mut history, &mut Intermediates::default(), self.bars)?.suspects)
    }

    /// What went wrong, in a sentence.
    fn told<T>(&self, answered: Result<T, Trouble>) -> Result<T, Failure> {
        answered.map_err(|trouble| sentence(&trouble, &self.wanted))
    }
}

fn sentence(trouble: &Trouble, wanted: &Wanted) -> Failure {
    let (place, name) = (wanted.place.to_string_lossy(), &wanted.name);
    let where_from = "it is looked for as python -m does, from this directory on";
    let expect = "correct the call (--args), or let errors be part of it with --expect-errors";
    let text = match trouble {
        Trouble::Refused('M', why) => format!("{place} cannot be imported: {why}; {where_from}"),
        Trouble::Refused('I', why) => format!("{place} cannot be imported: {why}; its traceback is above"),
        Trouble::Refused('N', why) if wanted.is_script => format!("{place} has no step() to call: {why}"),
        Trouble::Refused('N', why) => format!("{place} has no such callable: {why}"),
        Trouble::Refused('A', text) => {
            let sentence = format!("--args {text:?} is neither JSON nor a Python literal; quote it for the shell");
            return Failure::new(Exit::Usage, sentence);
        }
        Trouble::Refused('E', why) => format!("{name} raised {why}; {expect}"),
        Trouble::Refused('X', why) => {
            format!("{name} ended the program: SystemExit({why}); give a callable that returns")
        }
        Trouble::Refused(..) => "the driver was not understood; does the program write to descriptor 200?".to_owned(),
        Trouble::Ended(status) => match (status.signal(), status.code()) {
            (Some(signal), _) => format!(
                "the program died of signal {signal} in the middle of the hunt; if that is a crash, a reference \
                 given back once too often may be its cause: fewer calls may show it (-n 1)"
            ),
            (None, code) => format!(
                "the program ended in the middle of the hunt (exit status {}); give a callable that returns",
                code.unwrap_or(0)
            ),
        },
        Trouble::Late => format!("{name} does not return"),
        Trouble::Stopped => return Failure::interrupted(signals::received()),
        Trouble::Io(e) => format!("cannot talk to the program: {e}"),
    };
    Failure::new(Exit::Target, text)
}
