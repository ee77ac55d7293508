# cython: language_level=3
# Words by rank in an array of C.  Build with -DFIXED for the correct code.
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject

cdef extern from *:
    """
    #ifdef FIXED
    #define GIVE_BACK 1
    #else
    #define GIVE_BACK 0
    #endif
    """
    bint GIVE_BACK


cdef class Entry:
    cdef readonly object word
    cdef readonly long rank

    def __init__(self, word, rank):
        self.word = word
        self.rank = rank


cdef class Table:
    cdef PyObject *places[16]
    cdef int count, limit

    def __cinit__(self, limit):
        self.limit = min(limit, 15)

    def add(self, word, rank):
        entry = Entry(word, rank)
        cdef int i = self.count
        Py_INCREF(entry)  # BUG: the one that drops out is not given back
        while i > 0 and (<Entry> self.places[i - 1]).rank > entry.rank:
            self.places[i] = self.places[i - 1]
            i -= 1
        self.places[i] = <PyObject *> entry
        self.count += 1
        if self.count > self.limit:
            dropped = <Entry> self.places[0]
            for i in range(1, self.count):
                self.places[i - 1] = self.places[i]
            self.count -= 1
            if GIVE_BACK:
                Py_DECREF(dropped)

    def best(self):
        return [<Entry> self.places[i] for i in range(self.count)]

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            Py_DECREF(<Entry> self.places[i])
