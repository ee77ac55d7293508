/* The module imported in each call is never released.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
name(PyObject *self, PyObject *unused)
{
    PyObject *platform = PyImport_ImportModule("platform");     /* BUG: new */
    PyObject *result;

    if (platform == NULL)
        return NULL;
    result = PyObject_CallMethod(platform, "system", NULL);
#ifdef FIXED
    Py_DECREF(platform);
#endif
    return result;
}

static PyMethodDef methods[] = {
    {"name", name, METH_NOARGS, "platform.system()"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "platforms", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_platforms(void)
{
    return PyModule_Create(&module);
}
