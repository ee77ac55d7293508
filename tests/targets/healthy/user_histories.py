"""Thirty users, each with the last five pages: full by half time, then nothing but replacement."""


class Page:
    def __init__(self, number):
        self.address = "/page/%d" % number


class User:
    def __init__(self):
        self.pages = []


users = {"user %d" % number: User() for number in range(30)}


def step(i):
    pages = users["user %d" % (i * 7 % 30)].pages
    pages.append(Page(i))
    del pages[:-5]
