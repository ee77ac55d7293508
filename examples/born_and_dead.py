"""Born and dead by plain counting: when the last name goes, so does the object."""
from __future__ import print_function


class LeakTest(object):
    def __init__(self):
        print("Object with id %d born here." % id(self))

    def __del__(self):
        print("Object with id %d dead here." % id(self))


T1 = LeakTest()
T2 = T1
T1 = None
T2 = None
