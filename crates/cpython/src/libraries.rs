//! Extension modules that are loaded: what wrote their code, and of which builtin types
//! they make instances, as their files say.  Files may be anything; a file that cannot
//! be read is listed without more.

use memchr::memmem;
use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSymbol};
use undying_graph::Library;
use undying_memory::Module;

/// More files than this are not looked into.
const MOST: usize = 4096;
/// Longer files are not looked into.
const LONGEST: u64 = 1 << 30;

/// Bytes that a generator leaves in what it writes.
const WRITERS: [(&str, &[&[u8]]); 6] = [
    ("cython", &[b"__pyx_capi__", b"cline_in_traceback", b"__reduce_cython__"]),
    ("pybind11", &[b"__pybind11_", b"pybind11_builtins"]),
    ("nanobind", &[b"nanobind::", b"nb_type_"]),
    ("swig", &[b"swig_runtime_data", b"SwigPyObject"]),
    ("cffi", &[b"_cffi_backend", b"_cffi_call_python"]),
    ("rust", &[b"/rustc/", b"pyo3"]),
];

/// Functions of the C API that give a new reference, by the start of their name.
const MAKERS: [(&str, &str); 16] = [
    ("PyLong_From", "int"),
    ("PyFloat_From", "float"),
    ("PyBytes_From", "bytes"),
    ("PyUnicode_From", "str"),
    ("PyUnicode_New", "str"),
    ("PyUnicode_Decode", "str"),
    ("PyTuple_New", "tuple"),
    ("PyTuple_Pack", "tuple"),
    ("PyList_New", "list"),
    ("PyDict_New", "dict"),
    ("PySet_New", "set"),
    ("PyComplex_From", "complex"),
    ("PyByteArray_From", "bytearray"),
    ("PyCapsule_New", "PyCapsule"),
    ("PyType_From", "type"),
    ("PyCFunction_New", "builtin_function_or_method"),
];

/// The loaded extension modules, those of the interpreter's own library directory left
/// out.
pub fn libraries(modules: &[Module]) -> Vec<Library> {
    let ours = |m: &&Module| m.path.contains(".so") && !m.path.contains("/lib-dynload/");
    modules.iter().filter(ours).take(MOST).filter_map(library).collect()
}

fn library(module: &Module) -> Option<Library> {
    let file = module.file_itself()?;
    if file.metadata().ok()?.len() > LONGEST {
        return None;
    }
    // changed under us it may read as anything, which is what is expected of it
    let bytes = read(&file)?;
    let elf = ElfFile64::<Endianness>::parse(&*bytes).ok()?;
    let exports = || elf.dynamic_symbols().filter(|s| s.is_definition()).filter_map(|s| s.name().ok());
    // the interpreter itself has modules too
    if !exports().any(|n| n.starts_with("PyInit_")) || exports().any(|n| n == "PyType_Type") {
        return None;
    }
    let mut makes: Vec<String> = imports(&elf).filter_map(made_by).map(str::to_owned).collect();
    makes.sort_unstable();
    makes.dedup();
    let writer = WRITERS.iter().find(|(_, marks)| marks.iter().any(|m| memmem::find(&bytes, m).is_some()));
    Some(Library { path: module.path.clone(), written_by: writer.map_or("hand", |w| w.0).to_owned(), makes })
}

fn read(mut file: &std::fs::File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(&mut file, LONGEST), &mut bytes).ok()?;
    Some(bytes)
}

fn imports<'d, E: FileHeader<Endian = Endianness>>(
    elf: &'d object::read::elf::ElfFile<'d, E>,
) -> impl Iterator<Item = &'d str> {
    elf.dynamic_symbols().filter(|s| s.is_undefined()).filter_map(|s| s.name().ok())
}

/// The builtin type of which a function makes an instance.
fn made_by(function: &str) -> Option<&'static str> {
    MAKERS.iter().find(|(start, _)| function.trim_start_matches('_').starts_with(start)).map(|m| m.1)
}
