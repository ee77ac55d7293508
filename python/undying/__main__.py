"""`python -m undying` is the command `undying` that was installed with this module."""

import os
import shutil
import sys
import sysconfig
from typing import Optional


def find() -> Optional[str]:
    """Beside this interpreter, where the module was installed for one user, on the PATH."""
    places = [sysconfig.get_path("scripts")]
    schemes = sysconfig.get_scheme_names()
    places += [sysconfig.get_path("scripts", s) for s in ("posix_user",) if s in schemes]
    for place in places:
        command = os.path.join(place or "", "undying")
        if os.access(command, os.X_OK):
            return command
    return shutil.which("undying")


def main() -> None:
    command = find()
    if command is None:
        sys.exit("undying: the command undying was not installed with the module; install it with pip")
    os.execv(command, [command, *sys.argv[1:]])


if __name__ == "__main__":
    main()
