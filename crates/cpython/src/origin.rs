//! Whose code a class is: the interpreter's, the standard library's, an installed
//! package's, or the program's own; by the file of its module.

use rustc_hash::FxHashMap;
use undying_graph::Origin;

use crate::class::Class;
use crate::object::{self, flag};
use crate::text;
use crate::visit::{Context, dict};

/// Files of modules, by module name.
pub struct Modules {
    files: FxHashMap<String, Option<String>>,
    stdlib: Option<String>,
}

impl Modules {
    /// From `sys.modules`.
    pub fn read(cx: &Context, address: u64) -> Modules {
        let mut files = FxHashMap::default();
        for (key, module) in dict::entries(cx.space, cx.layout, address) {
            if let Some(name) = text::text(cx.space, cx.layout, key) {
                files.insert(name, file_of(cx, module));
            }
        }
        let os = files.get("os").cloned().flatten().or_else(|| files.get("codecs").cloned().flatten());
        let stdlib = os.and_then(|f| f.rsplit_once('/').map(|(dir, _)| format!("{dir}/")));
        Modules { files, stdlib }
    }

    /// Whose code the class is, and the file of native code that defines it.
    pub fn origin(&self, cx: &Context, class: &Class) -> (Origin, Option<String>) {
        if !class.has(flag::HEAP) {
            let file = cx.statics.file_of(class.address);
            return (file.map_or(Origin::Builtin, |f| self.of_file(f)), file.map(str::to_owned));
        }
        let native = native_file(cx, class);
        if let Some(file) = native.as_deref() {
            return (self.of_file(file), native);
        }
        let module = cx.classes.text(class.module);
        let origin = match self.files.get(&module) {
            Some(Some(file)) => self.of_file(file),
            Some(None) if module == "__main__" => Origin::Program,
            Some(None) => Origin::Builtin,
            // the module's parent tells, where the module itself is not in sys.modules
            None => match module.split('.').next().and_then(|top| self.files.get(top)) {
                Some(Some(file)) => self.of_file(file),
                Some(None) => Origin::Builtin,
                None if module.is_empty() || module == "builtins" => Origin::Builtin,
                None => Origin::Program,
            },
        };
        (origin, None)
    }

    fn of_file(&self, file: &str) -> Origin {
        if file.contains("/site-packages/") || file.contains("/dist-packages/") {
            return Origin::Library;
        }
        if file.starts_with('<') {
            return Origin::Builtin;
        }
        if self.stdlib.as_deref().is_some_and(|dir| file.starts_with(dir)) || file.contains("/lib-dynload/") {
            return Origin::Stdlib;
        }
        let name = file.rsplit('/').next().unwrap_or(file);
        let interpreter = name.starts_with("libpython") || name.starts_with("python");
        let library = name.contains(".so");
        match (interpreter && !name.ends_with(".py"), library) {
            (true, _) => Origin::Builtin,
            (_, true) => Origin::Library,
            _ => Origin::Program,
        }
    }
}

/// `type` itself, by the chain of metaclasses.
fn metaclass(cx: &Context, class: u64) -> u64 {
    const DEEPEST: usize = 8;
    let up = |&c: &u64| Some(cx.space.body(c)?.word(object::TYPE));
    std::iter::successors(Some(class), up).take(DEEPEST).last().unwrap_or(0)
}

/// The file of native code that made a class at run time (`PyType_FromSpec`): its
/// instances are freed by that file's code, or its module is defined there.  Classes
/// written in Python are freed by the interpreter's.
fn native_file(cx: &Context, class: &Class) -> Option<String> {
    let body = cx.space.body(class.address)?;
    let interpreter = cx.statics.file_of(metaclass(cx, class.address))?;
    let freed_by = cx.statics.file_at(body.word(cx.layout.type_.dealloc)).filter(|&f| f != interpreter);
    let module = cx.space.body_or_empty(body.word(cx.layout.heap_type.module));
    let defined = || cx.statics.file_of(module.word(cx.layout.module.def)).filter(|&f| f != interpreter);
    freed_by.or_else(defined).map(str::to_owned)
}

/// `__file__` of a module, or where its `__spec__` came from.
fn file_of(cx: &Context, module: u64) -> Option<String> {
    let body = cx.space.body(module)?;
    let class = cx.classes.at(cx.space, cx.layout, body.word(object::TYPE)).and_then(|n| cx.classes.get(n))?;
    if class.visitor != crate::builtin::Visitor::Module {
        return None;
    }
    let file = dict::lookup(cx.space, cx.layout, body.word(cx.layout.module.dict), "__file__")?;
    let class = cx.space.body(file).map(|b| b.word(object::TYPE))?;
    let flags = cx.space.body(class)?.word(cx.layout.type_.flags);
    (flags >> 28 & 1 == 1).then(|| text::text(cx.space, cx.layout, file))?
}
