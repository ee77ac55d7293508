/* Threads that wait without the GIL, with references in their C stacks. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>

typedef struct {
    PyObject_HEAD
    pthread_mutex_t lock;
    pthread_cond_t changed;
    PyObject *item;             /* strong, or NULL */
} Box;

static PyObject *
box_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Box *self = (Box *)type->tp_alloc(type, 0);

    if (self != NULL) {
        pthread_mutex_init(&self->lock, NULL);
        pthread_cond_init(&self->changed, NULL);
    }
    return (PyObject *)self;
}

static void
box_dealloc(Box *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_CLEAR(self->item);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *
box_put(Box *self, PyObject *item)
{
    PyObject *old;

    Py_INCREF(item);
    pthread_mutex_lock(&self->lock);
    old = self->item;
    self->item = item;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *
box_wait(Box *self, PyObject *args)
{
    PyObject *call, *kept, *name, *item, *result;

    if (!PyArg_ParseTuple(args, "OOO", &call, &kept, &name))
        return NULL;
    kept = PySequence_List(kept);       /* ours alone, in a register or on this stack */
    name = PyUnicode_FromFormat("%U waits", name);
    if (kept == NULL || name == NULL) {
        Py_XDECREF(kept);
        Py_XDECREF(name);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&self->lock);
    while (self->item == NULL)
        pthread_cond_wait(&self->changed, &self->lock);
    item = self->item;
    self->item = NULL;
    pthread_mutex_unlock(&self->lock);
    Py_END_ALLOW_THREADS
    result = PyList_Append(kept, name) < 0 ? NULL : PyObject_CallFunctionObjArgs(call, item, NULL);
    Py_DECREF(kept);
    Py_DECREF(name);
    Py_DECREF(item);
    if (result == NULL)
        return NULL;
    Py_DECREF(result);
    Py_RETURN_TRUE;
}

static PyMethodDef box_methods[] = {
    {"put", (PyCFunction)box_put, METH_O, "put(item)"},
    {"wait", (PyCFunction)box_wait, METH_VARARGS, "wait(call, kept, name): call(item) for the next item"},
    {NULL, NULL, 0, NULL}
};

static PyType_Slot box_slots[] = {
    {Py_tp_new, box_new},
    {Py_tp_dealloc, box_dealloc},
    {Py_tp_methods, box_methods},
    {0, NULL}
};

static PyType_Spec box_spec = {"workers.Box", sizeof(Box), 0, Py_TPFLAGS_DEFAULT, box_slots};

static PyMethodDef methods[] = {
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "workers", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_workers(void)
{
    PyObject *m = PyModule_Create(&module);

    if (m == NULL)
        return NULL;
    PyObject *type = PyType_FromSpec(&box_spec);

    if (type == NULL || PyModule_AddObject(m, "Box", type) < 0) {
        Py_XDECREF(type);
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
