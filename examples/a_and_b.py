"""Two objects that hold each other: both names are gone, and nobody dies."""
from __future__ import print_function


class LeakTest(object):
    def __init__(self):
        print("Object with id %d born here." % id(self))

    def __del__(self):
        print("Object with id %d dead here." % id(self))


A = LeakTest()
B = LeakTest()
A.b = B
B.a = A
A = None
B = None
