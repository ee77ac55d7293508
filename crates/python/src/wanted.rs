//! What a question is about: a Python object, a class, a name or an address, to objects
//! of a heap.  Nothing that is asked about is held.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString, PyType};
use undying_analysis::naming;
use undying_cli::Failure;
use undying_graph::{NodeId, Snapshot};

use crate::error::misused;

/// What to ask about, as words and numbers: it keeps nothing alive.
#[pyclass(frozen, from_py_object, module = "undying")]
#[derive(Clone, Debug)]
pub struct Where {
    pid: u32,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// A class's name, or an address in digits.
    Named(String),
    /// An object of this process, its class, that class's name.
    Object { address: Veiled, class: Veiled, name: String },
    /// A class of this process, and its name.
    Class { address: Veiled, name: String },
}

/// An address, kept as a number that looks like none: a search of our own memory is not to
/// take it for a reference.
#[derive(Clone, Copy, Debug)]
struct Veiled(u64);

impl Veiled {
    fn of(object: &Bound<'_, PyAny>) -> Veiled {
        Veiled(!(object.as_ptr() as u64))
    }

    fn address(self) -> u64 {
        !self.0
    }
}

/// What is meant.
pub fn locate(what: &Bound<'_, PyAny>) -> PyResult<Where> {
    let pid = std::process::id();
    if let Ok(known) = what.cast::<Where>() {
        return Ok(known.get().clone());
    }
    if let Ok(text) = what.cast::<PyString>() {
        return Ok(Where { pid, what: What::Named(text.extract()?) });
    }
    if what.is_instance_of::<PyInt>() && !what.is_instance_of::<PyBool>() {
        // no object lies past 64 bits, and none below zero
        let address = what.extract::<u64>().unwrap_or(0);
        return Ok(Where { pid, what: What::Named(format!("{address:#x}")) });
    }
    let address = Veiled::of(what);
    if let Ok(class) = what.cast::<PyType>() {
        return Ok(Where { pid, what: What::Class { address, name: dotted(class)? } });
    }
    let class = what.get_type();
    let name = dotted(&class)?;
    Ok(Where { pid, what: What::Object { address, class: Veiled::of(&class), name } })
}

fn dotted(class: &Bound<'_, PyType>) -> PyResult<String> {
    class.fully_qualified_name()?.extract()
}

impl Where {
    /// For `why`: a class stands for its instances.
    pub fn instances(&self, snapshot: &Snapshot) -> Result<String, Failure> {
        self.check_process(snapshot)?;
        match &self.what {
            What::Named(text) => Ok(text.clone()),
            What::Object { .. } => self.object(snapshot).map(|n| format!("{:#x}", snapshot.graph.address(n))),
            What::Class { address, name } => {
                let node = snapshot.graph.find(address.address()).filter(|_| self.is_of(snapshot));
                let row = snapshot.types.iter().find(|t| node.is_some() && t.object == node);
                Ok(row.map_or_else(|| name.clone(), |row| snapshot.text(row.name).to_owned()))
            }
        }
    }

    /// For `refs`: the very object, a class too.
    pub fn object(&self, snapshot: &Snapshot) -> Result<NodeId, Failure> {
        self.check_process(snapshot)?;
        match &self.what {
            What::Named(text) => named(snapshot, text),
            What::Class { address, name } if self.is_of(snapshot) => {
                snapshot.graph.find(address.address()).ok_or_else(|| absent(name, address.address()))
            }
            What::Class { name, .. } => named(snapshot, name),
            What::Object { address, class, name } => {
                let found = snapshot.graph.find(address.address());
                // another object may have lain there before
                let is_it = |n: &NodeId| {
                    let object = snapshot.type_of(*n).and_then(|t| t.object);
                    object.is_none_or(|o| snapshot.graph.address(o) == class.address())
                };
                found.filter(is_it).ok_or_else(|| absent(name, address.address()))
            }
        }
    }

    /// Whether it is one object of this process, that whoever asks has in hand.
    pub fn is_in_hand(&self) -> bool {
        matches!(self.what, What::Object { .. })
    }

    fn is_of(&self, snapshot: &Snapshot) -> bool {
        snapshot.facts.pid == i64::from(self.pid)
    }

    /// An object of this process means nothing to another's heap.
    fn check_process(&self, snapshot: &Snapshot) -> Result<(), Failure> {
        match &self.what {
            What::Object { name, .. } if !self.is_of(snapshot) => Err(misused(format!(
                "this {name} is of process {} and the snapshot of process {}; give a class's name or an address",
                self.pid, snapshot.facts.pid
            ))),
            _ => Ok(()),
        }
    }
}

fn absent(name: &str, address: u64) -> Failure {
    misused(format!(
        "{name} at {address:#x} is not in this snapshot: it was made later, or nothing held it but this call; take \
         another snapshot while something holds it"
    ))
}

fn named(snapshot: &Snapshot, text: &str) -> Result<NodeId, Failure> {
    use undying_analysis::Selected;
    undying_cli::check_named(snapshot, text)?;
    match undying_analysis::select(snapshot, text) {
        Selected::Object(n) => Ok(n),
        Selected::Instances(_, nodes) => match nodes[..] {
            [one] => Ok(one),
            _ => {
                Err(misused(format!("refs tells of one object, and {} are {text}; why tells of classes", nodes.len())))
            }
        },
        Selected::Nothing(_) => Err(misused(format!("{text:?} is nothing in this heap"))),
    }
}

/// How an object is headed: class, own name, address.
pub fn title(snapshot: &Snapshot, n: NodeId) -> String {
    let name = naming::node_name(snapshot, n, snapshot.graph.type_id(n));
    format!("{name} at {:#x}", snapshot.graph.address(n))
}
