"""The pytest plugin's door: options, marker and settings.  It is imported in every run of
pytest where undying is installed, so it loads nothing until a test is to be checked.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import pytest

if TYPE_CHECKING:
    from undying._pytest_summary import Summary

MARKER = (
    "undying(repeat=N, strict=True, allow=[...], enabled=True): fail the test when objects it created outlive it; "
    "repeat: judge what each of N runs leaves behind; strict: also fail on garbage that only the collector could "
    "free; allow: classes or their names that may stay"
)
# `--undying=3x` is an option of its own each, or `--undying tests/` would take the path for
# its value.
MOST = 20


# The configuration's attribute that keeps the settings.
SETTINGS = "_undying_settings"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("undying", "objects that outlive their test (undying)")
    group.addoption(
        "--undying",
        action="store_const",
        const=1,
        dest="undying_runs",
        help="fail each test that leaves objects behind; --undying=3x runs each test three times and judges what "
        "every run leaves (a cache that fills once is no leak)",
    )
    for n in range(1, MOST + 1):
        for text in ("%dx" % n, str(n)):
            group.addoption(
                "--undying=" + text, action="store_const", const=n, dest="undying_runs", help=argparse.SUPPRESS
            )
    group.addoption(
        "--undying-strict",
        action="store_true",
        default=None,
        dest="undying_strict",
        help="also fail a test that creates garbage which only the collector could free (implies --undying)",
    )
    group.addoption(
        "--undying-baseline",
        metavar="FILE",
        dest="undying_baseline",
        help="known leaks, which do not fail; the file may only shrink",
    )
    group.addoption(
        "--undying-baseline-update",
        action="store_true",
        dest="undying_baseline_update",
        help="write the leaks of this run to the baseline file",
    )
    parser.addini("undying", "check every test, as --undying does", type="bool", default=False)
    parser.addini("undying_repeat", "how often each checked test is run", default="")
    parser.addini("undying_strict", "as --undying-strict", type="bool", default=False)
    parser.addini("undying_allow", "classes whose objects may outlive a test, one a line", type="linelist", default=[])
    parser.addini("undying_baseline", "as --undying-baseline, relative to the root directory", default="")


class Settings:
    """What is asked for, before any marker."""

    def __init__(self, config: pytest.Config) -> None:
        table, self.note = _tool_table(config)
        runs = config.getoption("undying_runs", None)
        strict = config.getoption("undying_strict", None)
        file: Optional[str] = config.getoption("undying_baseline", None)
        self.every = bool(
            runs or strict or config.getini("undying") or table.get("enabled") or config.option.undying_baseline_update
        )
        self.repeat = int(runs if (runs or 0) > 1 else config.getini("undying_repeat") or table.get("repeat", 1))
        self.strict = bool(strict or config.getini("undying_strict") or table.get("strict", False))
        self.allow: List[str] = [*config.getini("undying_allow"), *table.get("allow", [])]
        given = config.getini("undying_baseline") or table.get("baseline", "")
        self.baseline = file or (str(config.rootpath / given) if given else None)
        self.update = bool(config.option.undying_baseline_update)


def _tool_table(config: pytest.Config) -> Tuple[Dict[str, Any], str]:
    """[tool.undying] of pyproject.toml; and a note where it could not be read."""
    path = config.rootpath / "pyproject.toml"
    try:
        content = path.read_bytes()
    except OSError:
        return {}, ""
    if b"[tool.undying]" not in content:
        return {}, ""
    try:
        import tomllib as toml  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        try:
            import tomli as toml  # type: ignore[import-not-found, unused-ignore, no-redef]
        except ImportError:
            return {}, "[tool.undying] of pyproject.toml was not read: that wants Python 3.11 or the package tomli"
    try:
        table = toml.loads(content.decode()).get("tool", {}).get("undying", {})
    except (ValueError, UnicodeError) as e:
        raise pytest.UsageError("%s: %s" % (path, e)) from None
    wrong = set(table) - {"enabled", "repeat", "strict", "allow", "baseline"}
    if wrong:
        raise pytest.UsageError("%s: [tool.undying] has no %s" % (path, ", ".join(sorted(wrong))))
    return table, ""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    try:
        settings = Settings(config)
    except ValueError as e:
        raise pytest.UsageError("undying: %s" % e) from None
    setattr(config, SETTINGS, settings)
    if settings.update and not settings.baseline:
        raise pytest.UsageError("--undying-baseline-update wants --undying-baseline FILE")
    config.pluginmanager.register(_Listener(config), "undying-listener")
    if settings.every:
        summary_of(config)
        _register_checker(config)


def _register_checker(config: pytest.Config) -> None:
    """The one that checks, made when it is first wanted."""
    if config.pluginmanager.has_plugin("undying-checker") or config.getoption("collectonly", False):
        return
    try:
        from undying._pytest_checker import Checker
    except ImportError as e:
        raise pytest.UsageError("undying cannot check tests here: %s" % e) from None
    config.pluginmanager.register(Checker(config, getattr(config, SETTINGS)), "undying-checker")


def summary_of(config: pytest.Config) -> Summary:
    """What is told at the end, made when there is something to tell."""
    found: Optional[Summary] = config.pluginmanager.get_plugin("undying-summary")
    if found is None:
        from undying._pytest_summary import Summary

        found = Summary(config, getattr(config, SETTINGS))
        config.pluginmanager.register(found, "undying-summary")
    return found


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    if any(item.get_closest_marker("undying") for item in items):
        summary_of(config)
        _register_checker(config)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> Any:
    told = getattr(report, "undying", None)
    if told and told["state"] == "leaked" and report.when == "teardown" and report.failed:
        return "failed", "F", "FAILED"
    return None


class _Listener:
    """Hears of what was found, in this process or in one of xdist's workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = getattr(report, "undying", None)
        if told is not None or self._config.pluginmanager.has_plugin("undying-summary"):
            summary_of(self._config).hear(report, told)
