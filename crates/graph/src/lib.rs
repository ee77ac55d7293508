//! The heap as a graph: objects, references, roots, and what is known of the
//! target they came from.  This crate knows nothing of CPython's memory, of
//! files, or of what a person will see: a capture fills a [`Sink`], an analysis
//! reads a [`Snapshot`].

mod birth;
mod builder;
mod change;
mod columns;
mod edge;
mod facts;
mod label;
mod node;
mod progress;
mod root;
mod sink;
mod stale;
mod store;
mod wrapper;

pub use birth::{Birth, Births, CheckpointRow, DeathRow, PlaceRow, Recorder};
pub use builder::Builder;
pub use change::{Change, NativeFrame, PythonFrame};
pub use columns::Columns;
pub use edge::{Certainty, Detail, Edge, EdgeKind};
pub use facts::{Defects, Facts, Library, Origin, RegionRow, TypeRow};
pub use label::{LabelId, Labels};
pub use node::{Flags, NodeId, ObjectRow, TypeId};
pub use progress::{Cancelled, Progress, Silent};
pub use root::{Root, RootKind};
pub use sink::{NamedRow, Sink, Tail};
pub use store::{Graph, Snapshot, Transpose};
pub use wrapper::{WrapperRow, WrapperSystem};
