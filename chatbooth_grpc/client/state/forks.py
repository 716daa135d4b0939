"""Refusing to use a client or an outbox in the child of a fork."""

# Connections and threads belong to one process. They do not live on in the child of a fork.

from __future__ import annotations

import os


class UsedAfterFork(RuntimeError):
    """A client or an outbox was used in the child of a fork, where its connection and its threads are not its own."""

    def __init__(self) -> None:
        super().__init__(
            "this was opened by the parent process, before a fork; open a client, and an outbox, in each process: "
            "ChatClient.connect(..., session=...) goes on with the session"
        )


class OneProcess:
    """Remembers the process that made it."""

    __slots__ = ("_process",)

    def __init__(self) -> None:
        self._process = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is still the same process."""
        return os.getpid() == self._process

    def check(self) -> None:
        """Raise UsedAfterFork in any other process."""
        if os.getpid() != self._process:
            raise UsedAfterFork
