"""Does what it is told, a line at a time: "at CASE" answers with the address of the object
to watch, "go CASE N" makes the calls and says "done"."""
import gc
import os
import subprocess
import signal
import sys
import threading
import time

import planted

try:
    import holder
except ImportError:
    holder = None

BORN = None    # an object that a case makes


class Config(object):
    pass


shared = Config()
table = {"shared": shared}
users = [shared] * 1000
parameter = Config()
many = [parameter] * 1000
into = {}
mine = Config()


def borrowed(value):
    return value


def quiet(function, argument):
    try:
        function(argument)
    except ValueError:
        pass


def use_list():
    for item in planted.make_list():
        len(item)


def use_tuple():
    first, second = planted.make_tuple()
    return len(first) + second


def use_kept():
    planted.keep(mine)
    first = planted.get()
    second = [first, planted.get()]
    assert second[0] is second[1] is mine
    planted.keep(None)
    planted.keep(mine)


def mixed():
    """Two modules' functions take and give the same object; one of them once too often."""
    planted.keep(planted.label)
    first = planted.get()
    second = planted.getter_twice()
    assert first is second
    planted.keep(mine)


def among_getters():
    """What a getter returned is held while another function takes a reference."""
    first = planted.get()
    planted.taken_only(mine)
    second = planted.get()
    assert first is second is mine


CASES = {
    "append_kept": (lambda: len(planted.append_kept()), BORN),
    "getter_twice": (lambda: planted.getter_twice(), planted.label),
    "mixed": (mixed, planted.label),
    "has": (lambda: planted.has(table, "shared"), shared),
    "error_path": (lambda: quiet(planted.error_path, True), BORN),
    "set_string": (lambda: planted.set_string(into), BORN),
    "build_kept": (lambda: planted.build_kept()[0], BORN),
    "released_twice": (lambda: planted.released_twice(parameter), parameter),
    "among_getters": (among_getters, mine),
    "stolen": (lambda: len(planted.stolen(parameter)), parameter),
    "label": (lambda: holder.label(), mine),
    "use_list": (use_list, BORN),
    "use_tuple": (use_tuple, BORN),
    "use_kept": (use_kept, mine),
    "no_error": (lambda: quiet(planted.error_path, False), BORN),
    "call_with": (lambda: planted.call_with(borrowed), BORN),
}


def main():
    if holder is not None:
        holder.make(mine)
    planted.keep(mine)
    for case in sorted(CASES):
        if case != "label" or holder is not None:
            CASES[case][0]()
    into.clear()
    gc.collect()
    gc.disable()
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        step, watched = CASES[words[1]]
        if words[0] == "at":
            address = planted.next_address(250) if watched is BORN else id(watched)
            print(address, flush=True)
        else:
            for _ in range(int(words[2])):
                step()
            print("done", flush=True)


main()
