"""The cycle born in a function: the scope ends, and nobody dies."""
from __future__ import print_function


class LeakTest(object):
    def __init__(self):
        print("Object with id %d born here." % id(self))

    def __del__(self):
        print("Object with id %d dead here." % id(self))


def foo():
    A = LeakTest()
    B = LeakTest()
    A.b = B
    B.a = A


foo()
