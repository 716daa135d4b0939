"""The waker wakes a waiting thread however often it is called, and leaves nothing open."""

from __future__ import annotations

import os
import select

import pytest

from chatbooth_grpc.wire.server.waker import Waker


def test_it_is_ready_from_a_wake_to_the_clearing() -> None:
    waker = Waker()
    poll = select.poll()
    poll.register(waker, select.POLLIN)
    assert poll.poll(0) == []
    waker.wake()
    waker.wake()
    assert poll.poll(0) == [(waker.fileno(), select.POLLIN)]
    waker.clear()
    assert poll.poll(0) == []
    waker.close()


def test_waking_never_blocks() -> None:
    waker = Waker()
    for _ in range(70_000):  # a pipe takes 65,536 bytes
        waker.wake()
    poll = select.poll()
    poll.register(waker.fileno(), select.POLLIN)
    assert poll.poll(0) == [(waker.fileno(), select.POLLIN)]
    waker.close()


def test_closing_gives_both_ends_back() -> None:
    waker = Waker()
    ends = waker._woken, waker._wake
    waker.close()
    for end in ends:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)
