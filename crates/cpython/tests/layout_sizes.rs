//! The tables against what every interpreter found here says of itself: sizes as
//! `type.__basicsize__` gives them, references as the collector traverses them.
//! A wrong structure or a wrong offset shows here, before any capture.

// A skipped interpreter is named.
#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use undying_cpython::layout::{ABSENT, Layout, TABLES};

/// Makes instances of many builtin types, then prints every type it can reach:
/// `type NAME BASICSIZE` with the name as C has it (`tp_name` is the fourth word of a
/// type, `Include/cpython/object.h`, 3.8 to 3.13).  Reads `NAME SIZE OFFSET,OFFSET`
/// lines and prints `seen NAME` for each type of which it examined an instance, and
/// `lost NAME TYPE` where the collector reports a reference that no offset holds.
const PROGRAM: &str = r#"
import sys, gc, ctypes
for name in '''_asyncio _csv _ctypes _datetime _io _json _pickle _queue _sre _struct array asyncio
        collections contextvars csv decimal functools itertools json operator queue re sqlite3
        threading types typing weakref zoneinfo'''.split():
    try:
        globals()[name] = __import__(name)
    except ImportError:
        pass
import io, abc, datetime, json.scanner
word = ctypes.c_void_p.from_address

def name_of(cls):
    return ctypes.string_at(word(id(cls) + 24).value).decode().replace(' ', '_')

class Sequence:
    def __getitem__(self, i):
        raise IndexError
class Structure(ctypes.Structure):
    _fields_ = [('a', ctypes.c_int), ('b', ctypes.py_object)]
async def coroutine():
    pass
async def async_generator():
    yield 1
@functools.lru_cache(5)
def cached(x):
    return x
cached(1), cached(2)
agen, coro, local = async_generator(), coroutine(), threading.local()
local.x = 1
variable = contextvars.ContextVar('v', default=[])
pair = collections.namedtuple('pair', 'a b')
loop = asyncio.new_event_loop()
asyncio._set_running_loop(loop)
asyncio._set_running_loop(None)
tz = datetime.timezone(datetime.timedelta(0, 60), 'x')
ordered = collections.OrderedDict(a=1)
keep = [
    iter(range(1 << 70)), iter({1: 2}), iter({}.values()), iter({}.items()), reversed({}),
    reversed({}.values()), reversed({}.items()), iter(''), iter('\u1234'), iter(b''),
    iter(bytearray()), iter(int, 1), iter(()), iter([]), reversed([]), reversed(()), iter(set()),
    iter(ordered), ordered.keys(), ordered.values(), ordered.items(), {}.keys(), {}.values(),
    {}.items(), iter(Sequence()), memoryview(bytearray(b'a')), agen.asend(None), agen.athrow(ValueError),
    coro.__await__(), variable, contextvars.copy_context(), variable.set([1]), loop.create_future(),
    iter(loop.create_future()), itertools.tee([1])[0], local, functools.cmp_to_key(len),
    functools.cmp_to_key(len)([]), iter(collections.deque()), reversed(collections.deque()),
    itertools.groupby([1]), re.compile('a').match('a'), re.compile('a').scanner('a'), Structure(),
    ctypes.CFUNCTYPE(ctypes.c_int)(len), ctypes.pointer(ctypes.c_int(2)), (ctypes.c_int * 3)(),
    csv.reader(['a']), csv.writer(io.StringIO()), csv.reader(['a']).dialect,
    json.scanner.c_make_scanner(json.JSONDecoder()), _struct.Struct('i'), _struct.iter_unpack('i', b'abcd'),
    _queue.SimpleQueue(), decimal.getcontext(), decimal.localcontext(), tz, super(abc.ABC, abc.ABC),
    property(len, len, len, 'doc'), slice([], [], []), range(1, 1 << 80, 3), zip([1], [2]),
    map(len, [1]), filter(len, [1]), enumerate([1]), functools.partial(len, 1, a=2),
    collections.defaultdict(list), types.SimpleNamespace(a=1), types.MappingProxyType({}),
    io.open('/dev/null'), io.open('/dev/null', 'rb'), io.open('/dev/null', 'wb'), io.BytesIO(b'a'),
    io.StringIO('a'), io.BufferedRWPair(io.BytesIO(), io.BytesIO()), io.BufferedRandom(io.BytesIO()),
    operator.itemgetter(1, 2), operator.attrgetter('a.b', 'c'), operator.methodcaller('x', 1, b=2),
    BaseException([]), OSError(1, 'x', 'f'), SyntaxError('m', ('f', 1, 2, 't')), StopIteration([]),
    ImportError('m', name='n', path='p'), SystemExit([]), UnicodeDecodeError('a', b'b', 0, 1, 'r'),
    UnicodeEncodeError('a', 'b', 0, 1, 'r'), UnicodeTranslateError('a', 0, 1, 'r'),
    itertools.chain([1]), itertools.cycle([1]), itertools.islice([1], 1), itertools.starmap(len, [1]),
    itertools.takewhile(len, [1]), itertools.dropwhile(len, [1]), itertools.filterfalse(len, [1]),
    itertools.accumulate([1], max), itertools.compress([1], [1]), itertools.product([1], [2]),
    itertools.zip_longest([1], [2], fillvalue=[]), itertools.permutations([1]),
    itertools.combinations([1], 1), itertools.combinations_with_replacement([1], 1),
    itertools.count(1.5, 2.5), itertools.repeat([]), classmethod(len), staticmethod(len),
    type.__dict__['__dict__'], int.__add__, (1).__add__, str.join, ''.join, dict.__dict__['fromkeys'],
    abc.ABC.register, pair.a, agen, coro,
]
group = itertools.groupby([1, 1])
keep += [group, next(group)]
for source in ('list[int]', 'iter(list[int])', 'int | str', 'itertools.pairwise([1])', 'itertools.batched([1], 2)',
               'anext(agen, 1)', 'iter(memoryview(b""))', 'BaseExceptionGroup("a", [BaseException()])',
               '1 / 0', '[].nosuch', 'nosuch'):
    try:
        keep.append(eval(source))
    except Exception as error:
        keep += [error, error.__traceback__]
try:
    exec('type X[T, *U, **V] = list[T]')
    keep += [X, X.__type_params__, X.__type_params__[2].args, X.__type_params__[2].kwargs]
except SyntaxError:
    pass

objects, todo = {}, gc.get_objects() + keep
while todo:
    found = todo.pop()
    if id(found) not in objects:
        objects[id(found)] = found
        if found is not todo and found is not objects:
            todo += gc.get_referents(found)
classes, todo = {}, [object] + [type(found) for found in list(objects.values())]
while todo:
    cls = todo.pop()
    if cls not in classes:
        classes[cls] = name_of(cls)
        todo += cls.__mro__ + (type(cls),) + tuple(type.__subclasses__(cls))
print('patch', sys.version_info[2])
for cls, name in classes.items():
    print('type', name, cls.__basicsize__)
table = {}
for line in sys.stdin:
    name, size, offsets = line.rstrip('\n').split(' ')
    table[name] = int(size), [int(offset) for offset in offsets.split(',') if offset]
for address, found in list(objects.items()):
    cls = type(found)
    size, offsets = table.get(classes.get(cls), (0, ()))
    if size != cls.__basicsize__:
        continue
    print('seen', classes[cls])
    held = [word(address + offset).value for offset in offsets] + [id(cls)]
    for other in gc.get_referents(found):
        if id(other) in held:
            held.remove(id(other))
        elif cls.__dictoffset__ >= 0 or type(other) is not dict:
            print('lost', classes[cls], classes.get(type(other), '?'))
"#;

/// What an interpreter said: its patch number, every size a type of that name has, the types of which
/// instances were examined, and references the table does not know.
#[derive(Default)]
struct Said {
    patch: u8,
    sizes: BTreeMap<String, Vec<u64>>,
    seen: Vec<String>,
    lost: Vec<String>,
}

fn interpreters() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let versions = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let mut found: Vec<PathBuf> =
        versions.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path().join("bin/python3"))).collect();
    found.push(PathBuf::from("/usr/bin/python3"));
    found.retain(|path| path.exists());
    found.sort();
    found
}

/// The table for an interpreter's version; other flavours and versions have none.
fn table_for(python: &Path) -> Option<&'static Layout> {
    let program = "import sys, sysconfig as s\n\
                   v = s.get_config_vars()\n\
                   print(*sys.version_info[:3], int(bool(v.get('Py_DEBUG') or v.get('Py_GIL_DISABLED'))))";
    let output = Command::new(python).args(["-c", program]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<u8> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let [major, minor, patch, 0] = numbers[..] else {
        return None;
    };
    TABLES.iter().find(|table| {
        table.version == (major, minor)
            && table.flavour == "default"
            && (table.patch_from..=table.patch_to).contains(&patch)
    })
}

fn ask(python: &Path, table: &Layout) -> Said {
    let mut child = Command::new(python)
        .args(["-I", "-W", "ignore", "-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut input = child.stdin.take().expect("piped");
    for object in table.objects {
        let offsets: Vec<String> = object.refs.iter().map(|(_, offset)| offset.to_string()).collect();
        writeln!(input, "{} {} {}", object.type_name, object.size, offsets.join(",")).expect("it reads");
    }
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{} failed", python.display());
    let mut said = Said::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["type", name, size] => {
                let size = size.parse().expect("a number");
                said.sizes.entry(name.to_string()).or_default().push(size);
            }
            ["patch", patch] => said.patch = patch.parse().expect("a number"),
            ["seen", name] => said.seen.push(name.to_string()),
            ["lost", name, other] => said.lost.push(format!("{name} -> {other}")),
            _ => panic!("{} said {line:?}", python.display()),
        }
    }
    said
}

/// Runs `check` for every interpreter that has a table; at least one must.
fn each(check: impl Fn(&Path, &Layout, Said)) {
    let mut checked = 0;
    for python in interpreters() {
        match table_for(&python) {
            Some(table) => {
                check(&python, table, ask(&python, table));
                checked += 1;
            }
            None => eprintln!("skipped {}: no table for it", python.display()),
        }
    }
    assert!(checked > 0, "no interpreter of a known version was found");
}

#[test]
fn a_builtin_type_is_as_big_as_its_structure() {
    each(|python, table, said| {
        let known = table.objects.iter().filter(|object| said.sizes.contains_key(object.type_name));
        let known: Vec<_> = known.collect();
        let wrong: Vec<_> = known
            .iter()
            .filter(|object| !said.sizes[object.type_name].contains(&u64::from(object.size)))
            .map(|object| (object.type_name, object.size, &said.sizes[object.type_name]))
            .collect();
        // Another patch release may have changed a type that is private to an extension
        // module (3.11.2's `_sre.SRE_Scanner` is 8 bytes smaller than 3.11.7's); its size
        // keeps such a layout from being used.
        let drift = if said.patch == table.patch { 0 } else { 1 };
        assert!(wrong.len() <= drift, "{}: {wrong:?}", python.display());
        // Some names are spelled otherwise in other versions; most must be there.
        assert!(known.len() * 10 > table.objects.len() * 8, "{}: {} types", python.display(), known.len());
    });
}

#[test]
fn no_reference_the_collector_knows_is_missing() {
    each(|python, table, said| {
        assert!(said.lost.is_empty(), "{}: {:?}", python.display(), said.lost);
        let seen = table.objects.iter().filter(|object| said.seen.iter().any(|name| name == object.type_name));
        assert!(seen.count() > 80, "{}: too few instances", python.display());
    });
}

/// What `tp_basicsize` is made of, for the types whose structures are read field by field.
fn basic_sizes(table: &Layout) -> Vec<(&'static str, u32)> {
    let inside = |outer: u32, inner: u32| {
        if outer == ABSENT { ABSENT } else { outer + inner }
    };
    // A generator and a frame hold an interpreter frame without its locals (3.11 on).
    let frame = inside(table.frame.frame_data, table.iframe.localsplus);
    let generator = inside(table.generator.iframe, table.iframe.localsplus);
    let or = |first: u32, second: u32| if first == ABSENT { second } else { first };
    vec![
        ("BaseException", table.exception.size),
        ("OrderedDict", table.odict.size),
        ("_io.BytesIO", table.bytesio.size),
        ("_io.StringIO", table.stringio.size),
        ("array.array", table.array.size),
        ("builtin_function_or_method", table.cfunction.size),
        ("bytearray", table.bytearray.size),
        ("bytes", table.bytes.value + 1),
        ("cell", table.cell.size),
        ("code", or(table.code.code_adaptive, table.code.size)),
        ("collections.OrderedDict", table.odict.size),
        ("collections.deque", table.deque.size),
        ("coroutine", or(generator, table.coroutine.size)),
        ("datetime.datetime", table.datetime.size),
        ("datetime.time", table.time.size),
        ("dict", table.dict.size),
        ("float", table.float.size),
        ("frame", or(frame, table.frame.size)),
        ("frozenset", table.set.size),
        ("function", table.function.size),
        ("functools._lru_cache_wrapper", table.lru_cache.size),
        ("functools._lru_list_elem", table.lru_elem.size),
        ("generator", or(generator, table.generator.size)),
        ("int", table.long.digit),
        ("itertools._tee_dataobject", table.tee_data.size),
        ("list", table.list.size),
        ("memoryview", table.memoryview.shape),
        ("method", table.method.size),
        ("module", table.module.size),
        ("moduledef", table.module_def.size),
        ("set", table.set.size),
        ("str", table.unicode.size),
        ("traceback", table.traceback.size),
        ("tuple", table.tuple.item),
        ("type", table.heap_type.size),
        ("weakref", table.weakref.size),
        ("weakref.ReferenceType", table.weakref.size),
    ]
}

#[test]
fn the_structures_read_field_by_field_are_as_big_as_their_types() {
    each(|python, table, said| {
        let mut known = 0;
        for (name, size) in basic_sizes(table) {
            if let Some(sizes) = said.sizes.get(name) {
                assert!(sizes.contains(&u64::from(size)), "{}: {name} {size} {sizes:?}", python.display());
                known += 1;
            }
        }
        assert!(known >= 33, "{}: {known} types", python.display());
    });
}

#[test]
fn a_type_is_found_by_name_and_size_together() {
    for table in TABLES {
        let slice = table.objects.iter().find(|object| object.type_name == "slice").expect("every version has it");
        assert_eq!(table.object("slice", u64::from(slice.size)), Some(slice));
        assert_eq!(table.object("slice", u64::from(slice.size) + 8), None);
        assert_eq!(table.object("slices", u64::from(slice.size)), None);
        for object in table.objects {
            assert_eq!(table.object(object.type_name, u64::from(object.size)), Some(object));
        }
    }
}
