// Nodes in shared_ptr, callbacks in std::function, Python objects in maps.  Correct.
#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace py = pybind11;

namespace {

class Node {
public:
    virtual ~Node() = default;
    virtual double weight() const { return 0.5; }
};

class PyNode : public Node {
public:
    using Node::Node;
    double weight() const override { PYBIND11_OVERRIDE(double, Node, weight); }
};

class Graph {
public:
    void add(std::shared_ptr<Node> node, py::object self) {
        nodes_.push_back({std::move(node), std::move(self)});
    }
    void on_visit(std::function<void(py::object)> call) { call_ = std::move(call); }
    void tag(const std::string &name, py::object value) { tags_[name] = std::move(value); }
    py::object tagged(const std::string &name) const {
        auto found = tags_.find(name);
        if (found == tags_.end())
            throw py::key_error(name);
        return found->second;
    }
    double total() const {
        double sum = 0;
        for (const auto &pair : nodes_) {
            sum += pair.first->weight();
            if (call_)
                call_(pair.second);
        }
        return sum;
    }

private:
    std::vector<std::pair<std::shared_ptr<Node>, py::object>> nodes_;
    std::function<void(py::object)> call_;
    std::map<std::string, py::object> tags_;
};

}  // namespace

PYBIND11_MODULE(graph, m)
{
    py::class_<Node, PyNode, std::shared_ptr<Node>>(m, "Node").def(py::init<>()).def("weight", &Node::weight);
    py::class_<Graph>(m, "Graph")
        .def(py::init<>())
        .def("add", [](Graph &g, py::object node) { g.add(node.cast<std::shared_ptr<Node>>(), node); })
        .def("on_visit", &Graph::on_visit)
        .def("tag", &Graph::tag)
        .def("tagged", &Graph::tagged)
        .def("total", &Graph::total);
}
