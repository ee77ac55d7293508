//! The second witness: a C program, compiled against installed headers, prints the
//! same sizes and offsets.  It sees only structures that headers declare.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::table::Table;

/// What a probe found.
pub struct Probed {
    /// How many numbers were compared.
    pub compared: usize,
    /// Each number that differs, in words.
    pub differences: Vec<String>,
}

/// One number to ask for: what it is called, its C expression, what the table says.
struct Question {
    name: String,
    expression: String,
    answer: u32,
}

/// Compares a table with the headers in `include`, the directory of `Python.h`.
///
/// Errors: the compiler is missing or does not accept the program.
pub fn compare(table: &Table, include: &Path) -> Result<Probed> {
    let questions = questions(table);
    let said = answers(&program(table, &questions, include), include)?;
    if said.len() != questions.len() {
        bail!("the probe printed {} numbers, not {}", said.len(), questions.len());
    }
    let pairs = questions.iter().zip(said).filter(|(question, said)| question.answer != *said);
    let differences =
        pairs.map(|(question, said)| format!("{}: table {}, headers {said}", question.name, question.answer));
    Ok(Probed { compared: questions.len(), differences: differences.collect() })
}

/// Whether a structure is to be had by including headers.
fn public(file: &str) -> bool {
    file.starts_with("Include/") && file.ends_with(".h")
}

fn questions(table: &Table) -> Vec<Question> {
    let mut questions = Vec::new();
    for (name, group) in table.group.iter().filter(|(_, group)| public(&group.file)) {
        let mut ask = |what: &str, expression: String, answer: u32| {
            questions.push(Question { name: format!("{name}.{what}"), expression, answer });
        };
        if let Some(size) = group.size {
            ask("size", format!("sizeof({})", group.record), size);
        }
        for (field, (offset, path)) in &group.fields {
            ask(field, format!("offsetof({}, {path})", group.record), *offset);
        }
    }
    for object in table.object.iter().filter(|object| public(&object.file)) {
        let name = format!("size of {}", object.type_name);
        questions.push(Question { name, expression: format!("sizeof({})", object.record), answer: object.size });
    }
    questions
}

fn program(table: &Table, questions: &[Question], include: &Path) -> String {
    let groups = table.group.values().map(|group| &group.file);
    let files: BTreeSet<&String> = groups.chain(table.object.iter().map(|object| &object.file)).collect();
    let mut text = String::from("#include <stddef.h>\n#include <stdio.h>\n#include \"Python.h\"\n");
    for file in files.into_iter().filter(|file| public(file)) {
        let name = file.trim_start_matches("Include/");
        // What is in cpython/ may only be included by the header of the same name above it.
        let name = name.trim_start_matches("cpython/");
        if include.join(name).exists() {
            let _ = writeln!(text, "#include {name:?}");
        }
    }
    text.push_str("int main(void) {\n");
    for question in questions {
        let _ = writeln!(text, "    printf(\"%zu\\n\", (size_t){});", question.expression);
    }
    text.push_str("    return 0;\n}\n");
    text
}

/// Compiles and runs the program, in a directory that is removed again.
fn answers(program: &str, include: &Path) -> Result<Vec<u32>> {
    let directory = std::env::temp_dir().join(format!("undying-probe-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let output = build_and_run(program, include, &directory);
    std::fs::remove_dir_all(&directory)?;
    output?.lines().map(|line| line.parse().context("the probe printed no number")).collect()
}

fn build_and_run(program: &str, include: &Path, directory: &Path) -> Result<String> {
    let (source, binary) = (directory.join("probe.c"), directory.join("probe"));
    std::fs::write(&source, program)?;
    let mut compiler = Command::new("cc");
    compiler.arg("-w").arg("-DPy_BUILD_CORE=1").arg("-o").args([&binary, &source]);
    for inner in ["", "internal", "internal/mimalloc"] {
        compiler.arg("-I").arg(include.join(inner));
    }
    let compiled = compiler.output().context("cannot run cc")?;
    if !compiled.status.success() {
        let said = String::from_utf8_lossy(&compiled.stderr);
        bail!("cc: {}", said.lines().take(12).collect::<Vec<_>>().join("\n"));
    }
    let output = Command::new(&binary).output().context("cannot run the probe")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `major.minor.patch` of the headers in a directory, from `patchlevel.h`.
pub fn version(include: &Path) -> Option<String> {
    let text = std::fs::read_to_string(include.join("patchlevel.h")).ok()?;
    let number = |name: &str| {
        let mut words = text.lines().map(str::split_whitespace).filter_map(|mut words| {
            (words.next() == Some("#define") && words.next() == Some(name)).then(|| words.next())
        });
        words.next()?
    };
    Some(format!("{}.{}.{}", number("PY_MAJOR_VERSION")?, number("PY_MINOR_VERSION")?, number("PY_MICRO_VERSION")?))
}

/// Where the system keeps the headers of a minor version.
pub fn system_headers(minor: &str) -> PathBuf {
    PathBuf::from(format!("/usr/include/python{minor}"))
}
