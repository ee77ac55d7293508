/* A class made by calling type() is not released after its instance is made.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
answer(PyObject *self, PyObject *args)
{
    PyObject *name, *key, *value, *type, *result;

    if (!PyArg_ParseTuple(args, "UUO", &name, &key, &value))
        return NULL;
    type = PyObject_CallFunction((PyObject *)&PyType_Type, "O(O){OO}",     /* BUG: new */
                                 name, &PyBaseObject_Type, key, value);
    if (type == NULL)
        return NULL;
    result = PyObject_CallNoArgs(type);
#ifdef FIXED
    Py_DECREF(type);
#endif
    return result;
}

static PyMethodDef methods[] = {
    {"answer", answer, METH_VARARGS, "answer(name, key, value) -> an instance of a new class"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "enums", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_enums(void)
{
    return PyModule_Create(&module);
}
