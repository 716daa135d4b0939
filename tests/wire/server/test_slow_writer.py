"""The thread that writes to slow clients: which connections it has, and until when."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from chatbooth_grpc.wire.server.slow_writer import SlowWriter
from tests.wire.running import PATIENCE


class Leaver:
    """A connection that still has bytes to write a few times, and notes the methods that are called."""

    def __init__(self, settles: list[bool]) -> None:
        self.asked: list[str] = []
        self.settled = threading.Event()
        self._settles = settles

    def write_left(self) -> bool:
        self.asked.append("write")
        return True

    def settle(self) -> bool:
        self.asked.append("settle")
        settles = self._settles.pop(0)
        if settles:
            self.settled.set()
        return settles

    def give_up(self) -> None:
        self.asked.append("give up")


@pytest.fixture
def slow_writer() -> Iterator[SlowWriter]:
    """The thread."""
    slow_writer = SlowWriter()
    yield slow_writer
    slow_writer.stop()


@pytest.fixture
def near() -> Iterator[socket.socket]:
    """A socket that can be written to."""
    near, far = socket.socketpair()
    with near, far:
        yield near


def test_bytes_that_were_left_during_a_write_are_written_too(slow_writer: SlowWriter, near: socket.socket) -> None:
    leaver = Leaver([False, True])
    slow_writer.add(near.fileno(), leaver)
    assert leaver.settled.wait(PATIENCE)
    assert leaver.asked == ["write", "settle", "write", "settle"]


def test_a_connection_that_has_settled_may_come_again(slow_writer: SlowWriter, near: socket.socket) -> None:
    for _ in range(3):
        leaver = Leaver([True])
        slow_writer.add(near.fileno(), leaver)
        assert leaver.settled.wait(PATIENCE)


def test_a_socket_that_cannot_be_watched_is_given_up(slow_writer: SlowWriter) -> None:
    leaver = Leaver([True])
    slow_writer.add(1 << 20, leaver)  # no such descriptor
    assert leaver.settled.wait(PATIENCE)
    assert leaver.asked == ["give up", "settle"]


def test_a_bug_ends_one_connection_alone(
    slow_writer: SlowWriter, near: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    class Bad(Leaver):
        def write_left(self) -> bool:
            raise ZeroDivisionError

    bad, good = Bad([True]), Leaver([True])
    slow_writer.add(near.fileno(), bad)
    assert bad.settled.wait(PATIENCE)
    assert bad.asked == ["give up", "settle"]
    slow_writer.add(near.fileno(), good)
    assert good.settled.wait(PATIENCE)
    assert "a connection failed" in caplog.text


def test_more_connections_than_its_pipe_takes_are_all_served(slow_writer: SlowWriter, near: socket.socket) -> None:
    held = threading.Event()

    class Holding(Leaver):
        def write_left(self) -> bool:
            held.wait(PATIENCE)
            return super().write_left()

    holding = Holding([True])
    slow_writer.add(near.fileno(), holding)
    others = [Leaver([True]) for _ in range(70_000)]  # a pipe takes 65,536 bytes
    for other in others:
        slow_writer.add(1 << 20, other)
    held.set()
    assert others[-1].settled.wait(PATIENCE)
    assert holding.settled.wait(PATIENCE)
