/* Interned names, classes made at import, a cache of 600 that fills. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *x_name, *refused, *cache, *point;      /* all strong, for good */

static PyStructSequence_Field point_fields[] = {
    {"x", "across"}, {"y", "up"}, {NULL}
};

static PyStructSequence_Desc point_desc = {"names.PointRecord", NULL, point_fields, 2};

static PyObject *
label(PyObject *self, PyObject *number)
{
    PyObject *found = PyDict_GetItemWithError(cache, number);
    PyObject *text;

    if (found != NULL)
        return Py_NewRef(found);
    if (PyErr_Occurred())
        return NULL;
    text = PyUnicode_FromFormat("%S!", number);
    if (text == NULL)
        return NULL;
    if (PyDict_GET_SIZE(cache) < 600 && PyDict_SetItem(cache, number, text) < 0)
        Py_CLEAR(text);
    return text;
}

static PyObject *
refuse(PyObject *self, PyObject *what)
{
    PyErr_SetObject(refused, what);
    return NULL;
}

static PyObject *
make_point(PyObject *self, PyObject *args)
{
    PyObject *x, *y, *record, *again;

    if (!PyArg_ParseTuple(args, "OO", &x, &y))
        return NULL;
    record = PyStructSequence_New((PyTypeObject *)point);
    if (record == NULL)
        return NULL;
    PyStructSequence_SetItem(record, 0, Py_NewRef(x));  /* steals */
    PyStructSequence_SetItem(record, 1, Py_NewRef(y));
    again = PyObject_GetAttr(record, x_name);
    if (again == NULL) {
        Py_DECREF(record);
        return NULL;
    }
    Py_DECREF(again);
    return record;
}

static PyMethodDef methods[] = {
    {"label", label, METH_O, "label(number)"},
    {"refuse", refuse, METH_O, "raises Refused"},
    {"Point", make_point, METH_VARARGS, "Point(x, y)"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "names", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_names(void)
{
    PyObject *m = PyModule_Create(&module);

    if (m == NULL)
        return NULL;
    x_name = PyUnicode_InternFromString("x");
    cache = PyDict_New();
    refused = PyErr_NewException("names.Refused", NULL, NULL);
    point = (PyObject *)PyStructSequence_NewType(&point_desc);
    if (x_name == NULL || cache == NULL || refused == NULL || point == NULL
            || PyModule_AddObjectRef(m, "Refused", refused) < 0) {
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
