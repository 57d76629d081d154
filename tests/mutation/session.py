"""Keeps pytest alive and tries changes: returns which test noticed each of them, or that none did.

All tests run once and record what they run, so it is known which test runs which line and how long it takes. For each
change a forked child puts it into the functions in memory and runs those tests, the quickest first, until one fails.
"""

import gc
import inspect
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation import live, remembered
from tests.mutation.changes import Mutant, naming
from tests.mutation.reach import Line, Reach

SLOWEST_TIMES, SLOWEST_S, HANGS_S = 12, 8.0, 120.0
"""A test that takes so many times the processor it takes without the change, and so many seconds, has noticed; one
that only waits, after so many seconds of the wall's."""
KILLED, LIVES, NOT_SO = 1, 0, 3


@dataclass(frozen=True, slots=True)
class Learnt:
    """A test: which lines it runs and how long it takes."""

    item: pytest.Item
    lines: frozenset[Line]
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one change. `by`: the test that failed, or why it was not tried."""

    change: Mutant
    killed: bool
    by: str
    seconds: float


@dataclass
class Kept:
    """The plugin. `told` gets each verdict; what cannot be changed in memory is given to `afresh`."""

    top: Path
    changes: Sequence[Mutant]
    patience_s: float
    told: Callable[[Verdict], None]
    afresh: Callable[[Mutant, Sequence[Learnt]], Verdict]
    files: frozenset[str]  # whose lines are learnt
    keeps: Path | None = None  # where to, for the next run
    learnt: list[Learnt] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # tests that fail in here without any change
    trusted: set[str] = field(default_factory=set)  # tests that were seen to pass in a child

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("tests cannot be collected without any change")
        with silence():
            if not self._remember(session.items):
                self._learn(session.items)
        alive = live.Alive.now()
        gc.freeze()  # a child's collector need not touch, and so copy, what was there before
        took = sum(each.seconds for each in self.learnt)
        near = sum(bool(each.lines) for each in self.learnt)
        print(
            f"{near} of {len(self.learnt)} tests reach the room, {took:.0f} s; left out: {self.left_out or 'none'}",
            flush=True,
        )
        if not near and any(each.within_a_function for each in self.changes):
            raise session.Interrupted("no test is seen to run a line of the room: nothing can be found so")
        for change in self.changes:
            self.told(self._tried(change, alive))
        return True

    def _remember(self, items: Sequence[pytest.Item]) -> bool:
        """Take over what an earlier run has learnt, and run a test of each file: what is set up once then is."""
        known = remembered.read(self.keeps, self.top)
        if known is None or {each.nodeid for each in items} != {*known.tests, *known.left_out}:
            return False
        self.left_out = list(known.left_out)
        self.learnt = [
            Learnt(each, known.tests[each.nodeid][1], known.tests[each.nodeid][0])
            for each in items
            if each.nodeid in known.tests
        ]
        first = list({each.item.path: each.item for each in sorted(self.learnt, key=_seconds, reverse=True)}.values())
        for each in first:
            _ran(each, first[0])
        return True

    def _learn(self, items: Sequence[pytest.Item]) -> None:
        reach = Reach(self.top, self.files)
        with reach.noting():
            for number, item in enumerate(items):
                began = time.process_time()
                reports = runtestprotocol(item, log=False, nextitem=items[(number + 1) % len(items)])
                seconds, lines = time.process_time() - began, reach.taken()
                if any(each.failed for each in reports):
                    self.left_out.append(item.nodeid)
                else:
                    self.learnt.append(Learnt(item, lines, seconds))
        told = ((each.item.nodeid, (each.seconds, each.lines)) for each in self.learnt)
        remembered.write(self.keeps, self.top, told, self.left_out)

    def _tried(self, change: Mutant, alive: live.Alive) -> Verdict:
        began = time.monotonic()
        text = (self.top / change.file).read_text("utf-8")
        file = str(self.top / change.file)
        lines = {(file, each) for each in change.lines}
        near = _nearest(change.file)
        reaching = sorted((each for each in self.learnt if lines & each.lines), key=near)
        if not reaching and change.names:  # a function in a table: it is no statement of any other
            reaching = list(self._who_use(change))
        if not reaching and change.within_a_function:  # it may run at import: what a table is made with
            return self.afresh(change, self._within(self._who_use(change), IMPORTED))
        before, after = (compile(each, file, "exec") for each in (text, change.applied(text)))
        while failed := self._child(lambda: live.put(file, before, after, alive), self._within(reaching)):
            if self._is_trusted(failed):
                break
            reaching = [each for each in reaching if each.item.nodeid not in self.left_out]
        if failed is None:
            return self.afresh(change, self._within(self._who_use(change), IMPORTED))
        passed = f"{len(self._within(reaching))} of {len(reaching)} tests pass"
        return Verdict(change, killed=failed != "", by=failed or passed, seconds=time.monotonic() - began)

    def _who_use(self, change: Mutant) -> Sequence[Learnt]:
        """For what is there at import: first tests that speak of it or run lines that do, then those of its file."""
        told = {(str(self.top / each), (self.top / each).read_text("utf-8")) for each in self.files}
        lines = {(file, line) for file, text in told for line in naming(text, change.names)}
        here, nearest = str(self.top / change.file), _nearest(change.file)

        def order(each: Learnt) -> tuple[int, tuple[bool, float]]:
            near = 0 if _speaks_of(each.item, change.names) or lines & each.lines else 1
            return near if near == 0 or any(file == here for file, _ in each.lines) else 2, nearest(each)

        return sorted(self.learnt, key=order)

    def _is_trusted(self, name: str) -> bool:
        """Whether the test passes in a child without any change: a server in a thread, for one, is not there."""
        nodeid = name.removesuffix(TIMED_OUT)
        if nodeid not in self.trusted:
            mine = [each for each in self.learnt if each.item.nodeid == nodeid]
            if self._child(lambda: None, mine) == "":
                self.trusted.add(nodeid)
            else:
                self.left_out.append(nodeid)
                self.learnt = [each for each in self.learnt if each.item.nodeid != nodeid]
        return nodeid in self.trusted

    def _within(self, tests: Iterable[Learnt], most: int = 100_000) -> Sequence[Learnt]:
        """The quickest, as many as patience lasts."""
        some, seconds = [], 0.0
        for each in tests:
            seconds += each.seconds
            if (some and seconds > self.patience_s) or len(some) == most:
                break
            some.append(each)
        return some

    def _child(self, change: Callable[[], bool | None], tests: Sequence[Learnt]) -> str | None:
        """The test that failed, `""` where none did, None where the change cannot be put into memory."""
        ends, ours = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            os.close(ends)
            _lived(change, tests, ours)
        os.close(ours)
        with os.fdopen(ends) as said:
            names = said.read().splitlines()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # processes it may have started
        if code in {LIVES, NOT_SO}:
            return "" if code == LIVES else None
        return names[-1] + (TIMED_OUT if code != KILLED else "") if names else "the process"


IMPORTED = 200  # tests at most, where the service has to be imported anew
TIMED_OUT = " (took too long)"


def _speaks_of(item: pytest.Item, names: frozenset[str]) -> bool:
    """Whether a test has one of these names in its own text."""
    text = inspect.getsource(item.function) if isinstance(item, pytest.Function) else ""
    return any(name in text for name in names)


def _seconds(each: Learnt) -> float:
    return each.seconds


def _nearest(file: str) -> Callable[[Learnt], tuple[bool, float]]:
    """The order in which tests are asked: first those of who imports what is changed, the quickest first."""
    name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cache
    def imports(module: object) -> bool:
        ours = (one for one in vars(module).values() if isinstance(one, ModuleType | FunctionType | type))
        return any(name in {one.__name__, getattr(one, "__module__", "")} for one in ours)

    return lambda each: (not imports(getattr(each.item, "module", each.item)), each.seconds)


def _lived(change: Callable[[], bool | None], tests: Sequence[Learnt], said: int) -> None:
    """In the child: run them, name each before it runs, end at the first that fails. Does not return."""
    os.setpgid(0, 0)
    quiet = silence()  # kept: where nobody holds it any more, it ends
    quiet.__enter__()
    for each in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(each, signal.SIG_DFL)
    if change() is False:
        os._exit(NOT_SO)
    try:
        for place, each in enumerate(tests):
            os.write(said, f"{each.item.nodeid}\n".encode())
            signal.setitimer(signal.ITIMER_PROF, max(SLOWEST_S, SLOWEST_TIMES * each.seconds))
            signal.setitimer(signal.ITIMER_REAL, HANGS_S)
            if place == 0:
                each.item.session._setupstate.teardown_exact(each.item)
            following = tests[(place + 1) % len(tests)].item
            if any(one.failed for one in _ran(each.item, following)):
                os._exit(KILLED)
    except BaseException:  # noqa: BLE001 - also what a change throws at pytest itself
        os._exit(KILLED)
    os._exit(LIVES)


@contextmanager
def silence() -> Iterator[None]:
    """What tests print is of no interest here."""
    kept = [os.dup(each) for each in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for each in (1, 2):
        os.dup2(nowhere, each)
    try:
        yield
    finally:
        for each, was in enumerate(kept, 1):
            os.dup2(was, each)
            os.close(was)
        os.close(nowhere)


def _ran(item: pytest.Item, following: pytest.Item) -> Sequence[pytest.TestReport]:
    if hasattr(item, "_initrequest"):
        item._initrequest()
    if following is item:  # the only one: its teardown must not end the session's fixtures
        following = next((each for each in item.session.items if each is not item), item)
    return runtestprotocol(item, log=False, nextitem=following)
