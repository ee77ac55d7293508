/* The buffer is lost when what follows is refused.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
decode(PyObject *self, PyObject *args)
{
    const char *mark;
    Py_ssize_t size, wanted;
    PyObject *block;

    if (!PyArg_ParseTuple(args, "y#n", &mark, &size, &wanted))
        return NULL;
    block = PyBytes_FromStringAndSize(NULL, wanted);    /* BUG: new */
    if (block == NULL)
        return NULL;
    memset(PyBytes_AS_STRING(block), size ? mark[0] : 0, wanted);
    if (size != 1 || mark[0] != 'b') {
#ifdef FIXED
        Py_DECREF(block);
#endif
        PyErr_SetString(PyExc_ValueError, "no such block");
        return NULL;
    }
    return block;
}

static PyMethodDef methods[] = {
    {"decode", decode, METH_VARARGS, "decode(mark, size) -> bytes"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "blocks", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_blocks(void)
{
    return PyModule_Create(&module);
}
