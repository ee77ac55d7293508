"""Builds the wheel: maturin makes the extension module, and the command `undying`, a
native executable, goes into the same wheel as a script.  PEP 517 and 660.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import maturin
from maturin import (  # noqa: F401
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "packaging" / "undying.data" / "scripts"
# a source distribution has fewer members than the workspace that wrote its Cargo.lock:
# versions stay, but cargo must be free to drop the rest
LOCKED = ["--locked"] if (ROOT / "xtask").is_dir() else []
# maturin wants it there whatever it is asked
SCRIPTS.mkdir(parents=True, exist_ok=True)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    build_command()
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    build_command()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)


def build_command():
    """The executable, from the same target directory as the module, and with the features
    that both want together: what the two share is compiled once."""
    cargo = os.environ.get("CARGO", "cargo")
    words = ["build", "--release", *LOCKED, "--package", "undying-cli", "--package", "undying-python"]
    words += ["--bin", "undying", "--message-format", "json-render-diagnostics"]
    done = subprocess.run([cargo, *words], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    (built,) = filter(None, (json.loads(line).get("executable") for line in done.stdout.splitlines()))
    command = SCRIPTS / "undying"
    # another file under the same name: one that runs is not written to
    command.unlink(missing_ok=True)
    shutil.copy2(built, command)
    if shutil.which("strip"):
        subprocess.run(["strip", "--strip-debug", str(command)], check=True)
