//! Names for instructions: function, source file and line, with the functions that the
//! compiler laid into one another.  Reads files, never a process.  Each instruction is
//! looked up once: few places change a count thousands of times.

use std::sync::Arc;

use addr2line::{Loader, demangle_auto};
use rustc_hash::FxHashMap;
use undying_graph::NativeFrame;
use undying_memory::{Module, Process};

use crate::unwind::Place;

/// Functions that lie in one another at one instruction.
const DEEPEST: usize = 64;

/// Looks instructions up.
pub(crate) struct Names<'p> {
    process: &'p Process,
    modules: Vec<Module>,
    /// The file of the interpreter.
    interpreter: String,
    loaders: FxHashMap<usize, Option<Loader>>,
    known: FxHashMap<u64, Vec<NativeFrame>>,
    texts: FxHashMap<String, Arc<str>>,
}

impl<'p> Names<'p> {
    /// In these files; `interpreter` is the path of the one with CPython in it.
    pub fn new(process: &'p Process, modules: Vec<Module>, interpreter: &str) -> Names<'p> {
        Names {
            process,
            modules,
            interpreter: interpreter.to_owned(),
            loaders: FxHashMap::default(),
            known: FxHashMap::default(),
            texts: FxHashMap::default(),
        }
    }

    /// The frames of a stack, inlined functions told apart.
    pub fn frames(&mut self, stack: &[Place]) -> Arc<[NativeFrame]> {
        let mut found = Vec::new();
        for place in stack {
            if !self.known.contains_key(&place.pc) {
                let frames = self.look_up(place.pc);
                self.known.insert(place.pc, frames);
            }
            let frames = self.known.get(&place.pc).map_or(&[][..], Vec::as_slice);
            found.extend(frames.iter().map(|f| NativeFrame { stack: place.stack, ..f.clone() }));
        }
        found.into()
    }

    /// The functions at an instruction, innermost first, at least one.
    fn look_up(&mut self, pc: u64) -> Vec<NativeFrame> {
        // the instruction that is meant ended there
        let probe = pc.wrapping_sub(1);
        let module = self.modules.iter().rposition(|m| (m.start..m.end).contains(&probe));
        let mut frame = NativeFrame {
            address: pc,
            stack: 0,
            function: None,
            library: "".into(),
            file: None,
            line: None,
            inlined: false,
            interpreter: false,
        };
        let Some(index) = module else { return vec![frame] };
        let path = self.modules[index].path.clone();
        frame.interpreter = path == self.interpreter;
        frame.library = self.text(&path);
        let mut found = self.lines(index, probe, &frame);
        if found.is_empty() {
            let name = self.modules[index].symbol_at(probe);
            frame.function = name.map(|(n, _)| self.text(&demangle_auto(n.into(), None)));
            found.push(frame);
        }
        found
    }

    /// What the debug information says.
    fn lines(&mut self, index: usize, probe: u64, like: &NativeFrame) -> Vec<NativeFrame> {
        let module = &self.modules[index];
        let at = probe.wrapping_sub(module.slide);
        let symbol = module.symbol_at(probe).map(|(n, _)| demangle_auto(n.into(), None).into_owned());
        let process = self.process;
        let loader = self.loaders.entry(index).or_insert_with(|| load(process, module));
        let Some(mut frames) = loader.as_ref().and_then(|l| l.find_frames(at).ok()) else { return Vec::new() };
        let mut raw = Vec::new();
        while let (Ok(Some(f)), true) = (frames.next(), raw.len() < DEEPEST) {
            let function = f.function.as_ref().and_then(|n| n.demangle().ok()).map(|n| n.into_owned());
            let place = f.location.as_ref();
            raw.push((function, place.and_then(|l| l.file).map(str::to_owned), place.and_then(|l| l.line)));
        }
        drop(frames);
        let outermost = raw.len().saturating_sub(1);
        let mut found = Vec::new();
        for (i, (function, file, line)) in raw.into_iter().enumerate() {
            let function = function.or_else(|| symbol.clone().filter(|_| i == outermost));
            found.push(NativeFrame {
                function: function.map(|f| self.text(&f)),
                file: file.map(|f| self.text(&f)),
                line: line.filter(|&l| l > 0),
                inlined: i < outermost,
                ..like.clone()
            });
        }
        found
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.texts.insert(text.to_owned(), new.clone());
        new
    }
}

/// The debug information of a file: in it, or beside it by its build identifier.
fn load(process: &Process, module: &Module) -> Option<Loader> {
    let path = module.path.strip_suffix(" (deleted)").unwrap_or(&module.path);
    // as the target sees it, should it live in a container
    let seen = format!("/proc/{}/root{path}", process.pid());
    let id: String = module.build_id.iter().flatten().map(|b| format!("{b:02x}")).collect();
    let apart = id.split_at_checked(2).map(|(a, b)| format!("/usr/lib/debug/.build-id/{a}/{b}.debug"));
    let apart = apart.filter(|p| std::fs::exists(p).unwrap_or(false));
    Loader::new(apart.as_deref().unwrap_or(&seen)).or_else(|_| Loader::new(path)).ok()
}
