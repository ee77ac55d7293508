// A static map of C++ remembers every answer.  Build with -DFIXED for the correct code.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string>
#include <unordered_map>

static std::unordered_map<std::string, PyObject *> remembered;

static PyObject *
split(PyObject *self, PyObject *line)
{
    char *text;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(line, &text, &size) < 0)
        return nullptr;
    std::string key(text, size);
    auto found = remembered.find(key);
    if (found == remembered.end()) {
        PyObject *str = PyUnicode_DecodeUTF8(text, size, nullptr);
        if (str == nullptr)
            return nullptr;
        PyObject *words = PyUnicode_Split(str, nullptr, -1);
        Py_DECREF(str);
        if (words == nullptr)
            return nullptr;
#ifdef FIXED
        if (remembered.size() >= 10) {
            Py_DECREF(remembered.begin()->second);
            remembered.erase(remembered.begin());
        }
#endif
        found = remembered.emplace(key, words).first;   /* BUG: without bound */
    }
    Py_INCREF(found->second);
    return found->second;
}

static PyMethodDef methods[] = {
    {"split", split, METH_O, "split(line) -> words"},
    {NULL, NULL, 0, NULL}
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "memo", NULL, -1, methods
};

PyMODINIT_FUNC
PyInit_memo(void)
{
    return PyModule_Create(&module);
}
