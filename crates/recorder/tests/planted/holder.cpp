// A wrapper class in a header, as binding libraries have it, and its user with a mistake.
#include <Python.h>
#include "holder/handle.h"

namespace planted {

class Axis {
public:
    explicit Axis(PyObject *label) : label_(label) { label_.inc_ref(); }

    PyObject *label() const
    {
        return holder::handle(label_).inc_ref().inc_ref().ptr();    /* guilty label */
    }

private:
    holder::handle label_;
};

}  // namespace planted

static planted::Axis *axis;

static PyObject *
make(PyObject *self, PyObject *label)
{
    delete axis;
    axis = new planted::Axis(label);
    Py_RETURN_NONE;
}

static PyObject *
axis_label(PyObject *self, PyObject *args)
{
    return axis->label();
}

static PyMethodDef methods[] = {
    {"make", make, METH_O, nullptr},
    {"label", axis_label, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "holder", nullptr, -1, methods};

PyMODINIT_FUNC
PyInit_holder(void)
{
    return PyModule_Create(&module);
}
