"""Tells the supervisor, such as systemd, that the server is ready, reloads, works or stops."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, MutableMapping

_SEND_PATIENCE = 5.0
"""For how many seconds a message waits for a supervisor that does not read."""

_BEATS = 3
"""How often the watchdog hears from a server that works, in the time after which it gives the server up."""

_LEAST_PATIENCE = 2.0
"""For how many seconds at least a piece of work may take, however impatient the watchdog is."""

_log = logging.getLogger(__name__)


class Supervisor:
    """The program that has started the server and wants messages, as in sd_notify(3). Without one, nothing is sent.

    The variables that ask for the messages are taken out of the environment. So no child process sends any.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        self._address = _address(environment.pop("NOTIFY_SOCKET", ""))
        # Seconds. 0 means that no watchdog watches this process.
        self._watchdog = _watchdog(environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", ""))
        self._stopping = threading.Event()

    def say_ready(self, status: str = "") -> None:
        """Say that the server serves, perhaps after it has reloaded. `status` is words for a person."""
        self._say("READY=1", *([f"STATUS={status}"] if status else []))

    def say_reloading(self) -> None:
        """Say that the server reads its files again, until `say_ready`."""
        # systemd waits for a reload that began after its request.
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def say_stopping(self) -> None:
        """Say that the server drains. This is the last message."""
        self._say("STOPPING=1", "STATUS=Draining")
        self._stopping.set()

    def watch(self, is_moving: Callable[[float], bool]) -> None:
        """Start a thread that tells the watchdog, if there is one, that the server works.

        `is_moving` returns whether no piece of the server's work takes longer than a number of seconds. The thread
        sends nothing while it does not. So the watchdog ends a server that is stuck.
        """
        if self._address is None or not self._watchdog:
            return
        patience = max(self._watchdog, _LEAST_PATIENCE)

        def beat() -> None:
            while not self._stopping.wait(self._watchdog / _BEATS):
                if is_moving(patience):
                    self._say("WATCHDOG=1")

        threading.Thread(target=beat, name="watchdog", daemon=True).start()

    def _say(self, *lines: str) -> None:
        if self._address is None or self._stopping.is_set():
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                sending.settimeout(_SEND_PATIENCE)
                sending.sendto("\n".join(lines).encode(), self._address)
        # The server serves all the same.
        except OSError as error:
            _log.warning("the supervisor was not told", extra={"message_lost": lines[0], "error": str(error)})


def _address(name: str) -> str | None:
    """Return the address of the supervisor's socket: a path, or a name after @ that is no file."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else None


def _watchdog(microseconds: str, process_id: str) -> float:
    """Return after how many seconds without a message a watchdog gives this process up. 0: there is none."""
    if process_id and process_id != str(os.getpid()):
        return 0.0
    return int(microseconds) / 1_000_000 if microseconds.isdecimal() else 0.0
