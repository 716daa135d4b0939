"""Actions of a `Disk` before its calls: fail, wait, count."""

from __future__ import annotations

import sys
import threading
from collections.abc import Container
from itertools import count

import apsw

WAL = "-wal"
EVERY_CALL = range(sys.maxsize)


class Failing:
    """Fails calls on the files whose names end so with an SQLite error code: those numbered in `calls`, from 0."""

    def __init__(self, code: int, file: str = WAL, calls: Container[int] = EVERY_CALL) -> None:
        self.code = code
        self.file = file
        self.calls = calls
        self.failed = False
        self._numbers = count()

    def __call__(self, name: str) -> None:
        if name.endswith(self.file) and next(self._numbers) in self.calls:
            self.failed = True
            raise apsw.exception_for(self.code)


class Gate:
    """Holds calls on the WAL until it is opened, or its context ends. `reached` is set when a call has come."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, name: str) -> None:
        if name.endswith(WAL):
            self.reached.set()
            self._open.wait()

    def open(self) -> None:
        self._open.set()

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_: object) -> None:
        self.open()


class Counting:
    """Counts the calls on the WAL."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, name: str) -> None:
        self.calls += name.endswith(WAL)
