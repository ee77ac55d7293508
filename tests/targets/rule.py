"""Runs a small program that defines `step(i)`, one request, in three stretches.

    python rule.py docs/rules/NAME.md leak|cured     the program in that fence of a page
    python rule.py healthy/NAME.py                   the program in that file
    python rule.py --count …                         counts from inside instead of waiting

The program becomes `__main__`, as if it had been started itself; of us it sees nothing.
20 steps, READY, a line on stdin, 200 steps, MORE, a line, 200 steps, DONE, end of stdin.
What a step returns is dropped at once.  With --count nobody is waited for: what grew
from READY to MORE and from MORE to DONE, by class, is printed as one line of JSON.
CPython 3.8 and later, no dependency.
"""
import os
import sys
import types

STRETCHES = (("READY", 20), ("MORE", 200), ("DONE", 200))


def source(arguments):
    """The file's name for tracebacks, and its text: all of it, or the fence of that name."""
    path = arguments[0]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if len(arguments) == 1:
        return os.path.basename(path), text
    inside, found = False, []
    for line in text.splitlines(True):
        if line.startswith("```"):
            inside = line.strip() == "```python " + arguments[1]
        elif inside:
            found.append(line)
    if not found:
        sys.exit("%s has no fence ```python %s" % (path, arguments[1]))
    return os.path.basename(path)[:-len(".md")] + ".py", "".join(found)


def load(arguments):
    name, text = source(arguments)
    module = types.ModuleType("__main__")
    module.__file__ = name
    module.__builtins__ = __builtins__
    sys.modules["__main__"] = module
    exec(compile(text, name, "exec"), module.__dict__)
    return module.step


def drive(step, pause):
    i = 0
    for word, steps in STRETCHES:
        for i in range(i, i + steps):
            step(i)
        i += 1
        pause(word)


def wait(word):
    print(word, flush=True)
    if word == "DONE":
        sys.stdin.read()
    else:
        sys.stdin.readline()


def census(own):
    """Objects by class: the collector's and all they reach, without `own`.  A switched-off
    collector is left alone, since its leavings are what is looked at then."""
    import gc
    if gc.isenabled():
        gc.collect()
    counts, pending = {}, gc.get_objects()
    seen = {id(own), id(counts)}
    while pending:
        o = pending.pop()
        if id(o) in seen or o is seen or o is pending:
            continue
        seen.add(id(o))
        kind = type(o).__module__ + "." + type(o).__qualname__
        counts[kind] = counts.get(kind, 0) + 1
        # a module's C state may hand out dead entries of free lists, and harm comes of that
        pending += [o.__dict__] if isinstance(o, types.ModuleType) else gc.get_referents(o)
    return counts


def counting():
    taken = []

    def pause(word):
        taken.append(census(taken))
        if word == "DONE":
            import json
            grown = [{k: b[k] - a.get(k, 0) for k in b if abs(b[k] - a.get(k, 0)) >= 20}
                     for a, b in zip(taken, taken[1:])]
            print(json.dumps(grown), flush=True)

    return pause


def main():
    arguments = sys.argv[1:]
    pause = wait
    if arguments[:1] == ["--count"]:
        arguments, pause = arguments[1:], counting()
    if not 1 <= len(arguments) <= 2:
        sys.exit(__doc__)
    sys.argv[:] = arguments[:1]
    drive(load(arguments), pause)
    os._exit(0)  # what the program would do at its end is not our matter


if __name__ == "__main__":
    main()
