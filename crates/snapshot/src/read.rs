//! Reads a snapshot's directory back into a graph.  Whatever the files hold,
//! the answer is a [`Snapshot`] whose ids are in range, or a [`ReadError`].

mod births;
mod graph;
mod open;
mod small;
mod wrappers;

use std::path::Path;

use undying_graph::{Builder, Columns, Labels, Progress, Snapshot, Tail, TypeRow};

use self::open::{Buffers, Open};
use crate::error::ReadError;
use crate::meta::read_meta;
use crate::schema::{EDGES, META, OBJECTS, TYPES, UNTRAVERSED};

type Result<T> = std::result::Result<T, ReadError>;

/// Reads the whole snapshot into memory.
pub fn read(dir: &Path, progress: &dyn Progress) -> Result<Snapshot> {
    let meta = read_meta(dir)?;
    let (mut labels, mut columns) = (Labels::default(), Columns::default());
    let mut buffers = Buffers::new().map_err(|why| ReadError::Io { path: dir.into(), why })?;
    let types = small::types(dir, &mut labels)?;
    graph::objects(&Open::new(dir, &OBJECTS)?, &mut buffers, types.len(), &mut columns, progress)?;
    let objects = columns.address.len();
    check_types(&types, objects)?;
    graph::edges(&Open::new(dir, &EDGES)?, objects, &mut buffers, &mut labels, &mut columns, progress)?;
    let traversed = columns.target.len();
    if meta.counts.untraversed > 0 {
        let mut more = Columns::default();
        graph::edges(&Open::new(dir, &UNTRAVERSED)?, objects, &mut buffers, &mut labels, &mut more, progress)?;
        let misfit = || ReadError::damaged(UNTRAVERSED.file, "more references than one graph in memory holds");
        columns.merge_edges(&more).ok_or_else(misfit)?;
    }
    let untraversed = columns.target.len() - traversed;
    let roots = small::roots(dir, &mut labels, objects)?;
    let named = small::names(dir, &mut labels, objects)?;
    let regions = small::regions(dir)?;
    let births = match &meta.births {
        Some(recorded) => Some(births::births(dir, recorded, &mut labels, objects, types.len())?),
        None => None,
    };
    let wrappers = match meta.counts.wrappers {
        0 => Vec::new(),
        _ => wrappers::wrappers(dir, &mut labels, objects)?,
    };

    let counts = [objects, traversed, untraversed, types.len(), roots.len(), named.len(), regions.len()];
    let c = meta.counts;
    if counts.map(|n| n as u64) != [c.objects, c.edges, c.untraversed, c.types, c.roots, c.names, c.regions] {
        return Err(ReadError::damaged(META, "its counts are not those of the tables"));
    }
    let rows = births.as_ref().map_or([0; 3], |b| [b.len(), b.places.len(), b.deaths.len()]);
    if rows.map(|n| n as u64) != [c.births, c.places, c.deaths] {
        return Err(ReadError::damaged(META, "its counts are not those of the tables of births"));
    }
    if wrappers.len() as u64 != c.wrappers {
        return Err(ReadError::damaged(META, "its counts are not those of the table of wrappers"));
    }
    let misfit = || ReadError::damaged(OBJECTS.file, "its columns do not fit together");
    let mut builder = Builder::from_columns(labels, columns).ok_or_else(misfit)?;
    *builder.tail_mut() = Tail { types, roots, named, regions, births, wrappers, facts: meta.facts };
    Ok(builder.build())
}

/// Classes are objects that are there.
fn check_types(types: &[TypeRow], objects: usize) -> Result<()> {
    match types.iter().any(|t| t.object.is_some_and(|o| o.index() >= objects)) {
        true => Err(ReadError::damaged(TYPES.file, "a class is an object that is not there")),
        false => Ok(()),
    }
}
