"""A pool counts in its bulkhead the functions that run and wait."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool
from tests.booth.spies import Gate
from tests.rpc.running import PATIENCE


@pytest.fixture
def bulkhead() -> Bulkhead:
    """Room for three."""
    return Bulkhead("tests at once", working=2, waiting=1)


@pytest.fixture
def pool(bulkhead: Bulkhead) -> Iterator[CountedPool]:
    """Two threads, and the bulkhead."""
    with CountedPool("test", 2, bulkhead=bulkhead) as pool:
        yield pool


def settled(futures: list[Future[Any]]) -> None:
    """Wait until the pool no longer counts any of these."""
    for future in futures:
        future.exception(timeout=PATIENCE)


def test_a_pool_knows_how_full_it_is(pool: CountedPool, bulkhead: Bulkhead) -> None:
    gate = Gate()
    futures: list[Future[Any]] = []
    for _ in range(3):
        assert not bulkhead.is_full
        futures.append(pool.submit(gate.hold))
    assert bulkhead.is_full
    # The pool runs this all the same.
    futures.append(pool.submit(int, "1"))
    gate.open()
    settled(futures)
    pool.shutdown(wait=True)
    assert not bulkhead.is_full
    assert futures[-1].result() == 1


def test_a_failed_and_a_cancelled_function_make_room(pool: CountedPool, bulkhead: Bulkhead) -> None:
    gate = Gate()
    held = [pool.submit(gate.hold) for _ in range(2)]
    waiting = pool.submit(int, "1")
    assert bulkhead.is_full
    assert waiting.cancel()
    assert not bulkhead.is_full
    failing = pool.submit(int, "x")
    assert bulkhead.is_full
    gate.open()
    settled(held)
    assert isinstance(failing.exception(timeout=PATIENCE), ValueError)
    pool.shutdown(wait=True)
    assert not bulkhead.is_full


def test_a_pool_without_a_bulkhead_takes_any_number() -> None:
    with CountedPool("test", 1) as pool:
        gate = Gate()
        futures = [pool.submit(gate.hold) for _ in range(1_000)]
        with pool.counted():
            gate.open()
        settled(futures)
    assert pool.bulkhead is None


def test_a_call_that_needs_no_thread_is_counted_while_it_runs(pool: CountedPool, bulkhead: Bulkhead) -> None:
    with pool.counted(), pool.counted():
        assert not bulkhead.is_full
        with pool.counted():
            assert bulkhead.is_full
        assert not bulkhead.is_full
