//! One heap as a Python object, and the questions it answers.  Each method is one call
//! into the analyses; all work but the copy of our own memory is done without the
//! interpreter's lock.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, TryLockError};

use pyo3::prelude::*;
use serde::Serialize;
use undying_analysis::paths::MergedChain;
use undying_analysis::render::{Limits, render, render_diff, told};
use undying_analysis::suspects::Suspect;
use undying_analysis::{Answer, History, Intermediates, Query, StepKind, TopBy, answer, diff};
use undying_cli::{Failure, check_named, check_pair};
use undying_graph::{Certainty, Progress, RootKind};
use undying_report::{Report, count};

use crate::error::{misused, raised};
use crate::interrupts::{Interrupts, unlocked};
use crate::keeping::{self, Keeping, Untraversed};
use crate::told::Told;
use crate::wanted::Where;
use crate::{own, refs, wanted};

/// Classes of ours, which are nobody's leak.
const OURS: &str = "undying.";

/// A heap at one moment.
#[pyclass(frozen, module = "undying")]
pub struct Snapshot(Arc<Heap>);

struct Heap {
    snapshot: undying_graph::Snapshot,
    untraversed: Untraversed,
    /// Where it was read from.
    path: Option<String>,
    /// What one question found out for the next.
    kept: Mutex<Intermediates>,
}

impl Heap {
    fn snapshot_of((snapshot, untraversed): (undying_graph::Snapshot, Untraversed), path: Option<String>) -> Snapshot {
        Snapshot(Arc::new(Heap { snapshot, untraversed, path, kept: Mutex::default() }))
    }

    /// Works with what earlier questions found out.  Not waited for: a signal handler may
    /// ask in the middle of a question, and gets its answer from nothing.
    fn with_kept<T>(&self, work: impl FnOnce(&mut Intermediates) -> T) -> T {
        match self.kept.try_lock() {
            Ok(mut kept) => work(&mut kept),
            Err(TryLockError::Poisoned(poisoned)) => {
                let mut kept = poisoned.into_inner();
                *kept = Intermediates::default();
                work(&mut kept)
            }
            Err(TryLockError::WouldBlock) => work(&mut Intermediates::default()),
        }
    }

    fn ask(&self, query: &Query, limits: Limits, progress: &Interrupts) -> Result<Told, Failure> {
        self.ask_about(query, false, limits, progress)
    }

    /// `in_hand`: the question is about an object that the asking function has in hand.
    fn ask_about(&self, query: &Query, in_hand: bool, limits: Limits, progress: &Interrupts) -> Result<Told, Failure> {
        if let Query::Why { what } = query {
            check_named(&self.snapshot, what)?;
        }
        let mut answer = self.with_kept(|kept| answer(&self.snapshot, query, kept, progress))?;
        match &mut answer {
            Answer::Report(report) => without_ours(&mut report.suspects),
            Answer::Refs(ledger) => without_ours(&mut ledger.suspects),
            Answer::Why(why) if in_hand => without_hand(&mut why.chains.rows),
            _ => {}
        }
        let command = match query {
            Query::Report => "report",
            Query::Why { .. } => "why",
            Query::Cycles => "cycles",
            Query::Lives => "lives",
            Query::Refs => "refs",
            _ => "top",
        };
        let told = told(&self.snapshot, &answer);
        self.told(command, &told, render(&self.snapshot, query, &answer, limits))
    }

    fn told(&self, command: &'static str, told: &impl Serialize, report: Report) -> Result<Told, Failure> {
        Told::of(command, &[(&self.snapshot, self.path.as_deref())], told, report).map_err(not_json)
    }
}

fn not_json(e: serde_json::Error) -> Failure {
    Failure::output(e.into())
}

/// What a running function may have in hand explains nothing where something else holds
/// the object too.
fn without_hand(chains: &mut Vec<MergedChain>) {
    let in_hand = |chain: &MergedChain| {
        chain.steps.last().is_some_and(|step| {
            let of_frame = matches!(step.kind, StepKind::Frame | StepKind::Root(RootKind::Stack));
            of_frame && step.certainty == Certainty::Conservative
        })
    };
    if !chains.iter().all(in_hand) {
        chains.retain(|chain| !in_hand(chain));
    }
}

fn without_ours(suspects: &mut Vec<Suspect>) {
    suspects.retain(|s| !s.type_name.starts_with(OURS));
    for (suspect, rank) in suspects.iter_mut().zip(1..) {
        suspect.rank = rank;
    }
}

/// An answer in the form that python/undying/_answers.py gives it.
fn formed<'py>(py: Python<'py>, form: &str, told: Told) -> PyResult<Bound<'py, PyAny>> {
    py.import("undying._answers")?.getattr(form)?.call1((told,))
}

impl Snapshot {
    /// The process that asks: copied while we have the lock, so that no object changes.
    pub fn of_itself(py: Python<'_>) -> PyResult<Snapshot> {
        let (target, copied) = own::copy().map_err(|failure| raised(py, &failure))?;
        unlocked(py, |progress| {
            let mut sink = Keeping::default();
            target.walk(&copied, progress, &mut sink)?;
            Ok(Heap::snapshot_of(sink.build(), None))
        })
    }

    /// Another process.
    pub fn of_other(py: Python<'_>, pid: i32) -> PyResult<Snapshot> {
        unlocked(py, |progress| {
            let mut sink = Keeping::default();
            undying_cli::capture(pid, progress, &mut sink)?;
            Ok(Heap::snapshot_of(sink.build(), None))
        })
    }

    /// A directory.
    pub fn read(py: Python<'_>, path: PathBuf) -> PyResult<Snapshot> {
        unlocked(py, |progress| {
            let snapshot = undying_snapshot::read(&path, progress)?;
            Ok(Heap::snapshot_of((snapshot, Untraversed::new()), Some(path.display().to_string())))
        })
    }

    fn ask<'py>(&self, py: Python<'py>, form: &str, query: Query, rows: usize) -> PyResult<Bound<'py, PyAny>> {
        let told = unlocked(py, |progress| self.0.ask(&query, Limits { rows }, progress))?;
        formed(py, form, told)
    }
}

#[pymethods]
impl Snapshot {
    /// What stands out.
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, "Report", Query::Report, Limits::default().rows)
    }

    /// Who keeps it alive: an object, all instances of a class, a class by name, an address.
    #[pyo3(signature = (what, *, limit=20))]
    fn why<'py>(&self, py: Python<'py>, what: &Bound<'py, PyAny>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        let at: Where = wanted::locate(what)?;
        let told = unlocked(py, |progress| {
            let what = at.instances(&self.0.snapshot)?;
            let in_hand = at.is_in_hand();
            self.0.ask_about(&Query::Why { what }, in_hand, Limits { rows: limit }, progress)
        })?;
        formed(py, "Why", told)
    }

    /// Births and deaths by class and birthplace.
    #[pyo3(signature = (*, limit=20))]
    pub fn lives<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, "Lives", Query::Lives, limit)
    }

    /// Cycles by shape.
    #[pyo3(signature = (*, limit=20))]
    pub fn cycles<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, "Cycles", Query::Cycles, limit)
    }

    /// The ledger of references: what is counted too often or too rarely.
    #[pyo3(signature = (*, limit=20))]
    fn references<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, "References", Query::Refs, limit)
    }

    /// The biggest: classes (`by="type"`) or objects by what would be freed (`by="dominator"`).
    #[pyo3(signature = (by="type", *, limit=20))]
    fn top<'py>(&self, py: Python<'py>, by: &str, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        let by = match by {
            "type" => TopBy::Type,
            "dominator" => TopBy::Dominator,
            other => {
                let sentence = format!("by={other:?} is unknown; give \"type\" or \"dominator\"");
                return Err(raised(py, &misused(sentence)));
            }
        };
        self.ask(py, "Top", Query::Top { by }, limit)
    }

    /// Who refers to one object, each way with its name.
    #[pyo3(signature = (what, *, limit=20))]
    fn refs<'py>(&self, py: Python<'py>, what: &Bound<'py, PyAny>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        let at: Where = wanted::locate(what)?;
        let told = unlocked(py, |progress| {
            let snapshot = &self.0.snapshot;
            let node = at.object(snapshot)?;
            let found = self.0.with_kept(|kept| {
                let referrers = kept.referrers.get_or_insert_with(|| snapshot.graph.transpose());
                refs::refs(snapshot, referrers, node)
            });
            progress.check()?;
            self.0.told("refs", &found, refs::render(snapshot, node, &found, limit))
        })?;
        formed(py, "Refs", told)
    }

    /// What grew since an earlier snapshot of the same process, or over several of them,
    /// oldest first.
    #[pyo3(signature = (earlier, *, limit=20))]
    fn diff<'py>(&self, py: Python<'py>, earlier: &Bound<'py, PyAny>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        let before: Vec<Arc<Heap>> = match earlier.cast::<Snapshot>() {
            Ok(one) => vec![Arc::clone(&one.get().0)],
            Err(_) => {
                let all: Vec<Bound<'py, Snapshot>> = earlier.extract()?;
                all.iter().map(|s| Arc::clone(&s.get().0)).collect()
            }
        };
        let told = unlocked(py, |progress| compare(&before, &self.0, Limits { rows: limit }, progress))?;
        formed(py, "Diff", told)
    }

    /// Writes it to a directory that every command takes.
    #[pyo3(signature = (path, *, force=false))]
    fn save(&self, py: Python<'_>, path: PathBuf, force: bool) -> PyResult<()> {
        let heap = &self.0;
        unlocked(py, |progress| keeping::save(&heap.snapshot, &heap.untraversed, &path, force, progress))
    }

    /// How many objects.
    fn __len__(&self) -> usize {
        self.0.snapshot.graph.len()
    }

    /// The version of the Python that was looked into.
    #[getter]
    fn python(&self) -> &str {
        &self.0.snapshot.facts.python
    }

    /// The process's number.
    #[getter]
    fn pid(&self) -> i64 {
        self.0.snapshot.facts.pid
    }

    /// What it ran.
    #[getter]
    fn program(&self) -> &str {
        &self.0.snapshot.facts.program
    }

    /// When: seconds since 1970.
    #[getter]
    fn captured_at(&self) -> f64 {
        self.0.snapshot.facts.captured_at
    }

    /// How long it stood still.
    #[getter]
    fn paused_seconds(&self) -> f64 {
        self.0.snapshot.facts.paused_seconds
    }

    /// Where it was opened from, or `None`.
    #[getter]
    fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    fn __repr__(&self) -> String {
        let facts = &self.0.snapshot.facts;
        let objects = count(self.0.snapshot.graph.len() as u64);
        format!("<undying.Snapshot of process {}, CPython {}, {objects} objects>", facts.pid, facts.python)
    }
}

/// The intervals between heaps, oldest first.
fn compare(before: &[Arc<Heap>], last: &Arc<Heap>, limits: Limits, progress: &Interrupts) -> Result<Told, Failure> {
    let heaps: Vec<&Heap> = before.iter().chain([last]).map(|heap| &**heap).collect();
    let name = |heap: &Heap| heap.path.clone().unwrap_or_else(|| "the later snapshot".into());
    let mut history = History::default();
    let mut found = None;
    for pair in heaps.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        check_pair(&a.snapshot.facts, &b.snapshot.facts, name(b).as_ref())?;
        let answer = b.with_kept(|kept| diff(&a.snapshot, &b.snapshot, &mut history, kept, progress))?;
        found = Some(answer);
    }
    let mut answer = found.ok_or_else(|| misused("give at least one earlier snapshot"))?;
    without_ours(&mut answer.suspects);
    let first = heaps.first().and_then(|heap| heap.path.clone()).unwrap_or_default();
    let report = render_diff(&last.snapshot, &answer, &first, &[], limits);
    let all: Vec<_> = heaps.iter().map(|heap| (&heap.snapshot, heap.path.as_deref())).collect();
    Told::of("diff", &all, &answer, report).map_err(not_json)
}
