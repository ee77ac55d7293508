// Fields of a row, converted.  Build with -DFIXED for the correct code.
#include <pybind11/pybind11.h>
#include <vector>

namespace py = pybind11;

namespace {

class Row {
public:
    void take(py::object field) {
#ifdef FIXED
        fields_.push_back(std::move(field));
#else
        fields_.push_back(field.release().ptr());       /* BUG: lost when we throw */
#endif
    }

    py::tuple finish() {
        py::tuple result(fields_.size());
        for (std::size_t i = 0; i < fields_.size(); i++) {
#ifdef FIXED
            result[i] = fields_[i];
#else
            PyTuple_SET_ITEM(result.ptr(), i, fields_[i]);
#endif
        }
        return result;
    }

private:
#ifdef FIXED
    std::vector<py::object> fields_;
#else
    std::vector<PyObject *> fields_;
#endif
};

py::tuple row(py::list texts, py::object convert)
{
    Row made;
    for (py::handle text : texts)
        made.take(convert(text));
    return made.finish();
}

}  // namespace

PYBIND11_MODULE(scanner, m)
{
    m.def("row", &row);
}
