/* An item borrowed from a list is released.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
scale(PyObject *self, PyObject *args)
{
    PyObject *units, *unit, *result;
    Py_ssize_t index;

    if (!PyArg_ParseTuple(args, "O!n", &PyList_Type, &units, &index))
        return NULL;
    unit = PyList_GetItem(units, index);            /* borrowed */
    if (unit == NULL)
        return NULL;
    result = PyObject_GetAttrString(unit, "scale");
#ifndef FIXED
    Py_DECREF(unit);                                /* BUG */
#endif
    return result;
}

static PyMethodDef methods[] = {
    {"scale", scale, METH_VARARGS, "scale(units, index)"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "units", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_units(void)
{
    return PyModule_Create(&module);
}
