"""Threads on demand run every function, also when the system allows no more threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from chatbooth_grpc.rpc.grpcio.threads_on_demand import ThreadsOnDemand
from tests.booth.spies import Gate
from tests.rpc.running import PATIENCE


@pytest.fixture
def pool() -> Iterator[ThreadsOnDemand]:
    """One thread before the first call, at most three."""
    with ThreadsOnDemand("test", 1, most=3) as pool:
        yield pool


def test_each_that_waits_has_a_thread_of_its_own(pool: ThreadsOnDemand) -> None:
    assert pool.threads == 1
    together = threading.Barrier(3, timeout=PATIENCE)
    waiting = [pool.submit(together.wait) for _ in range(3)]
    assert sorted(each.result(PATIENCE) for each in waiting) == [0, 1, 2]


def test_a_function_waits_for_a_thread_if_the_system_allows_no_more(
    pool: ThreadsOnDemand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    gate = Gate()
    first = pool.submit(gate.hold)
    gate.wait_until_reached()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more)
        second = pool.submit(int, "2")
    assert not second.done()
    gate.open()
    first.result(PATIENCE)
    assert second.result(PATIENCE) == 2


def test_an_error_reaches_the_caller_that_waits(pool: ThreadsOnDemand) -> None:
    assert isinstance(pool.submit(int, "x").exception(PATIENCE), ValueError)
