/* Objects in a malloc'd array, held by a class the collector knows nothing of.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>

typedef struct {
    PyObject_HEAD
    Py_ssize_t count, room;
    PyObject **corners;
} Polygon;

static PyObject *
polygon_add(Polygon *self, PyObject *corner)
{
    if (self->count == self->room) {
        Py_ssize_t room = self->room ? 2 * self->room : 4;
        PyObject **corners = realloc(self->corners, room * sizeof *corners);

        if (corners == NULL)
            return PyErr_NoMemory();
        self->corners = corners;
        self->room = room;
    }
    Py_INCREF(corner);
    self->corners[self->count++] = corner;
    Py_RETURN_NONE;
}

static Py_ssize_t
polygon_length(Polygon *self)
{
    return self->count;
}

static int
polygon_clear(Polygon *self)
{
    PyObject **corners = self->corners;
    Py_ssize_t i, count = self->count;

    self->corners = NULL;
    self->count = self->room = 0;
    for (i = 0; i < count; i++)
        Py_DECREF(corners[i]);
    free(corners);
    return 0;
}

#ifdef FIXED
static int
polygon_traverse(Polygon *self, visitproc visit, void *arg)
{
    Py_ssize_t i;

    Py_VISIT(Py_TYPE(self));
    for (i = 0; i < self->count; i++)
        Py_VISIT(self->corners[i]);
    return 0;
}
#endif

static void
polygon_dealloc(Polygon *self)
{
    PyTypeObject *type = Py_TYPE(self);

#ifdef FIXED
    PyObject_GC_UnTrack(self);
#endif
    polygon_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef polygon_methods[] = {
    {"add", (PyCFunction)polygon_add, METH_O, "add(corner)"},
    {NULL, NULL, 0, NULL}
};

static PyType_Slot polygon_slots[] = {
    {Py_tp_dealloc, polygon_dealloc},
    {Py_tp_methods, polygon_methods},
    {Py_sq_length, polygon_length},
#ifdef FIXED
    {Py_tp_traverse, polygon_traverse},
    {Py_tp_clear, polygon_clear},
#endif
    {0, NULL}
};

static PyType_Spec polygon_spec = {
    "polygon.Polygon", sizeof(Polygon), 0,
#ifdef FIXED
    Py_TPFLAGS_HAVE_GC |
#endif
    Py_TPFLAGS_DEFAULT, polygon_slots
};

static PyMethodDef methods[] = {
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "polygon", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_polygon(void)
{
    PyObject *m = PyModule_Create(&module);

    if (m == NULL)
        return NULL;
    PyObject *type = PyType_FromSpec(&polygon_spec);

    if (type == NULL || PyModule_AddObject(m, "Polygon", type) < 0) {
        Py_XDECREF(type);
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
