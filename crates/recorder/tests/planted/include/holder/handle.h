// A header of somebody else's: counts references for those who use it.
#pragma once
#include <Python.h>

namespace holder {

class handle {
public:
    explicit handle(PyObject *p) : p_(p) {}

    inline const handle &inc_ref() const
    {
        Py_INCREF(p_);
        return *this;
    }

    inline const handle &dec_ref() const
    {
        Py_DECREF(p_);
        return *this;
    }

    PyObject *ptr() const { return p_; }

private:
    PyObject *p_;
};

}  // namespace holder
