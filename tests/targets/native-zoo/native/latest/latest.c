/* A name of the module is set anew without letting go.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
publish(PyObject *self, PyObject *words)
{
    PyObject *set = PySet_New(words);               /* BUG: new */

    if (set == NULL)
        return NULL;
    if (PyModule_AddObjectRef(self, "words", set) < 0) {    /* does not steal */
        Py_DECREF(set);
        return NULL;
    }
#ifdef FIXED
    Py_DECREF(set);
#endif
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"publish", publish, METH_O, "publish(words): the set of them is latest.words"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "latest", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_latest(void)
{
    return PyModule_Create(&module);
}
