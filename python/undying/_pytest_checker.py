"""Checks tests while pytest runs them: one trial for each, judged when the test and the
fixtures of its own are gone.  What it finds travels in the test's reports, so that it is
all the same in one process, in xdist's workers and in a forked child.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Generator, List, Optional

import pytest

from undying import _baseline, _tracing
from undying._familiar import Familiar
from undying._judging import Finding, Trial, Verdict
from undying._pytest_plugin import Settings
from undying._undying import Error
from undying._watching import dotted

_WRONG_MARK = "@pytest.mark.undying takes repeat, strict, allow and enabled; not %s"


class Plan:
    """How one test is to be checked."""

    def __init__(self, settings: Settings, item: pytest.Item) -> None:
        self.enabled = settings.every
        self.repeat = settings.repeat
        self.strict = settings.strict
        self.allow = list(settings.allow)
        # the outermost first: what is nearer to the test says more
        for mark in reversed(list(item.iter_markers("undying"))):
            wrong = set(mark.kwargs) - {"repeat", "strict", "allow", "enabled"}
            if wrong or mark.args:
                raise pytest.UsageError("%s: %s" % (item.nodeid, _WRONG_MARK % (sorted(wrong) or list(mark.args))))
            self.enabled = bool(mark.kwargs.get("enabled", True))
            self.repeat = int(mark.kwargs.get("repeat", self.repeat))
            self.strict = bool(mark.kwargs.get("strict", self.strict))
            allow = mark.kwargs.get("allow", ())
            self.allow += [dotted(one) for one in ([allow] if isinstance(allow, (str, type)) else allow)]
        self.can_repeat = isinstance(item, pytest.Function)


class Current:
    """The test under way."""

    def __init__(self, item: pytest.Item, plan: Plan, familiar: Familiar) -> None:
        self.item = item
        self.plan = plan
        self.trial = Trial(plan.allow, plan.strict, familiar)
        self.rehearsing = False
        self.rehearsal_failed: Optional[str] = None
        # outcome of the call: "passed", "failed", "skipped", "xfailed"
        self.outcome: Optional[str] = None
        self.in_round = False
        self.told: Optional[Dict[str, Any]] = None


class Checker:
    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._current: Optional[Current] = None
        self._traces = False
        self._familiar = Familiar()
        self._known = _baseline.read(settings.baseline) if settings.baseline else _baseline.Baseline()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        # xdist's controller collects nothing and needs no tracer
        if session.items and not self._traces:
            try:
                _tracing.begin()
            except Error as e:
                raise pytest.UsageError("undying cannot check tests here: %s" % e) from None
            self._traces = True

    def pytest_unconfigure(self) -> None:
        if self._traces:
            self._traces = False
            _tracing.end()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        plan = Plan(self._settings, item)
        if not plan.enabled or not self._traces:
            return (yield)
        self._current = current = Current(item, plan, self._familiar)
        try:
            if plan.repeat > 1 and plan.can_repeat:
                self._rehearse(current)
            return (yield)
        finally:
            current.trial.stop()
            self._current = None

    def _rehearse(self, current: Current) -> None:
        """Runs the test but for its last time, each with fixtures of its own."""
        from _pytest.runner import runtestprotocol

        item = current.item
        current.rehearsing = True
        for _ in range(current.plan.repeat - 1):
            # fixtures of wider scope stay up: they are torn down down to the test's parent
            reports = runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]
            bad = [report for report in reports if not report.passed]
            if bad:
                if bad[0].failed:
                    current.rehearsal_failed = str(bad[0].longrepr)
                current.trial.forget_round()
                break
        current.rehearsing = False
        current.outcome = None
        item._report_sections.clear()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        current = self._of(item)
        if current is not None:
            if current.in_round:
                # tried again by a plugin
                current.trial.forget_round()
            current.outcome = None
            current.trial.begin_round()
            current.in_round = True
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, Any]:
        current = self._current
        if current is None or fixturedef.scope == "function":
            return (yield)
        since = current.trial.begin_others()
        try:
            return (yield)
        finally:
            current.trial.end_others(since)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        current = self._of(item)
        if current is None:
            return (yield)
        result = yield
        current.trial.end_round()
        current.in_round = False
        if not current.rehearsing:
            current.trial.stop()
            self._judge(current)
        return result

    def _of(self, item: pytest.Item) -> Optional[Current]:
        current = self._current
        return current if current is not None and current.item is item else None

    def _judge(self, current: Current) -> None:
        """Raises the failure, if there is one."""
        item, plan = current.item, current.plan
        if current.rehearsal_failed is not None and current.outcome == "passed":
            current.told = _told("unchecked", "a run of it failed")
            pytest.fail("one of %d runs failed:\n\n%s" % (plan.repeat, current.rehearsal_failed), pytrace=False)
        if current.outcome not in ("passed", "xfailed"):
            current.told = _told("unchecked", "it was skipped" if current.outcome == "skipped" else "it failed")
            return
        # fixtures of the test are torn down; pytest itself drops their values a moment later
        funcargs = getattr(item, "funcargs", None)
        if isinstance(funcargs, dict):
            funcargs.clear()
        current.trial.transient = {id(item), *map(id, _instances(item))}
        verdict = current.trial.judge()
        if verdict.blind is not None:
            current.told = _told("blind", verdict.blind)
            return
        new, known = self._known.split(item.nodeid, [*verdict.leaks, *verdict.garbage])
        current.told = told = _told("checked", "")
        told["suspicious"] = [_as_dict(one) for one in verdict.suspicious]
        told["leaks"] = [_as_dict(one) for one in new]
        told["known"] = [_as_dict(one) for one in known]
        told["single"] = len(current.trial.rounds) == 1
        if plan.repeat > 1 and not plan.can_repeat:
            told["why"] = "it was run once: only functions can be run again"
        if not new:
            return
        if current.outcome == "xfailed":
            told["state"] = "xfailed"
        elif not self._settings.update:
            told["state"] = "leaked"
            pytest.fail(failure(new, verdict), pytrace=False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
        report = yield
        current = self._of(item)
        if current is None:
            return report
        if report.when == "call" or (report.when == "setup" and not report.passed):
            current.outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
        if report.when == "teardown" and not current.rehearsing:
            told = current.told or _told("unchecked", "its teardown failed")
            current.told = None
            told["pid"] = os.getpid()
            report.undying = told
        return report


def _instances(item: pytest.Item) -> List[Any]:
    """The instance of the test's class, which its item holds: pytest's versions differ in where."""
    method = getattr(item, "_obj", None)
    found = [getattr(item, name, None) for name in ("_instance", "_testcase")]
    return [one for one in (*found, getattr(method, "__self__", None)) if one is not None]


def _told(state: str, why: str) -> Dict[str, Any]:
    return {"state": state, "why": why, "leaks": [], "known": [], "suspicious": [], "single": True}


def _as_dict(one: Finding) -> Dict[str, Any]:
    return {**one._asdict(), "rounds": list(one.rounds), "text": one.text()}


def failure(new: List[Finding], verdict: Verdict) -> str:
    """What the failed test says."""
    garbage = [one for one in new if one in verdict.garbage]
    total = sum(one.count for one in new)
    what = "objects that the test created outlive it"
    if len(garbage) == len(new):
        what = "the test created garbage that only the collector could free"
    head = "undying: %s (%d)" % (what, total)
    return "\n\n".join([head, *(one.text() for one in new)])
