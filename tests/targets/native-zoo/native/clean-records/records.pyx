# cython: language_level=3
# Records with a free list, a ring of them, generators and closures.  Correct.
cimport cython

DEFAULTS = {"limit": 64, "names": ("one", "two"), "factor": 12345678901234567890}


@cython.freelist(8)
cdef class Record:
    cdef readonly str name
    cdef const unsigned char[:] data
    cdef dict extra

    def __init__(self, str name not None, data):
        self.name = name
        self.data = data
        self.extra = {"limit": DEFAULTS["limit"]}

    def checksum(self):
        cdef unsigned long long total = 1
        cdef Py_ssize_t i
        for i in range(self.data.shape[0]):
            total = total * 31 + self.data[i]
        return total


cdef class Store:
    cdef list ring
    cdef Py_ssize_t next

    def __init__(self, size):
        self.ring = [None] * size

    def put(self, Record record):
        self.ring[self.next % len(self.ring)] = record
        self.next += 1

    def newest(self):
        return self.ring[(self.next - 1) % len(self.ring)]


def numbers(n):
    for i in range(n):
        yield i * i


def adder(n):
    def add(m):
        return n + m
    return add
