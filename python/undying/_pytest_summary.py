"""What is told at the end of a run: how many tests were checked, which could not be and
why, what is suspicious, which known leaks are gone.  Hears reports only, so that it is the
same on xdist's controller.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set

import pytest

from undying import _baseline
from undying._pytest_plugin import Settings

# Suspicious places that are told in full.
TOLD = 10


class Summary:
    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        # by test, its last run
        self._heard: Dict[str, Dict[str, Any]] = {}
        self._ran: Set[str] = set()
        self._skipped: Set[str] = set()
        self._baseline_told: List[str] = []

    def hear(self, report: pytest.TestReport, told: Optional[Dict[str, Any]]) -> None:
        if report.when == "call" and not report.skipped:
            self._ran.add(report.nodeid)
        elif report.skipped:
            self._skipped.add(report.nodeid)
        if told is None or report.when != "teardown":
            return
        self._heard[report.nodeid] = told
        if told["state"] == "leaked":
            self._is_no_pass(report.nodeid)

    def _is_no_pass(self, nodeid: str) -> None:
        """A test that leaks failed: it is not to be counted among those that passed, too."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        stats = getattr(reporter, "stats", None)
        if isinstance(stats, dict) and "passed" in stats:
            stats["passed"] = [r for r in stats["passed"] if getattr(r, "nodeid", None) != nodeid]

    def _in(self, *states: str) -> List[str]:
        return [nodeid for nodeid, told in self._heard.items() if told["state"] in states]

    @property
    def is_blind(self) -> bool:
        """Tests ran and none could be looked at."""
        if not self._settings.every:
            return bool(self._in("blind")) and not self._in("checked", "leaked", "xfailed")
        judged = self._in("checked", "leaked", "xfailed")
        excused = [n for n in self._in("unchecked")]
        return bool(self._ran - set(excused)) and not judged

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(self._config, "workerinput"):
            return
        if self.is_blind and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._settings.baseline:
            self._baseline_told = self._compare(self._settings.baseline)

    def _compare(self, path: str) -> List[str]:
        """With the file of known leaks; writes it where that was asked for."""
        before = _baseline.read(path).counts
        found: Dict[_baseline.Key, int] = {}
        for nodeid, told in self._heard.items():
            for one in [*told["leaks"], *told["known"]]:
                key = _baseline.Key(nodeid, one["type"], one["function"])
                found[key] = found.get(key, 0) + one["count"]
        # what was not looked at may leak still
        looked_at = set(self._in("checked", "leaked", "xfailed"))
        gone = sorted(k for k in before if k.test in looked_at and found.get(k, 0) < before[k])
        if self._settings.update:
            kept = {k: n for k, n in before.items() if k.test not in looked_at}
            _baseline.write(path, {**kept, **found})
            return ["baseline %s written: %d leaks, %d before" % (path, len({**kept, **found}), len(before))]
        lines = []
        for key in gone:
            left = found.get(key, 0)
            what = "%d of %d %s are left" % (left, before[key], key.type) if left else "%s is gone" % key.type
            lines.append("baseline: %s: %s, born in %s" % (key.test, what, key.function))
        if gone:
            lines.append("baseline: make it shrink with --undying-baseline-update")
        return lines

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if hasattr(self._config, "workerinput"):
            return
        lines = self._lines()
        if lines:
            terminalreporter.section("undying: objects that outlive their test")
            for line in lines:
                terminalreporter.write_line(line)

    def _lines(self) -> List[str]:
        judged = self._in("checked", "leaked", "xfailed")
        if not judged and not self._settings.every and not self._heard:
            return []
        lines = ["%d tests checked%s" % (len(judged), self._outcomes())]
        if self._settings.note:
            lines.append(self._settings.note)
        lines += self._unchecked()
        for nodeid in self._in("xfailed"):
            for one in self._heard[nodeid]["leaks"]:
                lines += ["%s was expected to fail, and leaks" % nodeid, _indented(one["text"])]
        lines += self._suspicious()
        lines += self._baseline_told
        return lines

    def _outcomes(self) -> str:
        leaked = self._in("leaked")
        known = [n for n, told in self._heard.items() if told["known"]]
        text = ", %d leak" % len(leaked) if leaked else ", none leaks"
        return text + (", %d with known leaks" % len(known) if known else "")

    def _unchecked(self) -> List[str]:
        why: Dict[str, List[str]] = {}
        for nodeid in self._in("unchecked", "blind"):
            why.setdefault(self._heard[nodeid]["why"], []).append(nodeid)
        if self._settings.every:
            unheard = sorted(self._ran - set(self._heard) - self._skipped)
            if unheard:
                why["it ran where undying does not reach (a plugin with a protocol or process of its own)"] = unheard
        lines = ["%d not checked: %s (%s)" % (len(ids), reason, _some(ids)) for reason, ids in why.items()]
        if self.is_blind:
            lines.append("NOTHING COULD BE CHECKED: this run says nothing about leaks")
        return lines

    def _suspicious(self) -> List[str]:
        places: Dict[Any, List[Any]] = {}
        for nodeid, told in self._heard.items():
            for one in told["suspicious"]:
                places.setdefault((one["type"], one["function"], one["why"]), [one, []])[1].append(nodeid)
        if not places:
            return []
        ranked = sorted(places.values(), key=lambda p: -len(p[1]))
        lines = ["%d suspicious, not failed:" % len(ranked)]
        for one, ids in ranked[:TOLD]:
            lines += ["  %s in %d tests (%s)" % (one["type"], len(ids), _some(ids)), _indented(one["text"], 4)]
        if len(ranked) > TOLD:
            lines.append("  and %d more" % (len(ranked) - TOLD))
        if any(told["single"] for told in self._heard.values() if told["suspicious"]):
            lines.append("  --undying=3x tells caches, which fill once, from leaks, which grow with each run")
        return lines


def _some(ids: List[str]) -> str:
    return ", ".join(ids[:3]) + (" and %d more" % (len(ids) - 3) if len(ids) > 3 else "")


def _indented(text: str, by: int = 2) -> str:
    return "\n".join(" " * by + line for line in text.splitlines())
