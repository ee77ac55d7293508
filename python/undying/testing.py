"""For plain unittest: a test case whose methods fail when objects they created outlive them.

    class TestPool(undying.LeakTestCase):
        def test_give_back(self):
            ...

`NoLeaks` is the same as a mixin, in front of any other TestCase.  Attributes of the class
say how: `undying_repeat`, `undying_strict`, `undying_allow`.
"""

from __future__ import annotations

import unittest
from typing import TYPE_CHECKING, Any, ClassVar, Iterable, Optional, Union

if TYPE_CHECKING:
    from undying._judging import Trial

    _Base = unittest.TestCase
else:
    _Base = object


class NoLeaks(_Base):
    """Each test method is judged after its tearDown and cleanups.

    A method that passes and leaves objects behind fails, with class, count, birthplace and
    holder.  What only looks like a leak is attached to the test as `undying_suspicious`.
    """

    undying_repeat: ClassVar[int] = 1
    """How often each method is run; from 2 on what every run leaves is judged."""
    undying_strict: ClassVar[bool] = False
    """Fail on garbage too that only the collector could free."""
    undying_allow: ClassVar[Iterable[Union[str, type]]] = ()
    """Classes whose objects may stay, or the last parts of their names."""

    undying_suspicious: Any = ()

    def run(self, result: Optional[unittest.TestResult] = None) -> Optional[unittest.TestResult]:
        from undying import _tracing
        from undying._judging import Trial
        from undying._watching import dotted

        if result is None:
            result = self.defaultTestResult()
        _tracing.begin()
        trial = Trial([dotted(one) for one in self.undying_allow], self.undying_strict)
        try:
            if self._rehearse(trial, result):
                trial.begin_round()
                super().run(_Judging(result, self, trial))  # type: ignore[arg-type]
        finally:
            trial.stop()
            _tracing.end()
        return result

    def _rehearse(self, trial: Trial, result: unittest.TestResult) -> bool:
        """All runs but the last; a run that goes wrong is the one that counts."""
        for _ in range(self.undying_repeat - 1):
            trial.begin_round()
            quiet = _Quiet(result)
            super().run(quiet)
            trial.end_round()
            if not quiet.wasSuccessful() or quiet.skipped or quiet.expectedFailures:
                quiet.replay(self)
                return False
            del quiet
        return True


class _Quiet(unittest.TestResult):
    """Of a run that is to be followed by others."""

    def __init__(self, real: unittest.TestResult) -> None:
        super().__init__()
        self._real = real

    def replay(self, test: unittest.TestCase) -> None:
        """Tells the real result what came of it."""
        real = self._real
        real.startTest(test)
        for case, text in self.failures:
            real.addFailure(case, _raised(text))
        for case, text in self.errors:
            real.addError(case, _raised(text))
        for case, why in self.skipped:
            real.addSkip(case, why)
        for case, text in self.expectedFailures:
            real.addExpectedFailure(case, _raised(text))
        for case in self.unexpectedSuccesses:
            real.addUnexpectedSuccess(case)
        real.stopTest(test)


def _raised(text: str) -> Any:
    # without a traceback: it is the text that tells
    return AssertionError, AssertionError(text), None


class _Judging:
    """The result, except that a success has to be one in our eyes too."""

    def __init__(self, real: unittest.TestResult, test: NoLeaks, trial: Trial) -> None:
        self.__dict__.update(_real=real, _test=test, _trial=trial)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)

    def addSuccess(self, test: unittest.TestCase) -> None:
        trial: Trial = self._trial
        trial.end_round()
        trial.stop()
        verdict = trial.judge()
        self._test.undying_suspicious = verdict.suspicious
        found = [*verdict.leaks, *verdict.garbage]
        if verdict.blind is not None:
            text = "what outlives the test could not be seen: %s" % verdict.blind
            self._real.addError(test, (RuntimeError, RuntimeError(text), None))
        elif found:
            head = "objects that the test created outlive it"
            if not verdict.leaks:
                head = "the test created garbage that only the collector could free"
            text = "\n\n".join([head, *(one.text() for one in found)])
            self._real.addFailure(test, _raised(text))
        else:
            self._real.addSuccess(test)


class LeakTestCase(NoLeaks, unittest.TestCase):
    """`unittest.TestCase` with `NoLeaks`."""
