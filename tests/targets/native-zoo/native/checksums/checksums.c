/* PyDict_SetItemString() is given a reference of its own, kept.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
of(PyObject *self, PyObject *text)
{
    char *bytes;
    Py_ssize_t size, i;
    unsigned char sum[20] = {1};
    PyObject *result, *number;

    if (PyBytes_AsStringAndSize(text, &bytes, &size) < 0)
        return NULL;
    for (i = 0; i < size; i++)
        sum[i % 20] ^= (unsigned char)bytes[i];
    if ((result = PyDict_New()) == NULL)
        return NULL;
    number = PyLong_FromSsize_t(size);
    if (number == NULL || PyDict_SetItemString(result, "size", number) < 0)
        goto failed;
    Py_DECREF(number);
    number = _PyLong_FromByteArray(sum, sizeof sum, 1, 0);  /* BUG: new */
    if (number == NULL || PyDict_SetItemString(result, "sum", number) < 0)
        goto failed;
#ifdef FIXED
    Py_DECREF(number);
#endif
    return result;

failed:
    Py_XDECREF(number);
    Py_DECREF(result);
    return NULL;
}

static PyMethodDef methods[] = {
    {"of", of, METH_O, "of(bytes) -> {size, sum}"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "checksums", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_checksums(void)
{
    return PyModule_Create(&module);
}
