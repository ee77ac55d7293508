# cython: language_level=3
cdef class Solid:
    cdef double edge
    cdef object name

    def __init__(self, name):
        self.name = name
        self.edge = 1.5

    cdef double volume(self):
        return self.edge ** 3


cdef class Plain:
    """No C method; the mark is how it is pickled."""
    cdef int sides
