/* Tp_traverse forgets the callback.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef struct {
    PyObject_HEAD
    PyObject *name;
    PyObject *call;
} Signal;

static PyObject *
signal_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *name;
    Signal *self;

    if (!PyArg_ParseTuple(args, "O", &name))
        return NULL;
    self = (Signal *)type->tp_alloc(type, 0);
    if (self != NULL) {
        Py_INCREF(name);
        self->name = name;
    }
    return (PyObject *)self;
}

static int
signal_traverse(Signal *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->name);
#ifdef FIXED
    Py_VISIT(self->call);
#endif
    return 0;
}

static int
signal_clear(Signal *self)
{
    Py_CLEAR(self->name);
    Py_CLEAR(self->call);
    return 0;
}

static void
signal_dealloc(Signal *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    signal_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *
signal_connect(Signal *self, PyObject *call)
{
    Py_INCREF(call);
    Py_XSETREF(self->call, call);
    Py_RETURN_NONE;
}

static PyObject *
signal_emit(Signal *self, PyObject *value)
{
    if (self->call == NULL)
        Py_RETURN_NONE;
    return PyObject_CallOneArg(self->call, value);
}

static PyMethodDef signal_methods[] = {
    {"connect", (PyCFunction)signal_connect, METH_O, "connect(callable)"},
    {"emit", (PyCFunction)signal_emit, METH_O, "emit(value)"},
    {NULL, NULL, 0, NULL}
};

static PyType_Slot signal_slots[] = {
    {Py_tp_new, signal_new},
    {Py_tp_dealloc, signal_dealloc},
    {Py_tp_traverse, signal_traverse},
    {Py_tp_clear, signal_clear},
    {Py_tp_methods, signal_methods},
    {0, NULL}
};

static PyType_Spec signal_spec = {
    "signals.Signal", sizeof(Signal), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, signal_slots
};

static PyMethodDef methods[] = {
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "signals", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_signals(void)
{
    PyObject *m = PyModule_Create(&module);

    if (m == NULL)
        return NULL;
    PyObject *type = PyType_FromSpec(&signal_spec);

    if (type == NULL || PyModule_AddObject(m, "Signal", type) < 0) {
        Py_XDECREF(type);
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
