from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.shared import Shared


def test_callers_that_wait_share_one_run_that_began_after_they_asked() -> None:
    may_end, began = threading.Event(), threading.Event()
    runs: list[int] = []

    def action() -> None:
        runs.append(len(runs))
        began.set()
        assert may_end.wait(10)

    shared = Shared(action)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(shared.run)
        assert began.wait(10)
        others = [pool.submit(shared.run) for _ in range(6)]
        while shared._asked < 7:
            threading.Event().wait(0.001)
        may_end.set()
        for done in (first, *others):
            done.result(10)
    assert len(runs) == 2  # the first one's, which began before the six asked, and one for the six
    shared.run()
    assert len(runs) == 3


def test_a_failure_reaches_its_caller_and_the_next_one_runs_again() -> None:
    outcomes = iter((OSError("full"), None))

    def action() -> None:
        if error := next(outcomes):
            raise error

    shared = Shared(action)
    with pytest.raises(OSError, match="full"):
        shared.run()
    shared.run()
