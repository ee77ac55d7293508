//! The generator against small C programs compiled here: what it reads from debug
//! information must be what the compiler itself says with offsetof and sizeof.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::dwarf::Types;
use super::extract::extract;
use super::probe;
use super::table::{GroupTable, Table};
use super::wanted::Wanted;

const HEADER: &str = "
    #include <stddef.h>
    #include <stdio.h>
    typedef struct _object { long ob_refcnt; struct _type *ob_type; } PyObject;
    typedef struct { PyObject ob_base; long ob_size; } PyVarObject;
    struct hidden;
    struct plain { int a; };
    typedef struct {
        PyObject ob_base;
        PyObject *first;
        struct { char flag; PyObject *inner; } nested;
        union { long number; const PyObject *constant; };
        PyObject *array[3];
        PyObject **table;
        struct hidden *hidden;
        struct plain *plain;
        unsigned bits : 3, more : 5;
        short last;
    } thing;
    extern void show(void);
";

/// The first unit: `hidden` is only declared here, `twin` has one member.
const FIRST: &str = "
    struct twin { long one; };
    typedef struct { PyVarObject head; PyObject *kept; PyObject *lent; } box_object;
    struct twin twin_a; thing a; box_object b;
    int main(void) {
        printf(\"%zu %zu %zu %zu %zu %zu\\n\", offsetof(thing, first), offsetof(thing, nested.inner),
            offsetof(thing, constant), offsetof(thing, hidden), offsetof(thing, last), sizeof(thing));
        show();
        return 0;
    }
";

/// The second unit: `hidden` is an object, `twin` another structure.
const SECOND: &str = "
    struct hidden { PyVarObject base; long extra; };
    struct twin { long one; long two; };
    struct twin twin_b; struct hidden h;
    void show(void) { printf(\"%zu %zu\\n\", offsetof(struct hidden, extra), sizeof(struct hidden)); }
";

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("undying-xtask-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Scratch(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// Compiles the two units with these flags.
    fn program(&self, flags: &[&str]) -> PathBuf {
        let units = [self.file("a.c", &[HEADER, FIRST].concat()), self.file("b.c", &[HEADER, SECOND].concat())];
        let program = self.0.join("program");
        let status = Command::new("cc").args(flags).args(&units).arg("-o").arg(&program).status();
        assert!(status.expect("cc runs").success());
        program
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn numbers(program: &Path) -> Vec<u64> {
    let output = Command::new(program).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("numbers");
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

fn wanted(text: &str) -> Wanted {
    toml::from_str(text).expect("a list")
}

#[test]
fn debug_information_agrees_with_the_compiler() {
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        let scratch = Scratch::new(version);
        let program = scratch.program(&[version]);
        let mut types = Types::default();
        types.load(&program).expect("it has debug information");

        let thing = types.records("thing")[0];
        let at = |path: &str| types.member(thing, path).map(|place| place.offset);
        let hidden = types.records("hidden")[0];
        let read = [
            at("first"),
            at("nested.inner"),
            at("constant"),
            at("hidden"),
            at("last"),
            Some(types.size(thing)),
            types.member(hidden, "extra").map(|place| place.offset),
            Some(types.size(hidden)),
        ];
        assert_eq!(read.map(|number| number.expect("found")).to_vec(), numbers(&program), "{version}");
        assert_eq!(at("nested.nothing"), None);
        assert_eq!(at("first.nothing"), None);
        assert_eq!(types.records("hidden").len(), 1, "a declaration is no structure");
        assert_eq!((types.spelling("thing"), types.spelling("hidden")), ("thing".into(), "struct hidden".into()));
    }
}

#[test]
fn references_are_the_pointers_to_objects() {
    let scratch = Scratch::new("references");
    let mut types = Types::default();
    types.load(&scratch.program(&["-g"])).expect("it has debug information");
    let paths: Vec<String> = types.references(types.records("thing")[0]).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["first", "nested.inner", "constant", "hidden"]);
    assert!(types.is_object(types.records("box_object")[0]));
    assert!(!types.is_object(types.records("plain")[0]));
}

#[test]
fn the_structure_with_the_wanted_members_is_taken() {
    let scratch = Scratch::new("twins");
    let mut types = Types::default();
    types.load(&scratch.program(&["-g"])).expect("it has debug information");
    let list = wanted(
        "[group.twin]\nstruct = ['nosuch', 'twin']\nsize = true\nfields = { one = 'one', two = 'two' }\n\
         [group.lost]\nstruct = 'nosuch'\nfields = { one = 'one' }\n\
         [[object]]\ntype = 'box'\nstruct = 'box_object'\nskip = ['lent']\nrename = { kept = 'content' }\n",
    );
    let (groups, objects) = extract(&list, &types).expect("no doubt");
    assert_eq!(groups["twin"].size, Some(16));
    assert_eq!(groups["twin"].fields["two"], (8, "two".to_string()));
    assert!(!groups.contains_key("lost"));
    assert_eq!(objects[0].refs, [("content".to_string(), 24)]);

    let vague = wanted("object = []\n[group.twin]\nstruct = 'twin'\nsize = true\nfields = { one = 'one' }\n");
    assert!(extract(&vague, &types).is_err(), "two different structures have the one wanted member");
}

#[test]
fn a_file_without_debug_information_is_an_error() {
    let scratch = Scratch::new("stripped");
    assert!(Types::default().load(&scratch.program(&["-s"])).is_err());
}

#[test]
fn the_probe_sees_a_wrong_number() {
    let scratch = Scratch::new("probe");
    scratch.file("Python.h", "#pragma once\nstruct pair { long one; char two; long three; };");
    scratch
        .file("patchlevel.h", "#define PY_MAJOR_VERSION 3\n#define PY_MINOR_VERSION\t4\n#define PY_MICRO_VERSION 5\n");
    let mut table = Table::read_text(
        "version = '3.4'\nflavour = 'default'\npatch = 5\nhexversion = 0\npatches = [0, 255]\nagrees = []\n\
         sources = []\ncompiler = ''\nobject = []\n\
         [group.pair]\nstruct = 'struct pair'\nfile = 'Include/Python.h'\nsize = 24\nfields.last = [16, 'three']\n",
    )
    .expect("a table");
    assert_eq!(probe::version(&scratch.0).as_deref(), Some("3.4.5"));
    let agreed = probe::compare(&table, &scratch.0).expect("it compiles");
    assert_eq!((agreed.compared, agreed.differences.len()), (2, 0));

    let pair = table.group.get_mut("pair").expect("there");
    pair.fields.insert("last".to_string(), (8, "three".to_string()));
    let private = GroupTable { record: "struct nosuch".into(), file: "Objects/x.c".into(), ..pair.clone() };
    table.group.insert("private".to_string(), private);
    let differing = probe::compare(&table, &scratch.0).expect("it compiles");
    assert_eq!(differing.differences, ["pair.last: table 8, headers 16"]);
}

#[test]
fn a_table_reads_back_as_written() {
    let text = "version = '3.4'\nflavour = 'default'\npatch = 5\nhexversion = 50594032\npatches = [0, 9]\n\
        agrees = ['3.4.2']\nsources = ['a', 'b']\ncompiler = 'cc'\n\
        [group.pair]\nstruct = 'struct pair'\nfile = 'f'\nsize = 24\nfields.last = [16, 'a.b']\n\
        [[object]]\ntype = 'method-wrapper'\nstruct = 's'\nfile = 'f'\nsize = 8\nrefs = [['__self__', 16]]\n";
    let table = Table::read_text(text).expect("a table");
    assert_eq!(Table::read_text(&table.text()).expect("written to be read"), table);
}
