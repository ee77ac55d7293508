/* The destructor forgets one of two members.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef struct {
    PyObject_HEAD
    PyObject *query;
    PyObject *options;
} Cursor;

static int
cursor_init(Cursor *self, PyObject *args, PyObject *kwargs)
{
    PyObject *query, *options, *old;

    if (!PyArg_ParseTuple(args, "UO!", &query, &PyDict_Type, &options))
        return -1;
    Py_INCREF(query);
    old = self->query;
    self->query = query;
    Py_XDECREF(old);
    Py_INCREF(options);                             /* BUG: never released */
    old = self->options;
    self->options = options;
    Py_XDECREF(old);
    return 0;
}

static void
cursor_dealloc(Cursor *self)
{
    Py_XDECREF(self->query);
#ifdef FIXED
    Py_XDECREF(self->options);
#endif
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
cursor_options(Cursor *self, PyObject *unused)
{
    return PyDict_Copy(self->options);
}

static PyMethodDef cursor_methods[] = {
    {"options", (PyCFunction)cursor_options, METH_NOARGS, "a copy of the options"},
    {NULL, NULL, 0, NULL}
};

static PyTypeObject Cursor_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "cursors.Cursor",
    .tp_basicsize = sizeof(Cursor),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)cursor_init,
    .tp_dealloc = (destructor)cursor_dealloc,
    .tp_methods = cursor_methods,
};

static PyMethodDef methods[] = {
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "cursors", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_cursors(void)
{
    PyObject *m = PyModule_Create(&module);

    if (m == NULL)
        return NULL;
    Py_INCREF(&Cursor_Type);
    if (PyType_Ready(&Cursor_Type) < 0 || PyModule_AddObject(m, "Cursor", (PyObject *)&Cursor_Type) < 0) {
        Py_DECREF(&Cursor_Type);
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
