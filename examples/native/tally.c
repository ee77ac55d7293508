/* Counts words, in C by hand.  One reference is lost for each word; with -DFIXED none.
   docs/NATIVE.md finds the line. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

/* One more of `word` in `counts`; -1 with an exception set. */
static int
count_word(PyObject *counts, const char *word, Py_ssize_t length)
{
    PyObject *key = PyUnicode_DecodeUTF8(word, length, "replace");
    if (key == NULL) {
        return -1;
    }
    PyObject *before = PyDict_GetItemWithError(counts, key); /* borrowed */
    long n = before == NULL ? 0 : PyLong_AsLong(before);
    PyObject *after = PyLong_FromLong(n + 1);
    int failed = after == NULL || PyDict_SetItem(counts, key, after) < 0;
    Py_XDECREF(after);
#ifdef FIXED
    Py_DECREF(key); /* the dictionary has taken a reference of its own */
#endif
    return failed ? -1 : 0;
}

static PyObject *
tally_words(PyObject *module, PyObject *args)
{
    const char *text;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "s#:words", &text, &length)) {
        return NULL;
    }
    PyObject *counts = PyDict_New();
    const char *end = text + length;
    while (counts != NULL && text < end) {
        const char *space = memchr(text, ' ', end - text);
        const char *stop = space == NULL ? end : space;
        if (stop > text && count_word(counts, text, stop - text) < 0) {
            Py_CLEAR(counts);
        }
        text = stop + 1;
    }
    return counts;
}

static PyMethodDef methods[] = {
    {"words", tally_words, METH_VARARGS, "words(text) -> dict: how often each word stands in it"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "tally", "Counts words.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit_tally(void)
{
    return PyModule_Create(&definition);
}
