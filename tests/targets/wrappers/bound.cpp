#include <memory>
#include <pybind11/pybind11.h>
#include "shapes.h"

namespace py = pybind11;
namespace drawing {
struct Pen { int width = 1; uintptr_t where() const { return (uintptr_t)this; } };
}

PYBIND11_MODULE(bound, m) {
    py::class_<Shape>(m, "Shape")
        .def(py::init<int>())
        .def("where", &Shape::where);
    py::class_<drawing::Pen, std::shared_ptr<drawing::Pen>>(m, "Pen")
        .def(py::init<>())
        .def("where", &drawing::Pen::where);
    py::class_<Board>(m, "Board")
        .def(py::init<>())
        .def("first", &Board::first, py::return_value_policy::reference_internal)
        .def("inside", &Board::inside, py::return_value_policy::reference_internal);
    m.def("lost", &make_shape, py::return_value_policy::reference);
    m.def("taken", &make_shape, py::return_value_policy::take_ownership);
}
