/* What a heap costs when it is merely visited: the yardstick for a capture.
 *
 * One native pass from inside the process over every object and every edge, by each
 * type's own tp_traverse.  Kept in memory: address, type, size and reference count of each
 * object, and the target of each edge.  Nothing is named, indexed, encoded or written.
 *
 *     onepass.walk(gc.get_objects()) -> (objects, edges, CPU seconds)
 *
 * An extension module for CPython 3.8 and later; capture.py compiles it.
 */
#include <Python.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

/* A set of addresses: a bit for every eight bytes, in leaves for 16 MiB each. */
enum { LEAF_BITS = 24, LEAF_BYTES = 1 << (LEAF_BITS - 6), LEAVES = 1 << (47 - LEAF_BITS) };

struct record {
    const PyObject *object;
    const PyTypeObject *type;
    Py_ssize_t size;
    Py_ssize_t references;
};

struct pass {
    uint64_t **leaves;
    struct record *objects;
    const PyObject **edges;
    PyObject **waiting;
    size_t object_count, object_room;
    size_t edge_count, edge_room;
    size_t waiting_count, waiting_room;
    int failed;
};

static void *fresh(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Twice the room for a column, if it is full. */
static int has_room(void **column, size_t used, size_t *room, size_t width)
{
    if (used < *room)
        return 1;
    size_t more = *room ? *room * 2 : (size_t)1 << 16;
    void *moved = *room ? mremap(*column, *room * width, more * width, MREMAP_MAYMOVE) : fresh(more * width);
    if (!moved || moved == MAP_FAILED)
        return 0;
    *column = moved;
    *room = more;
    return 1;
}

/* Whether the object is new; it then waits for its turn. */
static void meet(struct pass *pass, PyObject *object)
{
    uintptr_t at = (uintptr_t)object;
    uint64_t **leaf = &pass->leaves[(at >> LEAF_BITS) & (LEAVES - 1)];
    if (!*leaf && !(*leaf = fresh(LEAF_BYTES))) {
        pass->failed = 1;
        return;
    }
    size_t bit = (at & (((uintptr_t)1 << LEAF_BITS) - 1)) >> 3;
    uint64_t mask = (uint64_t)1 << (bit & 63);
    if ((*leaf)[bit >> 6] & mask)
        return;
    (*leaf)[bit >> 6] |= mask;
    if (!has_room((void **)&pass->waiting, pass->waiting_count, &pass->waiting_room, sizeof *pass->waiting)) {
        pass->failed = 1;
        return;
    }
    pass->waiting[pass->waiting_count++] = object;
}

static int on_edge(PyObject *target, void *context)
{
    struct pass *pass = context;
    if (!has_room((void **)&pass->edges, pass->edge_count, &pass->edge_room, sizeof *pass->edges)) {
        pass->failed = 1;
        return 1;
    }
    pass->edges[pass->edge_count++] = target;
    meet(pass, target);
    return pass->failed;
}

static Py_ssize_t items(PyObject *object)
{
#if PY_VERSION_HEX >= 0x030c0000
    if (PyLong_Check(object))
        return (Py_ssize_t)(((PyLongObject *)object)->long_value.lv_tag >> 3);
#endif
    Py_ssize_t n = ((PyVarObject *)object)->ob_size;
    return n < 0 ? -n : n;
}

static void look_at(struct pass *pass, PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    if (!has_room((void **)&pass->objects, pass->object_count, &pass->object_room, sizeof *pass->objects)) {
        pass->failed = 1;
        return;
    }
    struct record *r = &pass->objects[pass->object_count++];
    r->object = object;
    r->type = type;
    r->size = type->tp_basicsize + (type->tp_itemsize ? items(object) * type->tp_itemsize : 0);
    r->references = Py_REFCNT(object);
    /* a static type refuses to be traversed */
    int refuses = PyType_Check(object) && !PyType_HasFeature((PyTypeObject *)object, Py_TPFLAGS_HEAPTYPE);
    if (type->tp_traverse && !refuses)
        type->tp_traverse(object, on_edge, pass);
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void discard(struct pass *pass)
{
    for (size_t i = 0; pass->leaves && i < LEAVES; i++)
        if (pass->leaves[i])
            munmap(pass->leaves[i], LEAF_BYTES);
    if (pass->leaves)
        munmap(pass->leaves, LEAVES * sizeof *pass->leaves);
    if (pass->object_room)
        munmap(pass->objects, pass->object_room * sizeof *pass->objects);
    if (pass->edge_room)
        munmap(pass->edges, pass->edge_room * sizeof *pass->edges);
    if (pass->waiting_room)
        munmap(pass->waiting, pass->waiting_room * sizeof *pass->waiting);
}

static PyObject *walk(PyObject *module, PyObject *starts)
{
    (void)module;
    if (!PyList_Check(starts))
        return PyErr_Format(PyExc_TypeError, "a list of objects to start from is wanted");
    struct pass pass = {0};
    double began = cpu_seconds();
    pass.leaves = fresh(LEAVES * sizeof *pass.leaves);
    pass.failed = !pass.leaves;
    for (Py_ssize_t i = 0; !pass.failed && i < PyList_GET_SIZE(starts); i++) {
        meet(&pass, PyList_GET_ITEM(starts, i));
        while (!pass.failed && pass.waiting_count)
            look_at(&pass, pass.waiting[--pass.waiting_count]);
    }
    double took = cpu_seconds() - began;
    int failed = pass.failed;
    discard(&pass);
    if (failed)
        return PyErr_NoMemory();
    return Py_BuildValue("nnd", (Py_ssize_t)pass.object_count, (Py_ssize_t)pass.edge_count, took);
}

static PyMethodDef methods[] = {
    {"walk", walk, METH_O, "walk(objects) -> (objects, edges, CPU seconds) of one pass over all they reach"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "onepass", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_onepass(void)
{
    return PyModule_Create(&definition);
}
