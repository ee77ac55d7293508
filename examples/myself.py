"""Never write self.xxx = self: an object that holds itself does not die."""
from __future__ import print_function


class LeakTest(object):
    def __init__(self):
        print("Object with id %d born here." % id(self))
        self.me = self

    def __del__(self):
        print("Object with id %d dead here." % id(self))


A = LeakTest()
A = None
