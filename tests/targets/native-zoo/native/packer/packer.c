/* PyTuple_Pack() does not steal, and its items are kept.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
split(PyObject *self, PyObject *numbers)
{
    PyObject *odd, *even, *pair = NULL;
    Py_ssize_t i;

    if (!PyList_Check(numbers))
        return PyErr_Format(PyExc_TypeError, "a list is wanted");
    odd = PyList_New(0);                            /* BUG: new */
    even = PyDict_New();
    if (odd == NULL || even == NULL)
        goto done;
    for (i = 0; i < PyList_GET_SIZE(numbers); i++) {
        PyObject *number = PyList_GET_ITEM(numbers, i);
        long value = PyLong_AsLong(number);

        if (value == -1 && PyErr_Occurred())
            goto done;
        if ((value & 1 ? PyList_Append(odd, number) : PyDict_SetItem(even, number, Py_None)) < 0)
            goto done;
    }
    pair = PyTuple_Pack(2, odd, even);
#ifndef FIXED
    if (pair != NULL)
        return pair;
#endif
done:
    Py_XDECREF(odd);
    Py_XDECREF(even);
    return pair;
}

static PyMethodDef methods[] = {
    {"split", split, METH_O, "split(list) -> (odd, {even: None})"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "packer", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_packer(void)
{
    return PyModule_Create(&module);
}
