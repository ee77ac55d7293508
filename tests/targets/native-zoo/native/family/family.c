/* Two classes without tp_traverse that hold each other.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef struct person {
    PyObject_HEAD
    long age;
    PyObject *other;
} Person;

static PyTypeObject Parent_Type, Child_Type;

static int
person_clear(Person *self)
{
    Py_CLEAR(self->other);
    return 0;
}

#ifdef FIXED
static int
person_traverse(Person *self, visitproc visit, void *arg)
{
    Py_VISIT(self->other);
    return 0;
}
#endif

static void
person_dealloc(Person *self)
{
#ifdef FIXED
    PyObject_GC_UnTrack(self);
#endif
    person_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
parent_adopt(Person *self, PyObject *child)
{
    if (!PyObject_TypeCheck(child, &Child_Type))
        return PyErr_Format(PyExc_TypeError, "a Child is wanted");
    Py_INCREF(child);
    Py_XSETREF(self->other, child);
    Py_INCREF(self);
    Py_XSETREF(((Person *)child)->other, (PyObject *)self);
    Py_RETURN_NONE;
}

static PyObject *
child_parent(Person *self, PyObject *unused)
{
    PyObject *parent = self->other ? self->other : Py_None;

    Py_INCREF(parent);
    return parent;
}

static PyMethodDef parent_methods[] = {
    {"adopt", (PyCFunction)parent_adopt, METH_O, "adopt(child)"},
    {NULL, NULL, 0, NULL}
};

static PyMethodDef child_methods[] = {
    {"parent", (PyCFunction)child_parent, METH_NOARGS, "parent() -> Parent or None"},
    {NULL, NULL, 0, NULL}
};

#ifdef FIXED
#define COLLECTED \
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, \
    .tp_traverse = (traverseproc)person_traverse, \
    .tp_clear = (inquiry)person_clear
#else
#define COLLECTED .tp_flags = Py_TPFLAGS_DEFAULT
#endif

static PyTypeObject Parent_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "family.Parent",
    .tp_basicsize = sizeof(Person),
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)person_dealloc,
    .tp_methods = parent_methods,
    COLLECTED,
};

static PyTypeObject Child_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "family.Child",
    .tp_basicsize = sizeof(Person),
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)person_dealloc,
    .tp_methods = child_methods,
    COLLECTED,
};

static PyMethodDef methods[] = {
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "family", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_family(void)
{
    PyObject *m = PyModule_Create(&module);

    if (m == NULL)
        return NULL;
    if (PyType_Ready(&Parent_Type) < 0 || PyType_Ready(&Child_Type) < 0) {
        Py_DECREF(m);
        return NULL;
    }
    Py_INCREF(&Parent_Type);
    PyModule_AddObject(m, "Parent", (PyObject *)&Parent_Type);
    Py_INCREF(&Child_Type);
    PyModule_AddObject(m, "Child", (PyObject *)&Child_Type);
    return m;
}
