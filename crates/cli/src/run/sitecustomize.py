# Read by the interpreter before the program, in place of a sitecustomize of its
# own, which is then imported as if this one had never been there.  It starts the
# tracer where this Python has the module undying, and registers one function, to
# be called last of all at exit, which waits until the heap has been looked at
# from outside.  Runs on Python 2.7 and 3; 2.7 empties the names of this file as soon
# as the module is taken out of sys.modules.


def _begin(record):
    import atexit
    import errno
    import os
    import sys

    fd, _, here = os.environ.pop("UNDYING_RUN").partition(":")
    fd = int(fd)
    births = os.environ.pop("UNDYING_RUN_BIRTHS", None)
    path = os.environ.pop("UNDYING_RUN_PYTHONPATH", None)
    if path is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = path
    sys.path[:] = [p for p in sys.path if p != here]
    sys.path_importer_cache.pop(here, None)
    sys.modules.pop("sitecustomize", None)
    for made in (globals().get("__cached__"), os.path.join(here, "sitecustomize.pyc")):
        try:
            os.unlink(made)
        except (OSError, TypeError):
            pass

    def write(text, fd=fd, write=os.write):
        while text:
            text = text[write(fd, text):]

    def read(fd=fd, read=os.read, again=errno.EINTR):
        while True:
            try:
                return read(fd, 1)
            except OSError as e:
                if e.errno != again:
                    return b""
            except BaseException:
                # Raised by a signal handler of the program: it would have had
                # no program left to stop.
                pass

    try:
        if hasattr(os, "set_inheritable"):
            os.set_inheritable(fd, False)
        else:
            import fcntl

            fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.fcntl(fd, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)
        stat = os.fstat(fd)
        write(("S%d\n" % os.getpid()).encode())
        last = None
        if births is not None:
            why, last = record(births.split("\n"))
            if why is not None:
                # Told before the program's first word; whoever wants births goes no further.
                write(why.replace("\n", " ").encode("utf-8", "replace") + b"\n")
                if read() == b"N":
                    os._exit(2)
    except (OSError, IOError):
        return

    # The program may close the descriptor and open a file of its own under the
    # same number, fork, or replace functions of os: hence what is kept here.
    def wait(fd=fd, same=(stat.st_dev, stat.st_ino), pids=(os.getpid(), os.getppid()),
             getpid=os.getpid, getppid=os.getppid, fstat=os.fstat, read=read, write=write, last=last):
        try:
            if (getpid(), getppid()) != pids:
                return
            if last is not None:
                last()
            stat = fstat(fd)
            if (stat.st_dev, stat.st_ino) != same:
                return
            stat = None
            write(b"R\n")
        except OSError:
            return
        read()

    atexit.register(wait)


def _record(words):
    # Why births are not recorded, or None; and what to call at the end, or None.
    import sys

    if sys.version_info < (3, 9):
        return "V%d.%d" % sys.version_info[:2], None
    try:
        # Of the package only what is compiled, and that under no name: the program
        # finds neither in sys.modules.
        finder = sys.modules["_frozen_importlib_external"].PathFinder
        package = finder.find_spec("undying")
        places = package and package.submodule_search_locations
        spec = places and finder.find_spec("undying._undying", places)
        if not spec:
            return "N" + sys.executable, None
        native = spec.loader.create_module(spec)
        spec.loader.exec_module(native)
        if native.__version__ != words[0]:
            return "O%s\t%s" % (native.__version__, sys.executable), None
        wanted = [word.partition(" ") for word in words[1:]]
        last = None
        for name, _, value in wanted:
            if name == "interactive":
                native.session_begin(value == "colour")
                last = native.session_say
        numbers = dict((name, int(value)) for name, _, value in wanted if name in ("sample", "depth"))
        native.trace_start(follow=[value for name, _, value in wanted if name == "follow"], **numbers)
        return None, last
    except BaseException as e:
        return "F%s" % e, None


_begin(_record)
del _begin, _record
import sitecustomize  # noqa: the real one; that there is none is no error to the interpreter
