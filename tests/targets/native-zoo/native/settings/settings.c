/* The attribute read from its owner is never released.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
limit(PyObject *self, PyObject *owner)
{
    PyObject *settings = PyObject_GetAttrString(owner, "settings");  /* BUG: new */
    PyObject *value;

    if (settings == NULL)
        return NULL;
    value = PyObject_GetAttrString(settings, "limit");
#ifdef FIXED
    Py_DECREF(settings);
#endif
    return value;
}

static PyMethodDef methods[] = {
    {"limit", limit, METH_O, "limit(owner) -> owner.settings.limit"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "settings", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_settings(void)
{
    return PyModule_Create(&module);
}
