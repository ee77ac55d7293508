//! The tables of births, where there are any.  What `meta.json` says of them is there.

use std::path::Path;

use undying_graph::{Births, CheckpointRow, DeathRow, Labels, PlaceRow, Recorder, TypeId};

use super::Result;
use super::small::{Reading, or_empty};
use crate::error::ReadError;
use crate::meta::RecordedMeta;
use crate::schema::{BIRTHS, DEATHS, META, PLACES};

/// Reads them; ids are in range.
pub(super) fn births(
    dir: &Path,
    meta: &RecordedMeta,
    labels: &mut Labels,
    objects: usize,
    types: usize,
) -> Result<Births> {
    let recorder = Recorder::from_name(&meta.recorder);
    let mut births = Births::new(recorder.ok_or_else(|| ReadError::damaged(META, "an unknown recorder"))?);
    (births.sample_bytes, births.lost, births.epoch) = (meta.sample_bytes, meta.lost, meta.epoch);
    let checkpoint = |c: &crate::meta::CheckpointMeta, labels: &mut Labels| CheckpointRow {
        name: labels.intern(&c.name),
        epoch: c.epoch,
        at: c.at,
    };
    births.checkpoints = meta.checkpoints.iter().map(|c| checkpoint(c, labels)).collect();
    births.places = places(dir, labels)?;
    births.deaths = deaths(dir, labels, births.places.len(), types)?;
    living(dir, objects, &mut births)?;
    Ok(births)
}

fn places(dir: &Path, labels: &mut Labels) -> Result<Vec<PlaceRow>> {
    let mut t = Reading::new(dir, &PLACES)?;
    let mut rows: Vec<PlaceRow> = Vec::new();
    for g in 0..t.groups() {
        let (files, functions) = (t.texts(g, "file")?, t.texts(g, "function")?);
        let (lines, parents) = (t.integers(g, "line")?, t.integers(g, "parent")?);
        for i in 0..t.rows(g) {
            let parent = parents[i].map(|p| t.u32(Some(p))).transpose()?;
            if parent.is_some_and(|p| p as usize >= rows.len()) {
                return Err(t.damaged("a caller that does not come before what it calls"));
            }
            rows.push(PlaceRow {
                file: labels.intern(or_empty(&files[i])),
                function: labels.intern(or_empty(&functions[i])),
                line: lines[i].map_or(Ok(0), |l| t.u32(Some(l)))?,
                parent,
            });
        }
    }
    Ok(rows)
}

fn deaths(dir: &Path, labels: &mut Labels, places: usize, types: usize) -> Result<Vec<DeathRow>> {
    let mut t = Reading::new(dir, &DEATHS)?;
    let mut rows = Vec::new();
    for g in 0..t.groups() {
        let (names, ids, at) = (t.texts(g, "type")?, t.integers(g, "type_id")?, t.integers(g, "place")?);
        let (count, collector) = (t.integers(g, "by_count")?, t.integers(g, "by_collector")?);
        for i in 0..t.rows(g) {
            let id = ids[i].map(|id| t.u32(Some(id))).transpose()?;
            let place = at[i].map(|p| t.u32(Some(p))).transpose()?;
            if id.is_some_and(|id| id as usize >= types) || place.is_some_and(|p| p as usize >= places) {
                return Err(t.damaged("a class or a place that is not there"));
            }
            rows.push(DeathRow {
                class: labels.intern(or_empty(&names[i])),
                type_id: id.map(TypeId),
                place,
                by_count: t.u64(count[i])?,
                by_collector: t.u64(collector[i])?,
            });
        }
    }
    Ok(rows)
}

fn living(dir: &Path, objects: usize, births: &mut Births) -> Result<()> {
    let mut t = Reading::new(dir, &BIRTHS)?;
    let mut last = None;
    for g in 0..t.groups() {
        let (nodes, places, epochs) = (t.integers(g, "object_id")?, t.integers(g, "place")?, t.integers(g, "epoch")?);
        for i in 0..t.rows(g) {
            let (node, place) = (t.node(nodes[i], objects)?, t.u32(places[i])?);
            if last >= Some(node) || place as usize >= births.places.len() {
                return Err(t.damaged("objects that do not ascend, or a place that is not there"));
            }
            last = Some(node);
            births.push(node, place, epochs[i].map(|e| t.u32(Some(e))).transpose()?);
        }
    }
    Ok(())
}
