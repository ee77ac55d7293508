//! From debug information to a table: chooses the structure meant by a name and
//! looks up what fields.toml wants of it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::dwarf::{TypeId, Types};
use super::table::{GroupTable, ObjectTable};
use super::wanted::{Group, Names, Object, Wanted};

/// Every group and object type that `types` has.
///
/// Errors: a name that two different structures answer to equally well.
pub fn extract(wanted: &Wanted, types: &Types) -> Result<(BTreeMap<String, GroupTable>, Vec<ObjectTable>)> {
    let mut groups = BTreeMap::new();
    for (name, group) in &wanted.group {
        if let Some(table) = one_group(group, types).with_context(|| format!("group {name}"))? {
            groups.insert(name.clone(), table);
        }
    }
    let mut objects = Vec::new();
    for object in &wanted.object {
        if let Some(table) = one_object(object, types).with_context(|| format!("object {}", object.type_name))? {
            objects.push(table);
        }
    }
    objects.sort_by(|a, b| a.type_name.cmp(&b.type_name));
    if let Some(pair) = objects.windows(2).find(|pair| pair[0].type_name == pair[1].type_name) {
        bail!("object {} is listed twice", pair[0].type_name);
    }
    Ok((groups, objects))
}

/// The best of `candidates`, and an error if another one is as good and different.
fn choose<T>(name: &str, candidates: Vec<(usize, T)>, same: impl Fn(&T, &T) -> bool) -> Result<Option<T>> {
    let Some(best) = candidates.iter().map(|(score, _)| *score).max() else {
        return Ok(None);
    };
    let mut equal = candidates.into_iter().filter(|(score, _)| *score == best).map(|(_, table)| table);
    let Some(first) = equal.next() else {
        return Ok(None);
    };
    if equal.any(|other| !same(&other, &first)) {
        bail!("several different structures are called {name}");
    }
    Ok(Some(first))
}

fn one_group(group: &Group, types: &Types) -> Result<Option<GroupTable>> {
    for name in group.record.all() {
        let tables = types.records(name).into_iter().map(|id| group_table(name, group, types, id));
        // A structure without a single wanted member is another one of the same name.
        let tables = tables.filter(|table| group.fields.is_empty() || !table.fields.is_empty());
        let scored = tables.map(|table| (table.fields.len(), table)).collect();
        let same = |a: &GroupTable, b: &GroupTable| (a.size, &a.fields) == (b.size, &b.fields);
        if let Some(table) = choose(name, scored, same)? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

fn group_table(name: &str, group: &Group, types: &Types, id: TypeId) -> GroupTable {
    let find = |paths: &Names| {
        let found = paths.all().iter().find_map(|path| Some((types.member(id, path)?, path)));
        found.map(|(place, path)| (place.offset as u32, path.clone()))
    };
    let fields = group.fields.iter().filter_map(|(name, paths)| Some((name.clone(), find(paths)?)));
    GroupTable {
        record: types.spelling(name),
        file: types.file(id).unwrap_or("").to_string(),
        source: types.source(id).to_string(),
        size: group.size.then_some(types.size(id) as u32),
        fields: fields.collect(),
    }
}

fn one_object(object: &Object, types: &Types) -> Result<Option<ObjectTable>> {
    for name in object.record.all() {
        let records = types.records(name).into_iter().filter(|id| types.is_object(*id));
        let scored = records.map(|id| (object_score(object, types, id), object_table(name, object, types, id)));
        let same = |a: &ObjectTable, b: &ObjectTable| (a.size, &a.refs) == (b.size, &b.refs);
        if let Some(table) = choose(name, scored.collect(), same)? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

fn object_score(object: &Object, types: &Types, id: TypeId) -> usize {
    object.rename.keys().chain(&object.skip).filter(|path| types.member(id, path).is_some()).count()
}

fn object_table(name: &str, object: &Object, types: &Types, id: TypeId) -> ObjectTable {
    let references = types.references(id).into_iter().filter(|(path, _)| !object.skip.contains(path));
    let label = |path: &str| match object.rename.get(path) {
        Some(label) => label.clone(),
        None => path.rsplit('.').next().unwrap_or(path).to_string(),
    };
    ObjectTable {
        type_name: object.type_name.clone(),
        record: types.spelling(name),
        file: types.file(id).unwrap_or("").to_string(),
        source: types.source(id).to_string(),
        size: types.size(id) as u32,
        refs: references.map(|(path, offset)| (label(&path), offset as u32)).collect(),
    }
}
