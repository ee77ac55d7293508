/* The None that a method returned is never released.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
copy_sorted(PyObject *self, PyObject *list)
{
    PyObject *copy = PySequence_List(list);
    PyObject *done;

    if (copy == NULL)
        return NULL;
    done = PyObject_CallMethod(copy, "sort", NULL);     /* BUG: new */
    if (done == NULL)
        Py_CLEAR(copy);
#ifdef FIXED
    Py_XDECREF(done);
#endif
    return copy;
}

static PyMethodDef methods[] = {
    {"sorted", copy_sorted, METH_O, "sorted(list) -> list"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "sorter", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_sorter(void)
{
    return PyModule_Create(&module);
}
