// Numbers as text.  Build with -DFIXED for the correct code.
#include <pybind11/pybind11.h>

namespace py = pybind11;

static py::object length(double number, const char *unit)
{
    py::float_ value(number);
    PyObject *text = PyUnicode_FromFormat("%R %s", value.ptr(), unit);  // new
    if (text == nullptr)
        throw py::error_already_set();
#ifdef FIXED
    return py::reinterpret_steal<py::object>(text);
#else
    return py::reinterpret_borrow<py::object>(text);    /* BUG */
#endif
}

PYBIND11_MODULE(formats, m)
{
    m.def("length", &length);
}
