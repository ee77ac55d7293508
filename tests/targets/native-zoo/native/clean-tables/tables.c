/* Tables in malloc'd memory, a free list, static caches, APIs that steal and that borrow. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <structmember.h>

/* A table with open addressing, its keys and values strong, in malloc'd memory. */
typedef struct {
    PyObject *key, *value;
    Py_hash_t hash;
} Slot;

typedef struct {
    PyObject_HEAD
    size_t room, used;
    Slot *slots;
} Table;

static Slot *
lookup(Slot *slots, size_t room, PyObject *key, Py_hash_t hash)
{
    size_t i = (size_t)hash & (room - 1);

    while (slots[i].key && (slots[i].hash != hash || PyUnicode_Compare(slots[i].key, key) != 0))
        i = (i + 1) & (room - 1);
    return &slots[i];
}

static int
grow(Table *self)
{
    size_t room = self->room ? 2 * self->room : 8, i;
    Slot *slots = calloc(room, sizeof *slots);

    if (slots == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (i = 0; i < self->room; i++)
        if (self->slots[i].key)
            *lookup(slots, room, self->slots[i].key, self->slots[i].hash) = self->slots[i];
    free(self->slots);
    self->slots = slots;
    self->room = room;
    return 0;
}

static PyObject *
table_set(Table *self, PyObject *args)
{
    PyObject *key, *value;
    Py_hash_t hash;
    Slot *slot;

    if (!PyArg_ParseTuple(args, "UO", &key, &value) || (hash = PyObject_Hash(key)) == -1)
        return NULL;
    if (2 * self->used >= self->room && grow(self) < 0)
        return NULL;
    slot = lookup(self->slots, self->room, key, hash);
    Py_INCREF(value);
    if (slot->key == NULL) {
        Py_INCREF(key);
        slot->key = key;
        slot->hash = hash;
        slot->value = value;
        self->used++;
    } else {
        Py_SETREF(slot->value, value);
    }
    Py_RETURN_NONE;
}

static PyObject *
table_get(Table *self, PyObject *key)
{
    Py_hash_t hash = PyObject_Hash(key);
    PyObject *value;

    if (hash == -1)
        return NULL;
    value = self->room && PyUnicode_Check(key) ? lookup(self->slots, self->room, key, hash)->value : NULL;
    if (value == NULL) {
        PyErr_SetObject(PyExc_KeyError, key);
        return NULL;
    }
    Py_INCREF(value);
    return value;
}

static int
table_traverse(Table *self, visitproc visit, void *arg)
{
    size_t i;

    for (i = 0; i < self->room; i++) {
        Py_VISIT(self->slots[i].key);
        Py_VISIT(self->slots[i].value);
    }
    return 0;
}

static int
table_clear(Table *self)
{
    Slot *slots = self->slots;
    size_t room = self->room, i;

    self->slots = NULL;
    self->room = self->used = 0;
    for (i = 0; i < room; i++) {
        Py_XDECREF(slots[i].key);
        Py_XDECREF(slots[i].value);
    }
    free(slots);
    return 0;
}

static void
table_dealloc(Table *self)
{
    PyObject_GC_UnTrack(self);
    table_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef table_methods[] = {
    {"set", (PyCFunction)table_set, METH_VARARGS, "set(name, value)"},
    {"get", (PyCFunction)table_get, METH_O, "get(name)"},
    {NULL, NULL, 0, NULL}
};

static PyTypeObject Table_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tables.Table",
    .tp_basicsize = sizeof(Table),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_traverse = (traverseproc)table_traverse,
    .tp_clear = (inquiry)table_clear,
    .tp_dealloc = (destructor)table_dealloc,
    .tp_methods = table_methods,
};

/* A class whose dead instances wait on a list; they hold nothing while they wait. */
typedef struct node {
    PyObject_HEAD
    PyObject *value;
    struct node *next;
} Node;

static Node *free_nodes;
static int free_count;

static PyObject *
node_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *value;
    Node *node = free_nodes;

    if (!PyArg_ParseTuple(args, "O", &value))
        return NULL;
    if (node != NULL) {
        free_nodes = node->next;
        free_count--;
        PyObject_Init((PyObject *)node, type);
    } else {
        node = PyObject_New(Node, type);
        if (node == NULL)
            return NULL;
    }
    Py_INCREF(value);
    node->value = value;
    node->next = NULL;
    return (PyObject *)node;
}

static void
node_dealloc(Node *self)
{
    Py_CLEAR(self->value);
    if (free_count < 10) {
        self->next = free_nodes;
        free_nodes = self;
        free_count++;
    } else {
        PyObject_Free(self);
    }
}

static PyMemberDef node_members[] = {
    {"value", T_OBJECT, offsetof(Node, value), READONLY, NULL},
    {NULL}
};

static PyTypeObject Node_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tables.Node",
    .tp_basicsize = sizeof(Node),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = node_new,
    .tp_dealloc = (destructor)node_dealloc,
    .tp_members = node_members,
};

/* Two statics: one counted, filled at the first call, and one that borrows from it. */
static PyObject *own_name;
static PyObject *last_function;     /* borrowed from the module */

static PyObject *
pair(PyObject *self, PyObject *args)
{
    PyObject *a, *b;

    if (!PyArg_ParseTuple(args, "OO", &a, &b))
        return NULL;
    if (own_name == NULL && (own_name = PyUnicode_FromString("pair")) == NULL)
        return NULL;
    last_function = PyDict_GetItemWithError(PyModule_GetDict(self), own_name);
    if (last_function == NULL)
        return NULL;
    return Py_BuildValue("OOO", a, b, last_function);
}

static PyMethodDef methods[] = {
    {"pair", pair, METH_VARARGS, "pair(a, b) -> (a, b, pair)"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "tables", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_tables(void)
{
    PyObject *m = PyModule_Create(&module);

    if (m == NULL)
        return NULL;
    if (PyType_Ready(&Table_Type) < 0 || PyType_Ready(&Node_Type) < 0) {
        Py_DECREF(m);
        return NULL;
    }
    Py_INCREF(&Table_Type);
    PyModule_AddObject(m, "Table", (PyObject *)&Table_Type);
    Py_INCREF(&Node_Type);
    PyModule_AddObject(m, "Node", (PyObject *)&Node_Type);
    return m;
}
