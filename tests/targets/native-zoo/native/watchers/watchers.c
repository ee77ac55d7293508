/* A weak reference with a callback is made and lost.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
watch(PyObject *self, PyObject *args)
{
    PyObject *what, *callback, *ref;

    if (!PyArg_ParseTuple(args, "OO", &what, &callback))
        return NULL;
    ref = PyWeakref_NewRef(what, callback);         /* BUG: new */
    if (ref == NULL)
        return NULL;
#ifdef FIXED
    Py_DECREF(ref);
#endif
    Py_RETURN_TRUE;
}

static PyMethodDef methods[] = {
    {"watch", watch, METH_VARARGS, "watch(object, callback)"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "watchers", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_watchers(void)
{
    return PyModule_Create(&module);
}
