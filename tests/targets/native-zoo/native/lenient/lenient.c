/* The error fetched to be ignored is never released.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
get(PyObject *self, PyObject *args)
{
    PyObject *table, *key, *other, *found;
    PyObject *type, *value, *trace;

    if (!PyArg_ParseTuple(args, "OOO", &table, &key, &other))
        return NULL;
    found = PyObject_GetItem(table, key);
    if (found != NULL)
        return found;
    PyErr_Fetch(&type, &value, &trace);             /* BUG: three references */
    if (!PyErr_GivenExceptionMatches(type, PyExc_LookupError)) {
        PyErr_Restore(type, value, trace);
        return NULL;
    }
    Py_DECREF(type);
#ifdef FIXED
    Py_XDECREF(value);
    Py_XDECREF(trace);
#endif
    Py_INCREF(other);
    return other;
}

static PyMethodDef methods[] = {
    {"get", get, METH_VARARGS, "get(table, key, other)"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "lenient", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_lenient(void)
{
    return PyModule_Create(&module);
}
