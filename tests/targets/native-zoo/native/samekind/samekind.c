/* The class that PyObject_Type() returned is never released.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
same(PyObject *self, PyObject *args)
{
    PyObject *a, *b;
    PyObject *left, *right;
    int equal;

    if (!PyArg_ParseTuple(args, "OO", &a, &b))
        return NULL;
    left = PyObject_Type(a);                        /* BUG: new */
    right = PyObject_Type(b);
    equal = left == right;
#ifdef FIXED
    Py_DECREF(left);
    Py_DECREF(right);
#endif
    return PyBool_FromLong(equal);
}

static PyMethodDef methods[] = {
    {"same", same, METH_VARARGS, "same(a, b): are they of one class?"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "samekind", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_samekind(void)
{
    return PyModule_Create(&module);
}
