/* Functions with one planted mistake each, and healthy ones.  The word "guilty" marks the
 * lines that a recording should name. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

static PyObject *kept;     /* a reference of this module's own */
static PyObject *label;

/* Where the next object of so many bytes will be born. */
static PyObject *
next_address(PyObject *self, PyObject *arg)
{
    void *p = PyObject_Malloc(PyLong_AsSize_t(arg));
    PyObject_Free(p);
    return PyLong_FromVoidPtr(p);
}

static inline __attribute__((always_inline)) PyObject *
text(char c)
{
    char buffer[200];
    memset(buffer, c, sizeof buffer);
    return PyUnicode_FromStringAndSize(buffer, sizeof buffer);
}

static PyObject *
append_kept(PyObject *self, PyObject *args)
{
    PyObject *list = PyList_New(0);
    PyObject *item = text('a');         /* guilty append_kept */
    if (PyList_Append(list, item) < 0)
        return NULL;
    return list;
}

static PyObject *
getter_twice(PyObject *self, PyObject *args)
{
    Py_INCREF(label);                   /* guilty getter_twice */
    Py_INCREF(label);                   /* guilty getter_twice */
    return label;
}

static PyObject *
has(PyObject *self, PyObject *args)
{
    PyObject *dict, *key, *value;
    if (!PyArg_ParseTuple(args, "OO", &dict, &key))
        return NULL;
    value = PyDict_GetItem(dict, key);
    if (value == NULL)
        Py_RETURN_FALSE;
    Py_DECREF(value);                   /* guilty has */
    Py_RETURN_TRUE;
}

static PyObject *
error_path(PyObject *self, PyObject *arg)
{
    PyObject *temporary = text('e');    /* guilty error_path */
    if (PyObject_IsTrue(arg)) {
        PyErr_SetString(PyExc_ValueError, "as planted");
        return NULL;
    }
    Py_DECREF(temporary);
    Py_RETURN_NONE;
}

static PyObject *
set_string(PyObject *self, PyObject *arg)
{
    PyObject *value = text('s');        /* guilty set_string */
    if (PyDict_SetItemString(arg, "value", value) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
build_kept(PyObject *self, PyObject *args)
{
    PyObject *value = text('b');        /* guilty build_kept */
    return Py_BuildValue("(Oi)", value, 1);
}

static PyObject *
released_twice(PyObject *self, PyObject *arg)
{
    Py_INCREF(arg);
    if (PyObject_Hash(arg) == -1)
        PyErr_Clear();
    Py_DECREF(arg);                     /* guilty released_twice */
    Py_DECREF(arg);                     /* guilty released_twice */
    Py_RETURN_NONE;
}

static PyObject *
taken_only(PyObject *self, PyObject *arg)
{
    Py_INCREF(arg);                     /* guilty taken_only */
    Py_RETURN_NONE;
}

static PyObject *
stolen(PyObject *self, PyObject *arg)
{
    PyObject *tuple = PyTuple_New(1);
    PyTuple_SetItem(tuple, 0, arg);     /* steals what is borrowed */
    return tuple;
}

/* From here on all is well. */

static PyObject *
keep(PyObject *self, PyObject *arg)
{
    PyObject *old = kept;
    Py_INCREF(arg);
    kept = arg;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *
drop(PyObject *self, PyObject *args)
{
    Py_CLEAR(kept);
    Py_RETURN_NONE;
}

static PyObject *
get(PyObject *self, PyObject *args)
{
    PyObject *result = kept == NULL ? Py_None : kept;
    Py_INCREF(result);
    return result;
}

static PyObject *
make_list(PyObject *self, PyObject *args)
{
    PyObject *list = PyList_New(0);
    PyObject *item = text('a');
    int failed = PyList_Append(list, item);
    Py_DECREF(item);
    return failed ? NULL : list;
}

static PyObject *
make_tuple(PyObject *self, PyObject *args)
{
    return Py_BuildValue("(Ni)", text('b'), 1);
}

static PyObject *
call_with(PyObject *self, PyObject *function)
{
    PyObject *item = text('c');
    PyObject *result = PyObject_CallFunctionObjArgs(function, item, NULL);
    Py_DECREF(item);
    return result;
}

static PyMethodDef methods[] = {
    {"next_address", next_address, METH_O, NULL},
    {"append_kept", append_kept, METH_NOARGS, NULL},
    {"getter_twice", getter_twice, METH_NOARGS, NULL},
    {"has", has, METH_VARARGS, NULL},
    {"error_path", error_path, METH_O, NULL},
    {"set_string", set_string, METH_O, NULL},
    {"build_kept", build_kept, METH_NOARGS, NULL},
    {"released_twice", released_twice, METH_O, NULL},
    {"taken_only", taken_only, METH_O, NULL},
    {"stolen", stolen, METH_O, NULL},
    {"keep", keep, METH_O, NULL},
    {"drop", drop, METH_NOARGS, NULL},
    {"get", get, METH_NOARGS, NULL},
    {"make_list", make_list, METH_NOARGS, NULL},
    {"make_tuple", make_tuple, METH_NOARGS, NULL},
    {"call_with", call_with, METH_O, NULL},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "planted", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_planted(void)
{
    label = text('l');
    PyObject *m = PyModule_Create(&module);
    Py_INCREF(label);
    PyModule_AddObject(m, "label", label);
    return m;
}
