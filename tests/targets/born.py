"""Makes objects of many kinds under tracemalloc and tells, to the file given, where each was
made as the interpreter itself says it: address, then file and line from the inside out."""

import ast
import collections
import dataclasses
import gc
import sys
import threading
import tracemalloc


class Plain:
    def __init__(self, value):
        self.value = value


class Slotted:
    __slots__ = ("a", "b")


class WeakOnly:
    __slots__ = ("__weakref__",)


class Bare:
    __slots__ = ()


class MyDict(dict):
    pass


class MyList(list):
    pass


class MyError(Exception):
    pass


class Meta(type):
    pass


@dataclasses.dataclass
class Data:
    x: int
    y: list


def make_plain():
    return Plain(object())


def make_small(n):
    one = Slotted()
    two = WeakOnly()
    three = Bare()
    return [
        one,
        two,
        three,
    ]


def make_containers(n):
    made = {"n": n, n: (n, str(n) * 3)}
    other = {n, n + 1000}
    return made, other, [made] * 3, collections.deque([made]), MyDict(a=1), MyList([1, 2])


def make_scalars(n):
    text = "text %d" % n
    return text, text.encode(), 1.5 * n + 0.25, 2 ** (100 + n), frozenset([n]), bytearray(n), complex(n, 2)


def make_code(n):
    def inner():
        yield n

    class Local:
        field = n

    made = inner()
    error = MyError(n)
    return inner, made, Local, Meta("Made", (), {}), Local(), error, make_plain.__get__(error), Data(n, [n])


class Factory:
    def build(self, depth):
        if depth:
            return self.build(depth - 1)
        return make_plain()


def all_kinds(kept):
    for n in range(300, 320):
        kept.append(make_plain())
        kept.append(make_small(n))
        kept.append(make_containers(n))
        kept.append(make_scalars(n))
        kept.append(make_code(n))
        kept.append(Factory().build(n % 40))


def functions():
    """The innermost function of each line of this file; "" at its head and outside."""
    with open(__file__) as f:
        tree = ast.parse(f.read())
    names = {}

    def walk(node, path):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                own = path + [child.name]
                if isinstance(child, ast.FunctionDef):
                    for line in range(child.body[0].lineno, child.end_lineno + 1):
                        names[line] = ".".join(own) if sys.version_info >= (3, 11) else child.name
                    own = own + ["<locals>"]
                else:
                    for line in range(child.lineno, child.end_lineno + 1):
                        names[line] = "?"
                walk(child, own)
            else:
                walk(child, path)

    walk(tree, [])
    return names


def main():
    kept = []
    all_kinds(kept)
    thread = threading.Thread(target=all_kinds, args=(kept,))
    thread.start()
    thread.join()
    names = functions()
    atoms = []
    for group in kept:
        if isinstance(group, tuple):
            atoms.extend(group)
    told = gc.get_objects() + atoms
    with open(sys.argv[1], "w") as out:
        for thing in told:
            stack = tracemalloc.get_object_traceback(thing)
            out.write(hex(id(thing)))
            for frame in reversed(stack or ()):
                own = frame.filename == __file__
                out.write("\t%s\t%d\t%s" % (frame.filename, frame.lineno, names.get(frame.lineno, "") if own else "?"))
            out.write("\n")
    print("READY", flush=True)
    sys.stdin.read()
    return told


main()
