/* An object from the free list does not count its class.  Build with -DFIXED for the correct code. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <structmember.h>

typedef struct vec {
    PyObject_HEAD
    double x, y;
    struct vec *next;
} Vec;

static Vec *free_list;
static int free_count;

static PyObject *
vec_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    double x, y;
    Vec *v;

    if (!PyArg_ParseTuple(args, "dd", &x, &y))
        return NULL;
    if (free_list != NULL) {
        v = free_list;
        free_list = v->next;
        free_count--;
        v->ob_base.ob_type = type;
#ifdef FIXED
        Py_INCREF(type);
#endif
        _Py_NewReference((PyObject *)v);            /* BUG: the class is not counted */
    } else {
        v = (Vec *)type->tp_alloc(type, 0);
        if (v == NULL)
            return NULL;
    }
    v->x = x;
    v->y = y;
    v->next = NULL;
    return (PyObject *)v;
}

static void
vec_dealloc(Vec *self)
{
    PyTypeObject *type = Py_TYPE(self);

    if (free_count < 16) {
        self->next = free_list;
        free_list = self;
        free_count++;
    } else {
        type->tp_free((PyObject *)self);
    }
    Py_DECREF(type);
}

static PyMemberDef vec_members[] = {
    {"x", T_DOUBLE, offsetof(Vec, x), READONLY, NULL},
    {"y", T_DOUBLE, offsetof(Vec, y), READONLY, NULL},
    {NULL}
};

static PyType_Slot vec_slots[] = {
    {Py_tp_new, vec_new},
    {Py_tp_dealloc, vec_dealloc},
    {Py_tp_members, vec_members},
    {0, NULL}
};

static PyType_Spec vec_spec = {"pool.Vec", sizeof(Vec), 0, Py_TPFLAGS_DEFAULT, vec_slots};

static PyMethodDef methods[] = {
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "pool", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_pool(void)
{
    PyObject *m = PyModule_Create(&module);

    if (m == NULL)
        return NULL;
    PyObject *type = PyType_FromSpec(&vec_spec);

    if (type == NULL || PyModule_AddObject(m, "Vec", type) < 0) {
        Py_XDECREF(type);
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
