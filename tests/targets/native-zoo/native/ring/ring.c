/* PyList_SetItem() steals, and is given one reference too many.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
put(PyObject *self, PyObject *args)
{
    PyObject *slots, *item;
    Py_ssize_t index;

    if (!PyArg_ParseTuple(args, "O!nO", &PyList_Type, &slots, &index, &item))
        return NULL;
    Py_INCREF(item);                                /* for the list, which steals */
#ifndef FIXED
    Py_INCREF(item);                                /* BUG */
#endif
    if (PyList_SetItem(slots, index, item) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"put", put, METH_VARARGS, "put(slots, index, item)"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "ring", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_ring(void)
{
    return PyModule_Create(&module);
}
