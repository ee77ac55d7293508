/* Py_BuildValue("O") adds a reference to the one that is kept.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *decimal;       /* the class, for good */

static PyObject *
with_tax(PyObject *self, PyObject *text)
{
    PyObject *net, *gross, *rate;

    if ((rate = PyObject_CallFunction(decimal, "s", "1.19")) == NULL)
        return NULL;
    net = PyObject_CallFunctionObjArgs(decimal, text, NULL);
    if (net == NULL) {
        Py_DECREF(rate);
        return NULL;
    }
    gross = PyNumber_Multiply(net, rate);           /* BUG: new */
    Py_DECREF(rate);
    if (gross == NULL) {
        Py_DECREF(net);
        return NULL;
    }
#ifdef FIXED
    return Py_BuildValue("NN", net, gross);
#else
    return Py_BuildValue("NO", net, gross);
#endif
}

static PyMethodDef methods[] = {
    {"with_tax", with_tax, METH_O, "with_tax(text) -> (net, gross)"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "prices", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_prices(void)
{
    PyObject *m = PyModule_Create(&module);

    if (m == NULL)
        return NULL;
    PyObject *from = PyImport_ImportModule("decimal");
    decimal = from ? PyObject_GetAttrString(from, "Decimal") : NULL;
    Py_XDECREF(from);
    if (decimal == NULL) {
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
