"""A double of argon2 that records what it verifies, and a gate that holds threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

import argon2
import pytest

Verify = Callable[[argon2.PasswordHasher, str | bytes, str | bytes], bool]


class Argon2Spy:
    """Records the hashes that argon2 verifies. It calls `during` in each verification."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.verified: list[str] = []
        self.during: Callable[[], object] = lambda: None
        verify: Verify = argon2.PasswordHasher.verify

        def noted(hasher: argon2.PasswordHasher, password_hash: str, password: bytes) -> bool:
            self.verified.append(password_hash)
            self.during()
            return verify(hasher, password_hash, password)

        monkeypatch.setattr(argon2.PasswordHasher, "verify", noted)


class Gate:
    """Holds each thread that comes, until it is opened. A test can wait until the first thread has come."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._opened = threading.Event()

    def hold(self) -> None:
        """Wait here until the gate is opened."""
        self._reached.set()
        assert self._opened.wait(20)

    def wait_until_reached(self) -> None:
        """Return when a thread waits at the gate."""
        assert self._reached.wait(20)

    def open(self) -> None:
        """Let all threads continue."""
        self._opened.set()
