"""The shared reader takes small reads of many connections, and gives back all other bytes."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.wire.server.sends import Sends
from chatbooth_grpc.wire.server.shared_reader import CAN_SHARE, READ_SIZE, SharedReader
from chatbooth_grpc.wire.streams.plain_stream import PlainStream
from tests.wire.running import PATIENCE
from tests.wire.scripted_stream import ScriptedStream

pytestmark = pytest.mark.skipif(not CAN_SHARE, reason="the system has no epoll")


class Borrowed:
    """A connection that is lent. It takes the data for which `takes` returns True."""

    def __init__(self, reader: SharedReader, takes: Callable[[bytes], bool] = lambda _: True) -> None:
        self.near, self.far = socket.socketpair()
        self.taken: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.given_back: queue.SimpleQueue[bytes | OSError] = queue.SimpleQueue()
        self._takes = takes
        self.stream = PlainStream(self.near)
        assert reader.lend(self.stream, self)

    def take_quickly(self, data: bytes, _sends: Sends) -> bool:
        if not self._takes(data):
            return False
        self.taken.put(data)
        return True

    def give_back(self, data: bytes | OSError) -> None:
        self.given_back.put(data)

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[SharedReader]:
    with SQLiteStore(tmp_path / "chatbooth.db") as store:
        reader = SharedReader(Booth(store))
        yield reader
        reader.stop()
        assert not reader._thread.is_alive()


@pytest.fixture
def lend(reader: SharedReader) -> Iterator[Callable[..., Borrowed]]:
    with contextlib.ExitStack() as stack:

        def lend(*takes: Callable[[bytes], bool]) -> Borrowed:
            borrowed = Borrowed(reader, *takes)
            stack.callback(borrowed.close)
            return borrowed

        yield lend


def test_data_is_taken_for_as_long_as_the_connection_is_lent(lend: Callable[..., Borrowed]) -> None:
    many = [lend() for _ in range(10)]
    for round_number in range(5):
        for number, one in enumerate(many):
            one.far.sendall(b"%d of %d" % (round_number, number))
        for number, one in enumerate(many):
            assert one.taken.get(timeout=PATIENCE) == b"%d of %d" % (round_number, number)
    assert all(one.given_back.empty() for one in many)


def test_data_that_may_not_be_taken_is_given_back_and_no_more_is_read(
    lend: Callable[..., Borrowed], reader: SharedReader
) -> None:
    one, other = lend(lambda data: data != b"slow"), lend()
    one.far.sendall(b"quick")
    assert one.taken.get(timeout=PATIENCE) == b"quick"
    one.far.sendall(b"slow")
    assert one.given_back.get(timeout=PATIENCE) == b"slow"
    one.far.sendall(b"later")
    other.far.sendall(b"beside")
    assert other.taken.get(timeout=PATIENCE) == b"beside"
    assert one.near.recv(100) == b"later"
    assert reader.lend(one.stream, one)
    one.far.sendall(b"again")
    assert one.taken.get(timeout=PATIENCE) == b"again"


def test_a_large_read_is_given_back_untried(lend: Callable[..., Borrowed]) -> None:
    one = lend()
    one.far.sendall(bytes(READ_SIZE + 1))
    assert one.given_back.get(timeout=PATIENCE) == bytes(READ_SIZE)
    assert one.near.recv(100) == b"\0"
    assert one.taken.empty()


@pytest.mark.parametrize("how", [socket.SHUT_WR, socket.SHUT_RDWR])
def test_an_end_is_given_back(lend: Callable[..., Borrowed], how: int) -> None:
    one = lend()
    one.far.shutdown(how)
    assert one.given_back.get(timeout=PATIENCE) == b""


def test_a_reset_is_given_back_as_its_error(reader: SharedReader) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        far = socket.create_connection(listening.getsockname())
        near, _ = listening.accept()
    one = Borrowed.__new__(Borrowed)
    one.given_back = queue.SimpleQueue()
    with near:
        assert reader.lend(PlainStream(near), one)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        assert isinstance(one.given_back.get(timeout=PATIENCE), ConnectionResetError)


def test_a_bug_ends_one_connection_and_not_the_reader(lend: Callable[..., Borrowed]) -> None:
    def fail(_: bytes) -> bool:
        raise LookupError("a defect, made for this test")

    one, other = lend(fail), lend()
    one.far.sendall(b"x")
    assert isinstance(one.given_back.get(timeout=PATIENCE), OSError)
    other.far.sendall(b"y")
    assert other.taken.get(timeout=PATIENCE) == b"y"


def test_a_closed_stream_is_not_lent(reader: SharedReader) -> None:
    one, other = socket.socketpair()
    stream = PlainStream(one)
    one.close()
    other.close()
    assert not reader.lend(stream, Borrowed.__new__(Borrowed))
    stream.close()
    assert not reader.lend(stream, Borrowed.__new__(Borrowed))
    assert not reader._lent


# Over a scripted stream


class Scripted(Borrowed):
    """A scripted stream that is lent."""

    def __init__(self, reader: SharedReader) -> None:
        self.taken = queue.SimpleQueue()
        self.given_back = queue.SimpleQueue()
        self._takes = lambda _: True
        self.scripted = ScriptedStream()
        assert reader.lend(self.scripted, self)


@pytest.fixture
def scripted(reader: SharedReader) -> Iterator[Scripted]:
    one = Scripted(reader)
    yield one
    one.scripted.close()


def test_bytes_that_make_nothing_readable_yet_leave_it_lent(scripted: Scripted) -> None:
    """They may be a part of a record that can be decrypted only when it is whole."""
    scripted.scripted.arrive(None, None, b"whole")
    assert scripted.taken.get(timeout=PATIENCE) == b"whole"
    scripted.scripted.arrive(None, b"more")
    assert scripted.taken.get(timeout=PATIENCE) == b"more"
    assert scripted.given_back.empty()


def test_more_than_was_asked_for_is_given_back_whole(scripted: Scripted) -> None:
    scripted.scripted.arrive(bytes(16_384))
    assert scripted.given_back.get(timeout=PATIENCE) == bytes(16_384)
    assert scripted.taken.empty()


def test_a_stream_that_breaks_is_given_back_as_its_error(scripted: Scripted) -> None:
    error = ConnectionAbortedError("not decrypted")
    scripted.scripted.arrive(b"good", error)
    assert scripted.taken.get(timeout=PATIENCE) == b"good"
    assert scripted.given_back.get(timeout=PATIENCE) is error
