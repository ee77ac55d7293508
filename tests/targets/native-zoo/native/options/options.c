/* An item borrowed from a tuple is released when all went well.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
asks(PyObject *self, PyObject *args)
{
    PyObject *request, *key, *options;
    int found;

    if (!PyArg_ParseTuple(args, "O!O", &PyTuple_Type, &request, &key))
        return NULL;
    options = PyTuple_GetItem(request, 1);          /* borrowed */
    if (options == NULL)
        return NULL;
    found = PyDict_Contains(options, key);
    if (found < 0)
        return NULL;
    if (!found)
        Py_RETURN_FALSE;
#ifndef FIXED
    Py_DECREF(options);                             /* BUG */
#endif
    Py_RETURN_TRUE;
}

static PyMethodDef methods[] = {
    {"asks", asks, METH_VARARGS, "asks(request, key)"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "options", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_options(void)
{
    return PyModule_Create(&module);
}
