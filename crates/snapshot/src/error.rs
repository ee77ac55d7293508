//! What can go wrong with a snapshot's directory, each as one sentence that
//! says what to do next.  Knows paths and reasons, no tables.

use std::io;
use std::path::PathBuf;

use undying_graph::Cancelled;

/// Why a snapshot could not be written.  Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The destination is there already.
    #[error("{} exists already; remove it, choose another place, or allow it to be replaced with --force", .0.display())]
    Exists(PathBuf),
    /// The destination is there and is not a snapshot: never replaced.
    #[error("{} exists and is not a snapshot, so it will not be replaced; choose another place", .0.display())]
    NotOurs(PathBuf),
    /// The path has no last component that a directory could be named after.
    #[error("{} is not a name for a new directory; give the directory to create", .0.display())]
    NoName(PathBuf),
    /// The tables are not complete.
    #[error("the capture did not finish, so {} was not written", .0.display())]
    Unfinished(PathBuf),
    /// The file system refused.
    #[error("cannot write {}: {why}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's words.
        #[source]
        why: io::Error,
    },
}

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not a directory, or one without `meta.json`.
    #[error("{} is not a snapshot: {why}", path.display())]
    NotASnapshot {
        /// The directory asked for.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// A table does not hold together.
    #[error("the snapshot is damaged: {file}: {why}; capture it again")]
    Damaged {
        /// The file's name within the directory.
        file: String,
        /// What does not fit.
        why: String,
    },
    /// Written by a later undying.
    #[error(
        "the snapshot has schema {schema}, this undying reads up to {ours}; use the version that wrote it or a newer one"
    )]
    Newer {
        /// The schema in the file.
        schema: u64,
        /// The highest that is understood here.
        ours: u32,
    },
    /// The listener asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The file system refused.
    #[error("cannot read {}: {why}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's words.
        #[source]
        why: io::Error,
    },
}

impl ReadError {
    /// A table does not hold together.
    pub(crate) fn damaged(file: &str, why: impl std::fmt::Display) -> ReadError {
        ReadError::Damaged { file: file.into(), why: why.to_string() }
    }
}

impl From<Cancelled> for ReadError {
    fn from(_: Cancelled) -> ReadError {
        ReadError::Cancelled
    }
}
