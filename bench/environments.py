"""Interpreters to measure with, and environments of them that are made once and kept."""
import os
import pathlib
import subprocess


def interpreters(given):
    if given:
        return [tuple(g.split("=", 1)) for g in given]
    root = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")) / "versions"
    found = [(p.parent.parent.name, str(p)) for p in root.glob("3.*/bin/python")]
    found = [f for f in found if (3, 8) <= tuple(map(int, f[0].split(".")[:2])) <= (3, 13)]
    found.sort(key=lambda f: tuple(map(int, f[0].split("."))))
    debian = pathlib.Path("/usr/bin/python3.11")
    return found + ([("Debian's 3.11", str(debian))] if debian.exists() else [])


def minor(python):
    out = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:2])"], check=True, capture_output=True, text=True)
    return tuple(map(int, out.stdout.split()))


def environment(folder, python, packages):
    inside = folder / "bin" / "python"
    done = folder / "done"
    if not done.exists() or done.read_text() != " ".join(packages):
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(inside), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=True)
        done.write_text(" ".join(packages))
    return str(inside)
