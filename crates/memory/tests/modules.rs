//! ELF files loaded in a target: found, placed and named as the target itself would.

mod harness;

use std::process::Command;

use harness::{Target, pythons};
use undying_memory::{Memory, Module, Process, modules};

const IDLE: &str = "import sys, ctypes\n\
    api = ctypes.pythonapi\n\
    where = lambda n: ctypes.addressof(ctypes.c_char.in_dll(api, n))\n\
    print('READY', where('PyType_Type'), where('_PyRuntime'), id(type)); sys.stdin.readline()";

fn python_module(all: &[Module]) -> &Module {
    all.iter().find(|m| m.symbol("_PyRuntime").is_some()).expect("no module defines _PyRuntime")
}

#[test]
fn symbols_lie_where_the_interpreter_says() {
    for python in pythons() {
        let target = Target::start(Command::new(&python).args(["-u", "-c", IDLE]));
        let said: Vec<u64> = target.said.split(' ').map(|n| n.parse().unwrap()).collect();
        let process = Process::open(target.pid()).unwrap();
        let all = modules(&process, &process.mappings().unwrap());
        let m = python_module(&all);
        assert_eq!(m.symbol("PyType_Type"), Some(said[0]), "{}", python.display());
        assert_eq!(m.symbol("_PyRuntime"), Some(said[1]));
        assert_eq!(said[0], said[2]);
        assert_eq!(m.symbol_at(said[0] + 8), Some(("PyType_Type".into(), 8)));
        assert!(m.data.iter().any(|d| d.0 <= said[0] && said[0] < d.1));
        assert_eq!(m.symbols("PyType_Type")[0].0, said[0]);
        if let Some((address, size)) = m.section(".PyRuntime") {
            assert!(address <= said[1] && said[1] < address + size);
        }
        // what a type is called is found by the reader's own means
        let name = process.word(said[0] + 24).unwrap();
        assert_eq!(process.c_string(name, 100).unwrap(), "type");
        assert!(all.iter().all(|m| m.start < m.end && m.path.starts_with('/')));
    }
}

/// Loads a copy of the library it is told and removes the copy.
const REMOVED: &str = r#"
import ctypes, os, shutil, sys, tempfile
directory = tempfile.mkdtemp()
copy = os.path.join(directory, "removed.so")
shutil.copy(sys.argv[1], copy)
library = ctypes.CDLL(copy)
shutil.rmtree(directory)
print("READY", ctypes.cast(library._Unwind_Backtrace, ctypes.c_void_p).value)
sys.stdin.readline()
"#;

#[test]
fn a_removed_library_still_has_its_symbols() {
    let me = Process::open(std::process::id() as i32).unwrap();
    let all = modules(&me, &me.mappings().unwrap());
    let original = all.iter().find(|m| m.path.contains("/libgcc_s")).expect("this program loads libgcc_s");
    let target = Target::start(Command::new(harness::python()).args(["-u", "-c", REMOVED, &original.path]));
    let wanted: u64 = target.said.parse().unwrap();
    let process = Process::open(target.pid()).unwrap();
    let all = modules(&process, &process.mappings().unwrap());
    let m = all.iter().find(|m| m.path.ends_with("/removed.so (deleted)")).unwrap();
    assert_eq!(m.symbol("_Unwind_Backtrace"), Some(wanted));
    assert_eq!(m.build_id, original.build_id);
}

#[test]
fn a_file_that_is_only_read_is_no_module() {
    let code = "import mmap, sys\nf = open(sys.argv[1], 'rb')\nm = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)\nm[0]\n\
                print('READY'); sys.stdin.readline()";
    let me = std::env::current_exe().unwrap();
    let target = Target::start(Command::new(harness::python()).args(["-u", "-c", code]).arg(&me));
    let process = Process::open(target.pid()).unwrap();
    let mappings = process.mappings().unwrap();
    assert!(mappings.iter().any(|m| me.as_os_str() == m.path.as_str()));
    assert!(modules(&process, &mappings).iter().all(|m| me.as_os_str() != m.path.as_str()));
}
