/* Callbacks for the end are kept in a static array, each call adds one.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>

static PyObject **calls;        /* strong, in order */
static Py_ssize_t count, room;

static PyObject *
add(PyObject *self, PyObject *call)
{
    if (count == room) {
        Py_ssize_t more = room ? 2 * room : 8;
        PyObject **grown = realloc(calls, more * sizeof *calls);

        if (grown == NULL)
            return PyErr_NoMemory();
        calls = grown;
        room = more;
    }
    Py_INCREF(call);                                /* BUG: nobody removes it */
    calls[count++] = call;
    Py_RETURN_NONE;
}

static PyObject *
unregister_done(PyObject *self, PyObject *unused)
{
#ifdef FIXED
    while (count > 0)
        Py_DECREF(calls[--count]);
#endif
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"register", add, METH_O, "register(callable)"},
    {"unregister_done", unregister_done, METH_NOARGS, "forget what was done"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "atend", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_atend(void)
{
    return PyModule_Create(&module);
}
