/* What PyIter_Next() returns is never released.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
beyond(PyObject *self, PyObject *args)
{
    PyObject *stations, *limit, *iter, *station, *km;
    int more;

    if (!PyArg_ParseTuple(args, "OO", &stations, &limit))
        return NULL;
    if ((iter = PyObject_GetIter(stations)) == NULL)
        return NULL;
    while ((station = PyIter_Next(iter)) != NULL) {     /* BUG: new */
        km = PyObject_GetAttrString(station, "km");
        more = km == NULL ? -1 : PyObject_RichCompareBool(km, limit, Py_GT);
        Py_XDECREF(km);
        if (more > 0) {
            Py_DECREF(iter);
            return station;
        }
#ifdef FIXED
        Py_DECREF(station);
#endif
        if (more < 0) {
            Py_DECREF(iter);
            return NULL;
        }
    }
    Py_DECREF(iter);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"beyond", beyond, METH_VARARGS, "beyond(stations, km) -> the first station beyond"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "stations", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_stations(void)
{
    return PyModule_Create(&module);
}
