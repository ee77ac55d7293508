/* The callback is kept when it raises.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
call(PyObject *self, PyObject *args)
{
    PyObject *what, *result;
    int times;

    if (!PyArg_ParseTuple(args, "Oi", &what, &times))
        return NULL;
    while (times-- > 0) {
        Py_INCREF(what);                            /* BUG: kept on failure */
        result = PyObject_CallNoArgs(what);
        if (result != NULL) {
            Py_DECREF(what);
            return result;
        }
        if (times > 0)
            PyErr_Clear();
#ifdef FIXED
        Py_DECREF(what);
#endif
    }
    return NULL;
}

static PyMethodDef methods[] = {
    {"call", call, METH_VARARGS, "call(what, times)"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "retry", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_retry(void)
{
    return PyModule_Create(&module);
}
