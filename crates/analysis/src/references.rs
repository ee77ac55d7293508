//! The ledger of references: by class, how many objects are counted exactly as often as
//! they are referred to, and what is left over: references that nobody holds, objects
//! that nothing refers to, objects that will vanish while in use, containers that no
//! collector can look into.  Judges nothing (suspects/references.rs does).

mod blame;
mod change;
mod uncollectable;

use rustc_hash::FxHashMap;
use serde::Serialize;
use undying_graph::{Cancelled, Flags, NodeId, Progress, Snapshot, TypeId};

use crate::paths::Forest;
use crate::suspects::Suspect;
use crate::{Garbage, RefcountTotals, Refcounts, naming, suspects};

pub use blame::{Blame, Blames};
pub use change::{Ledger, Lost, Mistake, changes};
pub use uncollectable::{Uncollectable, uncollectable};

/// The account of one class.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct TypeReferences {
    /// The class, dotted.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The file of native code that defines it.
    pub module_file: Option<String>,
    /// Instances with a count that says something.
    pub objects: u64,
    /// Of them: counted exactly as often as found, guesses and native words taken in
    /// where they are needed.
    pub explained: u64,
    /// Of them: counted more often than found.
    pub excess: u64,
    /// How many references these have too many, all together.
    pub excess_references: u64,
    /// Of those in excess: nothing in the process refers to them.
    pub orphans: u64,
    /// Counted less often than certainly referred to: they vanish while in use.
    pub deficit: u64,
    /// How many references these have too few, all together.
    pub deficit_references: u64,
}

/// A class whose instances' references are guessed from words that look like addresses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Unaudited {
    /// The class, dotted.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The file of native code that defines it.
    pub module_file: Option<String>,
    /// Instances with such words.
    pub objects: u64,
    /// References guessed.
    pub guesses: u64,
}

/// The account of one file of native code: of the classes that it defines.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ModuleReferences {
    /// The file; `None` for classes written in Python and the interpreter's own.
    pub module_file: Option<String>,
    /// Instances of its classes with a count that says something.
    pub objects: u64,
    /// Of them: explained.
    pub explained: u64,
    /// Of them: counted more often than found.
    pub excess: u64,
    /// Of those: orphans.
    pub orphans: u64,
    /// Counted less often than certainly referred to.
    pub deficit: u64,
}

/// The answer to `refs`.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ReferencesAnswer {
    /// Ranked, the first to look at first.
    pub suspects: Vec<Suspect>,
    /// All objects together.
    pub totals: RefcountTotals,
    /// Classes with something unexplained, most of it first.
    pub types: Vec<TypeReferences>,
    /// Files of native code, by the classes they define.
    pub modules: Vec<ModuleReferences>,
    /// Cycles through containers that no collector can look into.
    pub uncollectable: Vec<Uncollectable>,
    /// Classes whose references are guessed, most instances first.
    pub unaudited: Vec<Unaudited>,
    /// What stands for something native, by its native type.
    pub wrappers: Vec<crate::WrapperTypeRow>,
}

/// The ledger of one heap.
pub fn references(
    snapshot: &Snapshot,
    counts: &Refcounts,
    dead: &Garbage,
    forest: &Forest,
    progress: &dyn Progress,
) -> Result<ReferencesAnswer, Cancelled> {
    let uncollectable = uncollectable(snapshot, counts, dead, Some(forest), progress)?;
    let mut found = suspects::references::find(snapshot, counts, &uncollectable, forest);
    found.extend(suspects::ownership::find(snapshot, None, forest, progress)?);
    let all = by_type(snapshot, counts);
    Ok(ReferencesAnswer {
        suspects: suspects::rank(found),
        totals: counts.totals.clone(),
        modules: by_module(&all),
        types: remarkable(all),
        uncollectable,
        unaudited: unaudited(snapshot),
        wrappers: crate::wrappers(snapshot),
    })
}

fn by_type(snapshot: &Snapshot, counts: &Refcounts) -> Vec<TypeReferences> {
    let graph = &snapshot.graph;
    let mut rows: Vec<TypeReferences> = (0..snapshot.types.len() as u32)
        .map(|t| TypeReferences {
            type_name: naming::type_name(snapshot, TypeId(t)).to_string(),
            module_file: type_file(snapshot, TypeId(t)),
            ..TypeReferences::default()
        })
        .collect();
    for n in graph.nodes() {
        let Some(row) = rows.get_mut(graph.type_id(n).index()) else { continue };
        let Some(balance) = counts.balance(graph, n).filter(|b| b.counted > 0) else { continue };
        row.objects += 1;
        if counts.deficit.contains(n) {
            row.deficit += 1;
            row.deficit_references += balance.deficit();
        } else if counts.excess.contains(n) {
            row.excess += 1;
            row.excess_references = row.excess_references.saturating_add(balance.excess());
            row.orphans += u64::from(balance.is_orphan());
        } else {
            row.explained += 1;
        }
    }
    rows
}

/// Classes of the same name (made again and again) are one row; those without a remark
/// are left out.
fn remarkable(rows: Vec<TypeReferences>) -> Vec<TypeReferences> {
    let mut named: FxHashMap<String, TypeReferences> = FxHashMap::default();
    for row in rows.into_iter().filter(|r| r.excess + r.deficit > 0) {
        match named.get_mut(&row.type_name) {
            None => {
                named.insert(row.type_name.clone(), row);
            }
            Some(sum) => {
                sum.objects += row.objects;
                sum.explained += row.explained;
                sum.excess += row.excess;
                sum.excess_references = sum.excess_references.saturating_add(row.excess_references);
                sum.orphans += row.orphans;
                sum.deficit += row.deficit;
                sum.deficit_references += row.deficit_references;
            }
        }
    }
    let mut rows: Vec<TypeReferences> = named.into_values().collect();
    let weight = |r: &TypeReferences| r.excess + r.deficit;
    rows.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.type_name.cmp(&b.type_name)));
    rows
}

fn by_module(rows: &[TypeReferences]) -> Vec<ModuleReferences> {
    let mut files: FxHashMap<&Option<String>, ModuleReferences> = FxHashMap::default();
    for row in rows {
        let sum = files.entry(&row.module_file).or_default();
        sum.objects += row.objects;
        sum.explained += row.explained;
        sum.excess += row.excess;
        sum.orphans += row.orphans;
        sum.deficit += row.deficit;
    }
    let named = files.into_iter().map(|(file, sum)| ModuleReferences { module_file: file.clone(), ..sum });
    let mut all: Vec<ModuleReferences> = named.filter(|m| m.objects > 0).collect();
    let weight = |m: &ModuleReferences| m.excess + m.deficit;
    all.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.module_file.cmp(&b.module_file)));
    all
}

fn unaudited(snapshot: &Snapshot) -> Vec<Unaudited> {
    let graph = &snapshot.graph;
    let tags = graph.tags();
    let mut rows: FxHashMap<TypeId, (u64, u64)> = FxHashMap::default();
    for n in graph.nodes() {
        // what waits on a frame's stack is no matter of a class
        let guesses = graph.edge_range(n).filter(|&e| !crate::refcounts::is_exact(tags[e])).count() as u64;
        if guesses > 0 && !graph.flags(n).has(Flags::STATIC) {
            let row = rows.entry(graph.type_id(n)).or_default();
            *row = (row.0 + 1, row.1 + guesses);
        }
    }
    let row = |(t, (objects, guesses)): (TypeId, (u64, u64))| Unaudited {
        type_name: naming::type_name(snapshot, t).to_string(),
        module_file: type_file(snapshot, t),
        objects,
        guesses,
    };
    let mut all: Vec<Unaudited> = rows.into_iter().map(row).collect();
    all.sort_by(|a, b| b.objects.cmp(&a.objects).then_with(|| a.type_name.cmp(&b.type_name)));
    all
}

/// The file of native code that defines a class.
pub(crate) fn type_file(snapshot: &Snapshot, class: TypeId) -> Option<String> {
    let row = snapshot.types.get(class.index()).filter(|t| t.origin != undying_graph::Origin::Builtin)?;
    let file = row.module_file;
    (file != undying_graph::LabelId::NONE).then(|| snapshot.text(file).to_owned())
}

/// The name of an object in words: a class's, function's, module's own, else its class.
pub(crate) fn object_name(snapshot: &Snapshot, n: NodeId) -> String {
    let class = naming::type_name(snapshot, snapshot.graph.type_id(n)).to_string();
    match snapshot.name_of(n) {
        Some(row) => format!("{class} {}", snapshot.text(row.name)),
        None => class,
    }
}
