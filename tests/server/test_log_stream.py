"""The stream of the logs: whole lines in order, and no wait for a reader that is stuck."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from chatbooth_grpc.server.log_stream import LogStream

LONG = "x" * 200_000
"""More than a pipe holds."""


class Pipe:
    """A pipe, and a stream that writes into it."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.stream = LogStream(self.writing)

    def fill(self, line: str = "full") -> int:
        """Write lines until one is not accepted. Return how many were."""
        count = 0
        while self.stream.write(line):
            count += 1
        return count

    def read(self) -> bytes:
        """Return all bytes that are in the pipe now."""
        os.set_blocking(self.reading, False)
        try:
            return b"".join(iter(lambda: os.read(self.reading, 1 << 20), b""))
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Close the ends that are open."""
        for number in (self.reading, self.writing):
            os.close(number)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Return a pipe that is closed after the test."""
    pipe = Pipe()
    yield pipe
    pipe.close()


def read_all(pipe: Pipe, size: int) -> bytes:
    """Read a line that is larger than the pipe. Write between the reads, so that the rest of the line follows."""
    data = b""
    while len(data) < size:
        data += os.read(pipe.reading, 1 << 20)
        pipe.stream.write("next")
    return data


def test_lines_come_whole_and_in_order(pipe: Pipe) -> None:
    for line in ("one", "zwölf \udcff", ""):
        assert pipe.stream.write(line)
    assert os.read(pipe.reading, 1_000) == "one\nzwölf \\udcff\n\n".encode()


def test_a_stream_that_nobody_reads_delays_one_line_and_no_other(pipe: Pipe) -> None:
    written = pipe.fill()
    started = time.monotonic()
    for _ in range(1_000):
        assert not pipe.stream.write("lost")
    # A wait for each line would take 100 s.
    assert time.monotonic() - started < 50
    assert os.read(pipe.reading, 1 << 20) == b"full\n" * written
    assert pipe.stream.write("again")
    assert os.read(pipe.reading, 1_000) == b"again\n"


def test_a_slow_reader_delays_no_line_after_its_first_delay(pipe: Pipe) -> None:
    pipe.fill()
    started = time.monotonic()
    for _ in range(200):
        # There is room for one line, and then none again.
        os.read(pipe.reading, 8_192)
        pipe.fill("x" * 1_000)
    # A wait for each line would take 20 s.
    assert time.monotonic() - started < 10


def test_a_line_that_was_begun_ends_before_the_next_begins(pipe: Pipe) -> None:
    # A part of this line waits.
    assert pipe.stream.write(LONG)
    assert not pipe.stream.write("too soon")
    data = read_all(pipe, len(LONG) + 1)
    assert data.startswith(LONG.encode() + b"\nnext\n")
    assert b"too soon" not in data


def test_a_non_blocking_pipe_gives_the_same_lines(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing, False)
    assert pipe.fill() > 0
    assert pipe.stream.write(LONG) is False
    os.read(pipe.reading, 1 << 20)
    assert pipe.stream.write("again")


def test_a_full_disk_and_a_closed_pipe_raise_nothing(pipe: Pipe) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    stream = LogStream(full)
    assert not stream.write("lost")
    os.close(full)
    os.close(pipe.reading)
    assert not pipe.stream.write("lost")
    pipe.reading = os.open(os.devnull, os.O_RDONLY)


def test_a_stopped_terminal_delays_nobody() -> None:
    """A terminal is writable as soon as it takes a byte, and would block for the rest of a line."""
    near, far = os.openpty()
    try:
        stream = LogStream(far)
        count = 0
        while stream.write("x" * 1_000):
            count += 1
        assert not stream.write("lost")
        read = b""
        while read.count(b"x") < 1_000 * count:
            read += os.read(near, 1 << 20)
            # The rest of a begun line comes first.
            stream.write("")
        assert os.get_blocking(far)
    finally:
        os.close(near)
        os.close(far)
