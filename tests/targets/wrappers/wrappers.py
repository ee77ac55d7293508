"""Objects that stand for native ones, of the tools named on the command line.  Writes what
each says of itself: id, tool, native type, address, owned, and whether nothing else points
to what it does not own (yes, no, or - where that is not asked).  Then READY, and waits."""
import sys

truth, tools = sys.argv[1], sys.argv[2:]
out, keep = open(truth, "w"), []


def word(x):
    return "-" if x is None else "yes" if x else "no"


def tell(obj, at, tool, native, address, owned, lost=None):
    keep.append(obj)
    out.write("\t".join([str(at), tool, native, str(address), word(owned), word(lost)]) + "\n")


def swig(module):
    def one(p, native, lost):
        behind = getattr(p, "this", p)
        behind = p if module == "shapes_builtin" else behind
        tell(p, id(behind), "swig", native, int(behind), p.thisown if hasattr(p, "thisown") else p.own(), lost)

    s = __import__(module)
    board = s.Board()
    one(board, "Board *", None)
    one(s.Shape(3), "Shape *", None)
    one(s.new_shape(3), "Shape *", None)
    for i in range(20):
        one(s.make_shape(i), "Shape *", True)
    one(board.first(), "Shape *", False)
    one(board.inside(), "Shape *", None)
    one(board.listed(0), "Shape *", False)
    frame = s.Frame()
    one(frame, "Frame *", None)
    for i in range(8):
        one(frame.part(i), "Part *", False)
    one(s.static_shape(), "Shape *", None)
    one(s.kept_shape(), "Shape *", False)
    taken = s.make_shape(9)
    taken.thisown = True
    one(taken, "Shape *", None)
    if module == "shapes":
        one(s.new_ink(), "Ink *", None)


def pybind11():
    import bound
    board = bound.Board()
    keep.append(board)
    for shape, owned, lost in [(bound.Shape(3), True, None), (bound.taken(3), True, None), (board.first(), False, False),
                               (board.inside(), False, None)] + [(bound.lost(i), False, True) for i in range(20)]:
        tell(shape, id(shape), "pybind11", "Shape", shape.where(), owned, lost)
    for pen in (bound.Pen(), type("Crayon", (bound.Pen,), {})()):
        tell(pen, id(pen), "pybind11", "drawing::Pen", pen.where(), True)


def cython():
    import solid
    for o in solid.Solid("cube"), solid.Plain(), type("Named", (solid.Solid,), {})("cone"):
        name = "solid." + type(o).__name__ if type(o).__module__ == "solid" else "__main__.Named"
        tell(o, id(o), "cython", name, id(o), True)


def cffi():
    import cffi
    ffi = cffi.FFI()
    ffi.cdef("struct point { int x; double y; }; void *malloc(size_t); void free(void *);")
    c = ffi.dlopen(None)
    point, buffer = ffi.new("struct point *"), bytearray(100)
    keep.append(buffer)
    for data, name, owned in [
        (point, "struct point *", True), (point[0], "struct point &", True), (ffi.new("int[500]"), "int[500]", True),
        (ffi.gc(c.malloc(300), c.free), "void *", True), (ffi.cast("char *", point), "char *", False),
        (ffi.from_buffer(buffer), "char[]", False),
    ]:
        if not name.endswith("&"):
            tell(data, id(data), "cffi", name, int(ffi.cast("uintptr_t", data)), owned)


def ctypes():
    import ctypes
    class Pair(ctypes.Structure):
        _fields_ = [("a", ctypes.c_int), ("b", ctypes.c_double)]
    class Both(ctypes.Structure):
        _fields_ = [("pair", Pair), ("rest", ctypes.c_char * 200)]
    both, block = Both(), bytearray(64)
    keep.append(block)
    for o, name, owned in [
        (Pair(), "__main__.ctypes.<locals>.Pair", True), (both, "__main__.ctypes.<locals>.Both", True),
        (both.pair, "__main__.ctypes.<locals>.Pair", False),
        (ctypes.c_int(5), "ctypes.c_int", True),
        (Pair.from_buffer(block), "__main__.ctypes.<locals>.Pair", False),
    ]:
        tell(o, id(o), "ctypes", name, ctypes.addressof(o), owned)


for tool in tools:
    swig(tool) if tool.startswith("shapes") else globals()[tool]()
out.close()
print("READY", flush=True)
sys.stdin.read()
