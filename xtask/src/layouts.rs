//! `cargo xtask layouts`: reference builds' debug information to layouts/*.toml to
//! crates/cpython/src/layout/tables.rs.

mod dwarf;
mod emit;
mod extract;
mod installed;
mod probe;
mod table;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use dwarf::Types;
use installed::Installed;
use table::Table;
use wanted::{Build, Wanted};

/// Arguments of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write nothing; fail if a file differs from what would be written
    #[arg(long)]
    pub check: bool,
}

/// Derives every table whose build is installed, and tables.rs from all of them.
pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let directory = root.join("layouts");
    let wanted = Wanted::read(&directory)?;
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    let mut tables = Vec::new();
    for build in Build::read_all(&directory)? {
        let path = directory.join(build.file_name());
        let derived = derive(&wanted, &build).with_context(|| format!("layouts of {}", build.version))?;
        let mut table = match derived {
            Some(table) => table,
            None => Table::read(&path)?,
        };
        if arguments.check
            && let Ok(written) = Table::read(&path)
        {
            // The same structures may come from another compiler or be linked otherwise.
            table.compiler = written.compiler;
            table.sources = written.sources;
        }
        files.push((path, table.text()));
        witness(&table, &probe::system_headers(build.minor()), false)?;
        tables.push(table);
    }
    tables.sort_by_key(|table| (table.numbers(), table.flavour != "default", table.patches.0));
    files.push((root.join("crates/cpython/src/layout/tables.rs"), emit::tables(&wanted, &tables)?));
    for name in missing_everywhere(&wanted, &tables) {
        println!("layouts: {name} of fields.toml is in no version");
    }
    if arguments.check { compare(root, &files) } else { write(&files) }
}

/// What fields.toml asks for in vain: meant for a version to come, or misspelt.
fn missing_everywhere(wanted: &Wanted, tables: &[Table]) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, group) in &wanted.group {
        for field in group.fields.keys() {
            let has = |table: &Table| table.group.get(name).is_some_and(|group| group.fields.contains_key(field));
            if !tables.iter().any(has) {
                missing.push(format!("{name}.{field}"));
            }
        }
    }
    for object in &wanted.object {
        let has = |table: &Table| table.object.iter().any(|known| known.type_name == object.type_name);
        if !tables.iter().any(has) {
            missing.push(format!("object {}", object.type_name));
        }
    }
    missing
}

/// The table of a build, unless it is not here with its debug information.
fn derive(wanted: &Wanted, build: &Build) -> Result<Option<Table>> {
    let Some(installed) = Installed::find(&build.version)? else {
        println!("layouts: {} skipped: not installed", build.version);
        return Ok(None);
    };
    let mut types = Types::default();
    for (i, path) in installed.objects(build.minor())?.iter().enumerate() {
        // An extension module without debug information defines nothing for us.
        if let Err(error) = types.load(path)
            && i == 0
        {
            println!("layouts: {} skipped: {error:#}", build.version);
            return Ok(None);
        }
    }
    let (group, object) = extract::extract(wanted, &types)?;
    let sources = group.values().map(|group| &group.source).chain(object.iter().map(|object| &object.source));
    let sources: BTreeSet<String> = sources.cloned().collect();
    let table = Table {
        version: build.minor().to_string(),
        flavour: build.flavour.clone(),
        patch: (installed.hexversion >> 8) as u8,
        hexversion: installed.hexversion,
        patches: build.patches,
        agrees: build.agrees.clone(),
        sources: sources.into_iter().collect(),
        compiler: installed.compiler.clone(),
        group,
        object,
    };
    witness(&table, &installed.include(build.minor()), true)?;
    Ok(Some(table))
}

/// Compares a table with headers, if there are any.  A difference is an error for the
/// reference build itself and for one said to agree, and only told for another.
fn witness(table: &Table, include: &Path, reference: bool) -> Result<()> {
    let Some(version) = probe::version(include) else {
        return Ok(());
    };
    let patch = version.rsplit('.').next().and_then(|patch| patch.parse::<u8>().ok());
    if table.flavour != "default" || !patch.is_some_and(|patch| (table.patches.0..=table.patches.1).contains(&patch)) {
        return Ok(());
    }
    let probed = probe::compare(table, include).with_context(|| format!("headers of {version}"))?;
    let (compared, differences) = (probed.compared, &probed.differences);
    println!("layouts: headers of {version}: {compared} numbers compared, {} differ", differences.len());
    for difference in differences {
        println!("layouts: {version}: {difference}");
    }
    if !differences.is_empty() && (reference || table.agrees.contains(&version)) {
        bail!("the headers of {version} contradict its table");
    }
    Ok(())
}

fn write(files: &[(PathBuf, String)]) -> Result<()> {
    for (path, text) in files {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn compare(root: &Path, files: &[(PathBuf, String)]) -> Result<()> {
    let differs = |(path, text): &&(PathBuf, String)| std::fs::read_to_string(path).ok().as_ref() != Some(text);
    let names =
        files.iter().filter(differs).map(|(path, _)| path.strip_prefix(root).unwrap_or(path).display().to_string());
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        bail!("{} out of date; run `cargo xtask layouts`", names.join(", "));
    }
    Ok(())
}
