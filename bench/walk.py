"""Builds a generator's heap and walks it natively, once for every line on stdin.

    walk.py GENERATOR.py DIRECTORY-OF-ONEPASS N KIND

Says READY, then for each line the objects, edges and CPU seconds of one pass.  Meant for
capture.py; the heap is the same as the one captured, in a process of its own, so that
what the pass allocates does not change what is captured.
"""
import gc
import importlib.util
import sys


def main():
    generator, built, n, kind = sys.argv[1:]
    sys.path.insert(0, built)
    import onepass
    spec = importlib.util.spec_from_file_location("generator", generator)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = module.build(int(float(n)), kind)
    gc.disable()
    walk = getattr(onepass, "walk", None) or onepass.dump
    print("READY", flush=True)
    for _ in sys.stdin:
        print("%d %d %.6f" % walk(gc.get_objects()), flush=True)
    return root


if __name__ == "__main__":
    main()
