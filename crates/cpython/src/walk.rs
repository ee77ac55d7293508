//! From a frozen copy to the sink: interpreters and roots, objects, rows.  This file
//! alone decides order.

use std::cell::Cell;
use std::io;

use rustc_hash::FxHashMap;
use undying_graph::{Cancelled, Facts, LabelId, NodeId, Progress, RegionRow, Root, RootKind, Sink, Tail, TypeRow};
use undying_memory::{Captured, Memory};

use crate::allocator::Allocator;
use crate::blocks::Blocks;
use crate::class::Classes;
use crate::collector::{self, Collector};
use crate::data::DataRanges;
use crate::discover::{Discovery, Found};
use crate::emit::{Emit, EmitError, Emitted};
use crate::index::Index;
use crate::interpreter::{self, Held};
use crate::libraries::libraries;
use crate::locate::Runtime;
use crate::native::Natives;
use crate::object::flag;
use crate::origin::Modules;
use crate::select::Shape;
use crate::space::Space;
use crate::statics::StaticTypes;
use crate::visit::Context;
use crate::{births, layout::ABSENT, proof, wrappers};

/// Why the walk gave up.
#[derive(Debug)]
pub enum WalkError {
    /// The target is not what the layout says.
    Misfit(String),
    /// The sink could not take more.
    Io(io::Error),
    /// Told to stop.
    Cancelled,
}

impl From<Cancelled> for WalkError {
    fn from(_: Cancelled) -> Self {
        WalkError::Cancelled
    }
}

impl From<io::Error> for WalkError {
    fn from(e: io::Error) -> Self {
        WalkError::Io(e)
    }
}

impl From<EmitError> for WalkError {
    fn from(e: EmitError) -> Self {
        match e {
            EmitError::Io(e) => WalkError::Io(e),
            EmitError::Cancelled(_) => WalkError::Cancelled,
        }
    }
}

/// How many interpreters, threads; what the collectors say.
struct Survey {
    held: Vec<Held>,
    collectors: Vec<Collector>,
    threads: u32,
    interpreters: u32,
    /// Addresses of the interpreters' and threads' own states.
    states: FxHashMap<u64, String>,
}

/// Walk the copy and fill the sink.  `facts` comes with what the capture knows.
pub fn walk<S: Sink + ?Sized>(
    captured: &Captured,
    live: &dyn Memory,
    runtime: &Runtime,
    data: &DataRanges,
    mut facts: Facts,
    sink: &mut S,
    progress: &dyn Progress,
) -> Result<(), WalkError> {
    let space = Space::new(&captured.image, live);
    let layout = &runtime.layout;
    let first = space.body_or_empty(runtime.address).word(layout.runtime.interpreters_head);
    let classes = Classes::new(StaticTypes::read(&space, layout, first));
    let shape = Shape::of(layout, &classes);
    let interned = interned_table(&space, layout.interp.interned_strings, first);
    let exit_module =
        if layout.interp.atexit == ABSENT { space.body_or_empty(first).word(layout.interp.pyexitmodule) } else { 0 };
    let allocator = Allocator::new(&space, layout, shape.pool_bytes);
    let (space, classes, allocator) = (&space, &classes, &allocator);
    let interned = Cell::new(interned);
    let cx = Context { space, layout, shape, classes, statics: data, exit_module, allocator, interned };
    facts.python = proof::prove(&cx, first).map_err(WalkError::Misfit)?;
    let survey = survey(&cx, runtime, captured)?;
    progress.phase("finding objects", 0);
    let blocks = Blocks::new(space, allocator, &captured.mappings, shape.pool_bytes);
    let (objects, found) = discover(&cx, &survey, &blocks, progress)?;
    let index = Index::new(objects);
    let mut emitted = Emit::new(&cx, &found, &index, sink).run(progress)?;
    let native = natives(&cx, captured, &survey, &found, &index, &mut emitted, sink);
    let mut wrong = births::Wrong::new();
    let births = births::read(&cx, &index, runtime.address, sink, &mut wrong);
    fill(&mut facts, &survey, &found, &emitted);
    facts.libraries = libraries(data.modules());
    facts.stacks = captured.threads.iter().any(|t| t.registers.rsp != 0);
    wrong.iter().for_each(|(kind, count)| *facts.defects.entry((*kind).into()).or_default() += count);
    let tail = Tail {
        roots: roots(&cx, &survey, &index, &emitted, native, sink),
        types: types(&cx, &index, first, sink),
        named: emitted.named,
        regions: regions(captured),
        births,
        wrappers: wrappers::read(&cx, captured, &emitted.wrapped, sink),
        facts,
    };
    Ok(sink.finish(tail)?)
}

/// The dictionary of interned strings (3.12 on; before, the search by blocks finds it): its
/// references are not counted.
fn interned_table(space: &Space, offset: u32, interpreter: u64) -> u64 {
    if offset == ABSENT { 0 } else { space.body_or_empty(interpreter).word(offset) }
}

/// What memory outside of objects may hold, of objects that are counted more often than
/// found.
fn natives<S: Sink + ?Sized>(
    cx: &Context,
    captured: &Captured,
    survey: &Survey,
    found: &Found,
    index: &Index,
    emitted: &mut Emitted,
    sink: &mut S,
) -> Vec<Root> {
    let mut natives = Natives::new(cx, index, std::mem::take(&mut emitted.counted), sink);
    // a module's name is one for a reference that `sys.modules` has
    survey.held.iter().filter(|h| h.kind != RootKind::Module).for_each(|h| natives.known(h.target));
    natives.run(captured, &found.raw, &survey.states, &emitted.compiled)
}

fn survey(cx: &Context, runtime: &Runtime, captured: &Captured) -> Result<Survey, WalkError> {
    let mut survey =
        Survey { held: Vec::new(), collectors: Vec::new(), threads: 0, interpreters: 0, states: FxHashMap::default() };
    for interpreter in interpreter::interpreters(cx, runtime.address) {
        let state = collector::state_address(cx.layout, runtime.address, interpreter);
        if !survey.collectors.iter().any(|c| c.state == state) {
            let collector = collector::read(cx.space, cx.layout, state);
            survey
                .collectors
                .push(collector.ok_or_else(|| WalkError::Misfit("the collector's lists are not linked".into()))?);
        }
        let threads = interpreter::threads(cx, interpreter);
        survey.threads += threads.len() as u32;
        survey.states.insert(interpreter, "state of the interpreter".to_owned());
        survey.states.extend(threads.into_iter().map(|t| (t, "state of a thread".to_owned())));
        survey.interpreters += 1;
        survey.held.extend(interpreter::held(cx, interpreter, state, &captured.threads));
    }
    if survey.interpreters == 0 {
        return Err(WalkError::Misfit("it has no interpreter".into()));
    }
    Ok(survey)
}

fn discover(
    cx: &Context,
    survey: &Survey,
    blocks: &Blocks,
    progress: &dyn Progress,
) -> Result<(crate::index::AddressSet, Found), WalkError> {
    let mut pass = Discovery::new(cx, progress);
    for c in &survey.collectors {
        for (i, head) in c.generations.iter().enumerate() {
            pass.seed_list(*head, i == 0, false)?;
        }
        if c.permanent != 0 {
            pass.seed_list(c.permanent, false, true)?;
        }
    }
    for held in &survey.held {
        if held.certain {
            pass.seed(held.target)?;
        } else {
            pass.seed_if_object(held.target);
        }
    }
    Ok(pass.finish(blocks)?)
}

fn fill(facts: &mut Facts, survey: &Survey, found: &Found, emitted: &Emitted) {
    facts.threads = survey.threads;
    facts.interpreters = survey.interpreters;
    let torn = survey.collectors.iter().map(|c| c.torn_heads).sum::<u64>();
    if let Some(c) = survey.collectors.first() {
        facts.gc_enabled = Some(c.enabled);
        facts.gc_thresholds = c.thresholds.clone();
        facts.gc_counts = c.counts.clone();
        if c.by_shape {
            facts.layout.push_str("; collector's lists found by shape");
        }
    }
    for (kind, count) in [
        ("not-an-object", found.broken),
        ("collector-link", found.wrong_links + torn),
        ("dangling-reference", emitted.dangling),
        ("impossible-reference", emitted.impossible),
    ] {
        if count > 0 {
            *facts.defects.entry(kind.into()).or_default() += count;
        }
    }
}

fn roots<S: Sink + ?Sized>(
    cx: &Context,
    survey: &Survey,
    index: &Index,
    emitted: &Emitted,
    native: Vec<Root>,
    sink: &mut S,
) -> Vec<Root> {
    let id = |a: u64| index.id(cx.space.image, a).map(NodeId);
    let mut roots: Vec<Root> = survey
        .held
        .iter()
        .filter_map(|h| Some(Root { node: id(h.target)?, kind: h.kind, label: sink.label(&h.label) }))
        .collect();
    let statics = emitted.statics.iter();
    roots.extend(native);
    roots.extend(statics.map(|&node| Root { node, kind: RootKind::Static, label: LabelId::NONE }));
    roots
}

fn types<S: Sink + ?Sized>(cx: &Context, index: &Index, interpreter: u64, sink: &mut S) -> Vec<TypeRow> {
    let modules = Modules::read(cx, cx.space.body_or_empty(interpreter).word(cx.layout.interp.modules));
    let classes = (0..cx.classes.len() as u32).filter_map(|n| cx.classes.get(n));
    let row = |c: &crate::class::Class, sink: &mut S| {
        let (origin, file) = modules.origin(cx, c);
        TypeRow {
            name: sink.label(&cx.classes.text(c.name)),
            object: index.id(cx.space.image, c.address).map(NodeId),
            basic_bytes: u64::from(c.basicsize),
            item_bytes: u64::from(c.itemsize),
            module_file: file.map_or(LabelId::NONE, |f| sink.label(&f)),
            origin,
            has_gc: c.has(flag::HAVE_GC),
            has_del: c.has_del,
        }
    };
    classes.map(|c| row(c, sink)).collect()
}

/// The address space, and what is plain to say of each part.
fn regions(captured: &Captured) -> Vec<RegionRow> {
    let claim = |m: &undying_memory::Mapping| match m.path.as_str() {
        "[heap]" => "heap",
        p if p.starts_with("[stack") => "stack",
        p if p.starts_with('[') => "kernel",
        "" => "anonymous",
        _ if m.perms.x => "text",
        _ if m.perms.w => "data",
        _ => "file",
    };
    let bit = |on: bool, c: char| if on { c } else { '-' };
    let row = |m: &undying_memory::Mapping| RegionRow {
        start: m.start,
        end: m.end,
        permissions: [
            bit(m.perms.r, 'r'),
            bit(m.perms.w, 'w'),
            bit(m.perms.x, 'x'),
            if m.perms.private { 'p' } else { 's' },
        ]
        .iter()
        .collect(),
        offset: m.offset,
        path: m.path.clone(),
        resident_bytes: None,
        claim: claim(m).to_owned(),
    };
    captured.mappings.iter().map(row).collect()
}

#[cfg(test)]
mod hostile;
