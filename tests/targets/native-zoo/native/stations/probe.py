import sys


def probe(mod):
    return {"refs all": sum(sys.getrefcount(s) for s in mod.line)}
