//! Which builtin type is read by which visitor and measured by which rule.
//! A type is recognised by its full name and its basic size together; a Python
//! class of the same name has another size or no such name (`tp_name` of a class
//! made by `class` has no dot).

use crate::layout::{ABSENT, Layout};

/// How the references of an object are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visitor {
    /// Only the class's fields, dictionary and scanned words.
    Fields,
    List,
    Tuple,
    Dict,
    OrderedDict,
    Set,
    Deque,
    Function,
    Code,
    Module,
    Type,
    Cell,
    Frame,
    Generator,
    /// Coroutine or asynchronous generator.
    Coroutine,
    Weakref,
    LruCache,
    DateTime,
    Time,
    TeeData,
    Element,
    HamtBitmap,
    HamtArray,
    HamtCollision,
}

/// What `__sizeof__` of the type computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizeRule {
    /// `tp_basicsize + tp_itemsize * abs(ob_size)`.
    Plain,
    List,
    Dict,
    OrderedDict,
    Set,
    Str,
    Int,
    Type,
    Code,
    Frame,
    Generator,
    Deque,
    ByteArray,
    Array,
    Element,
    Buffered,
    Decimal,
}

/// A type that the reader knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// How to find references.
    pub visitor: Visitor,
    /// How to measure.
    pub size: SizeRule,
    /// `tp_basicsize` it must have; [`ABSENT`] = any.
    pub basicsize: u32,
}

/// What is known of the type with this `tp_name`.
pub fn known(layout: &Layout, name: &str) -> Option<Known> {
    use SizeRule as S;
    use Visitor as V;
    let l = layout;
    let (visitor, size, basicsize) = match name {
        "object" => (V::Fields, S::Plain, 16),
        "list" => (V::List, S::List, l.list.size),
        "tuple" => (V::Tuple, S::Plain, l.tuple.item),
        "dict" => (V::Dict, S::Dict, l.dict.size),
        "collections.OrderedDict" => (V::OrderedDict, S::OrderedDict, l.odict.size),
        "set" | "frozenset" => (V::Set, S::Set, l.set.size),
        "collections.deque" => (V::Deque, S::Deque, l.deque.size),
        "str" => (V::Fields, S::Str, l.unicode.size),
        "int" | "bool" => (V::Fields, S::Int, l.long.digit),
        "float" | "complex" | "bytes" | "NoneType" | "ellipsis" | "NotImplementedType" | "range_iterator" => {
            (V::Fields, S::Plain, ABSENT)
        }
        "bytearray" => (V::Fields, S::ByteArray, l.bytearray.size),
        "array.array" => (V::Fields, S::Array, l.array.size),
        "decimal.Decimal" => (V::Fields, S::Decimal, ABSENT),
        "function" => (V::Function, S::Plain, l.function.size),
        "code" => (V::Code, S::Code, ABSENT),
        "module" => (V::Module, S::Plain, l.module.size),
        "type" => (V::Type, S::Type, l.heap_type.size),
        "cell" => (V::Cell, S::Plain, l.cell.size),
        "frame" => (V::Frame, S::Frame, ABSENT),
        "generator" => (V::Generator, S::Generator, ABSENT),
        "coroutine" | "async_generator" => (V::Coroutine, S::Generator, ABSENT),
        "weakref"
        | "weakref.ReferenceType"
        | "weakproxy"
        | "weakref.ProxyType"
        | "weakcallableproxy"
        | "weakref.CallableProxyType" => (V::Weakref, S::Plain, l.weakref.size),
        "functools._lru_cache_wrapper" => (V::LruCache, S::Plain, l.lru_cache.size),
        "datetime.datetime" => (V::DateTime, S::Plain, l.datetime.size),
        "datetime.time" => (V::Time, S::Plain, l.time.size),
        "itertools._tee_dataobject" => (V::TeeData, S::Plain, l.tee_data.size),
        // what the list's elements hold is told by the cache
        "functools._lru_list_elem" => (V::Fields, S::Plain, l.lru_elem.size),
        "xml.etree.ElementTree.Element" => (V::Element, S::Element, l.element.size),
        "hamt_bitmap_node" => (V::HamtBitmap, S::Plain, l.hamt_bitmap.array),
        "hamt_array_node" => (V::HamtArray, S::Plain, l.hamt_array.size),
        "hamt_collision_node" => (V::HamtCollision, S::Plain, l.hamt_collision.array),
        _ => return None,
    };
    Some(Known { visitor, size, basicsize })
}

/// References of fixed place that a special visitor's type has besides: name and offset.
pub fn fixed_fields(layout: &Layout, visitor: Visitor) -> Vec<(&'static str, u32)> {
    let l = layout;
    let mut fields = match visitor {
        Visitor::Function => vec![
            ("__globals__", l.function.globals),
            ("__builtins__", l.function.builtins),
            ("__name__", l.function.name),
            ("__qualname__", l.function.qualname),
            ("__code__", l.function.code),
            ("__defaults__", l.function.defaults),
            ("__kwdefaults__", l.function.kwdefaults),
            ("__closure__", l.function.closure),
            ("__doc__", l.function.doc),
            ("__module__", l.function.module),
            ("__annotations__", l.function.annotations),
            ("__type_params__", l.function.typeparams),
        ],
        Visitor::Code => vec![
            ("co_code", l.code.code),
            ("co_consts", l.code.consts),
            ("co_names", l.code.names),
            ("co_varnames", l.code.varnames),
            ("co_freevars", l.code.freevars),
            ("co_cellvars", l.code.cellvars),
            ("co_filename", l.code.filename),
            ("co_name", l.code.name),
            ("co_qualname", l.code.qualname),
            ("co_lnotab", l.code.lnotab),
            ("co_linetable", l.code.linetable),
            ("co_exceptiontable", l.code.exceptiontable),
            ("co_localsplusnames", l.code.localsplusnames),
            ("co_localspluskinds", l.code.localspluskinds),
            ("co_code", l.code.cached_code),
        ],
        Visitor::Module => vec![("__dict__", l.module.dict), ("__name__", l.module.name)],
        Visitor::Cell => vec![],
        Visitor::LruCache => vec![
            ("__wrapped__", l.lru_cache.func),
            ("cache", l.lru_cache.cache),
            ("cache_info_type", l.lru_cache.cache_info_type),
            ("keyword mark", l.lru_cache.kwd_mark),
            ("element class", l.lru_cache.elem_type),
        ],
        Visitor::Weakref => vec![("__callback__", l.weakref.callback)],
        Visitor::Generator | Visitor::Coroutine => vec![
            ("gi_code", l.generator.code),
            ("__name__", l.generator.name),
            ("__qualname__", l.generator.qualname),
            ("exc_type", add(l.generator.exc_state, l.exc_item.type_)),
            ("exc_value", add(l.generator.exc_state, l.exc_item.value)),
            ("exc_traceback", add(l.generator.exc_state, l.exc_item.traceback)),
        ],
        Visitor::TeeData => vec![("it", l.tee_data.it), ("nextlink", l.tee_data.nextlink)],
        _ => vec![],
    };
    fields.retain(|f| f.1 != ABSENT);
    fields
}

/// The measure of a type whose references come from the table of simple types.
pub fn listed_size(name: &str) -> SizeRule {
    match name {
        "_io.BufferedReader" | "_io.BufferedWriter" | "_io.BufferedRandom" => SizeRule::Buffered,
        _ => SizeRule::Plain,
    }
}

/// The sum of two offsets, absent when one is.
pub fn add(a: u32, b: u32) -> u32 {
    if a == ABSENT || b == ABSENT { ABSENT } else { a.saturating_add(b) }
}

/// Types whose raw memory holds other people's bytes: words in there that look like
/// addresses are leftovers.
pub fn holds_bytes(name: &str) -> bool {
    const PREFIXES: &[&str] = &[
        "array.",
        "bytearray",
        "mmap.",
        "_io.",
        "_hashlib.",
        "zlib.",
        "_bz2.",
        "_lzma.",
        "_ssl.",
        "_sha",
        "_md5",
        "_blake2",
        "_random.",
        "_struct.",
        "_socket.",
        "memoryview",
        "managedbuffer",
        "select.",
        "_multibytecodec.",
    ];
    PREFIXES.iter().any(|p| name.starts_with(p))
}
