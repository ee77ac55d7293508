# Runs the callable that is hunted in, in an interpreter of its own, and does what it
# is told through a socket, one command at a time: C<n> makes n calls and answers with
# the allocators' counts; F makes a copy of the process, says which it is, and it listens
# at the spare socket: calls can be rehearsed in it; W<pid> waits until it is gone; B<n>
# records births from now on, n frames deep; Q or an end of file ends it.  While it waits it
# is always in the same place with the same locals, and it keeps nothing from one
# command to the next: what is left after n calls is the callable's.  Runs on 3.8 and later.

import gc
import os
import sys
from time import perf_counter


class _Channel:
    # The program may replace functions of os: hence what is kept here.
    __slots__ = ("fd", "is_copy", "read", "write", "leave")

    def __init__(self, fd):
        os.set_inheritable(fd, False)
        self.fd, self.read, self.write, self.leave = fd, os.read, os.write, os._exit
        self.is_copy = False

    def say(self, text):
        data = text.encode("utf-8", "replace")
        while data:
            data = data[self.write(self.fd, data):]

    def refuse(self, letter, why, shown=None):
        # The traceback is the program's alone: without our own frames.  A copy writes
        # nothing out, of what happens in it or of what the program will write itself.
        if self.is_copy:
            shown = None
        if shown is not None:
            from traceback import print_exception

            inner = shown.__traceback__
            while inner is not None and inner.tb_frame.f_code.co_filename == __file__:
                inner = inner.tb_next
            print_exception(type(shown), shown, inner)
        for stream in () if self.is_copy else (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        self.say("%s%s\n" % (letter, " ".join(str(why).split())))
        self.leave(1)


def _c_library():
    # What tells the C allocator's bytes in use, and fork, or None.  The fork is the C
    # library's own, called with the interpreter's lock held: nothing runs of what Python
    # does after a fork, so that the copy is the same to the last byte.
    try:
        import ctypes

        fields = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
        libc = ctypes.CDLL(None)
        native = None
        for function, size in (("mallinfo2", ctypes.c_size_t), ("mallinfo", ctypes.c_uint)):
            if hasattr(libc, function):
                native = getattr(libc, function)
                members = [(field, size) for field in fields.split()]
                native.restype = type("mallinfo", (ctypes.Structure,), {"_fields_": members})
                break
        return native, ctypes.PyDLL(None).fork
    except Exception:
        return None, None


def _load(kind, where):
    # As under python -m, or as for a script; -P and PYTHONSAFEPATH are minded.
    own = os.path.dirname(__file__)
    first = os.path.dirname(os.path.abspath(where)) if kind == "script" else os.getcwd()
    if sys.path and sys.path[0] == own:
        sys.path[0] = first
    sys.argv[:] = [where]
    if kind == "module":
        from importlib import import_module

        module = import_module(where)
    else:
        from importlib.machinery import SourceFileLoader
        from importlib.util import module_from_spec, spec_from_file_location

        stem = os.path.splitext(os.path.basename(where))[0]
        if stem in sys.modules:
            stem = "_" + stem
        spec = spec_from_file_location(stem, where, loader=SourceFileLoader(stem, where))
        module = sys.modules[stem] = module_from_spec(spec)
        spec.loader.exec_module(module)
    sys.argv[:] = [getattr(module, "__file__", None) or where]
    return module


def _callable(channel, kind, where, name):
    try:
        found = _load(kind, where)
    except BaseException as e:
        missing = isinstance(e, ModuleNotFoundError) and e.name and (where + ".").startswith(e.name + ".")
        channel.refuse("M" if missing else "I", "%s: %s" % (type(e).__name__, e), None if missing else e)
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError as e:
        channel.refuse("N", e)
    if not callable(found):
        channel.refuse("N", "%s is no function but of type %s" % (name, type(found).__name__))
    code = getattr(found, "__code__", None)
    if not getattr(code, "co_flags", 0) & 0x80:  # inspect.CO_COROUTINE
        return found
    from asyncio import new_event_loop

    run = new_event_loop().run_until_complete
    return lambda *args, **kwargs: run(found(*args, **kwargs))


def _arguments(channel, texts):
    from ast import literal_eval
    from json import loads

    def value(text):
        try:
            return literal_eval(text)
        except (ValueError, SyntaxError):
            return loads(text)

    args, kwargs = [], {}
    for text in texts:
        word, named, rest = text.partition("=")
        named = bool(named) and word.isidentifier()
        try:
            given = value(rest if named else text)
        except (ValueError, SyntaxError):
            channel.refuse("A", text)
        if named:
            kwargs[word] = given
        else:
            args.append(given)
    return args, kwargs


def _serve(channel, spare, call, args, kwargs, expected, native, fork):
    from itertools import repeat

    read, collect, getpid, wait = os.read, gc.collect, os.getpid, os.waitpid
    blocks, clock = sys.getallocatedblocks, perf_counter
    letter = number = here = began = None
    failed = 0
    while True:
        word = read(channel.fd, 32)
        if not word or word == b"Q":
            break
        letter, number = word[:1], int(word[1:] or 0)
        if letter == b"C":
            began = clock()
            if expected:
                for _ in repeat(None, number):
                    try:
                        call(*args, **kwargs)
                    except Exception:
                        failed += 1
            else:
                try:
                    for _ in repeat(None, number):
                        call(*args, **kwargs)
                except Exception as e:
                    channel.refuse("E", "%s: %s" % (type(e).__name__, e), e)
                except SystemExit as e:
                    channel.refuse("X", e.code)
            began = clock() - began
            collect()
            collect()
            collect()
            here = native and native()
            here = here.uordblks + here.hblkhd if here else -1
            channel.say("C%d %d %d %d %.9f\n" % (getpid(), blocks(), here, failed, began))
            here = began = _ = None
            failed = 0
        elif letter == b"F":
            here = fork() if fork else -1
            if here == 0:
                channel.fd, channel.is_copy = spare, True
            else:
                channel.say("F%d\n" % here)
            here = None
        elif letter == b"W":
            try:
                wait(number, 0)
            except OSError:
                pass
            channel.say("W\n")
        elif letter == b"B":
            from _tracemalloc import start

            start(number)
            start = None
            channel.say("B\n")
        letter = number = word = None
    if channel.is_copy:
        channel.leave(0)


def _drive(fd, spare, kind, where, name, expected, *texts):
    channel, spare = _Channel(int(fd)), int(spare)
    os.set_inheritable(spare, False)
    native, fork = _c_library()
    args, kwargs = _arguments(channel, texts)
    call = _callable(channel, kind, where, name)
    channel.say("S%d\n" % os.getpid())
    try:
        _serve(channel, spare, call, args, kwargs, expected == "1", native, fork)
    except KeyboardInterrupt:
        channel.leave(130)


if __name__ == "__main__":
    _drive(*sys.argv[1:])
