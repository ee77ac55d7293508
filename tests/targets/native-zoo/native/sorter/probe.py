import sys


def probe(mod):
    return {"refs": sys.getrefcount(None)}
