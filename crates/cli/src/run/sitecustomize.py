# Read by the interpreter before the program, in place of a sitecustomize of its
# own, which is then imported as if this one had never been there.  It registers
# one function, to be called last of all at exit, which waits until the heap has
# been looked at from outside.  Runs on Python 2.7 and 3.


def _begin():
    import atexit
    import errno
    import os
    import sys

    fd, _, here = os.environ.pop("UNDYING_RUN").partition(":")
    fd = int(fd)
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

    try:
        if hasattr(os, "set_inheritable"):
            os.set_inheritable(fd, False)
        else:
            import fcntl

            fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.fcntl(fd, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)
        stat = os.fstat(fd)
        os.write(fd, ("S%d\n" % os.getpid()).encode())
    except (OSError, IOError):
        return

    # The program may close the descriptor and open a file of its own under the
    # same number, fork, or replace functions of os: hence what is kept here.
    def wait(fd=fd, same=(stat.st_dev, stat.st_ino), pids=(os.getpid(), os.getppid()),
             getpid=os.getpid, getppid=os.getppid, fstat=os.fstat, read=os.read, write=os.write,
             again=errno.EINTR):
        try:
            if (getpid(), getppid()) != pids:
                return
            stat = fstat(fd)
            if (stat.st_dev, stat.st_ino) != same:
                return
            stat = None
            write(fd, b"R")
        except OSError:
            return
        while True:
            try:
                read(fd, 1)
                return
            except OSError as e:
                if e.errno != again:
                    return
            except BaseException:
                # Raised by a signal handler of the program: it would have had
                # no program left to stop.
                pass

    atexit.register(wait)


_begin()
del _begin
import sitecustomize  # noqa: the real one; that there is none is no error to the interpreter
