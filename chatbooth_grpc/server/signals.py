"""Decides which signals end the server's process with a drain and which it ignores."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable

_PATIENCE = 1.0
"""A second signal within these seconds is the same request. A terminal and a wrapper such as make both send Ctrl-C."""

_log = logging.getLogger("chatbooth_grpc.server")


def _known(names: Iterable[str]) -> frozenset[int]:
    """Return the numbers of those named signals that this system has."""
    return frozenset(getattr(signal, name) for name in names if hasattr(signal, name))


_REAL_TIME = frozenset(range(signal.SIGRTMIN, signal.SIGRTMAX + 1)) if hasattr(signal, "SIGRTMIN") else frozenset()
# They come from a person, a supervisor, a limit of processor time that is used up, a failing power supply, and LXC when
# it halts a container.
_ENDING = _known(["SIGTERM", "SIGINT", "SIGQUIT", "SIGXCPU", "SIGPWR"])
# Each of these would end a process that does not expect it. SIGTTOU would stop a background process that logs to a
# terminal.
_IGNORED = _REAL_TIME | _known(
    ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGSTKFLT", "SIGTTOU"]
)


class Signals:
    """The process's signals, blocked so that `sigwait` receives them.

    Threads inherit the blocked signals, so make this before any thread starts.

    A signal handler would not suffice. Python runs it only when the main thread wakes. A signal does not wake the main
    thread if another thread receives it, or if it comes just before the main thread blocks.

    SIGHUP has two meanings. A terminal that closes sends it to the programs that were started there. A supervisor sends
    it to ask for a reload. So it ends a server that was started in a terminal, and no other server. `nohup` makes the
    process ignore SIGHUP, and then it does not end the server either.
    """

    def __init__(self) -> None:
        ends_with_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()
        # SIGHUP calls this function if it does not end the server.
        self.reload: Callable[[], None] = lambda: None
        self._ending = _ENDING | {signal.SIGHUP} if ends_with_terminal else _ENDING
        self._held = self._ending | _IGNORED | {signal.SIGHUP}
        # Python itself has a handler for SIGINT, and a shell that starts a program with `&` makes it ignore SIGINT.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, self._held)

    def wait_for_end(self) -> str:
        """Wait for a signal that ends the server, and return its name."""
        while True:
            number = signal.sigwait(self._held)
            if number in self._ending:
                return _name(number)
            if number == signal.SIGHUP:
                self.reload()
            else:
                _log.warning("signal ignored", extra={"signal": _name(number)})

    def watch_drain(self, cut_short: Callable[[], None]) -> None:
        """Start a thread that calls `cut_short` once, when a second request to end comes."""
        started = time.monotonic()

        def watch() -> None:
            name = self.wait_for_end()
            while time.monotonic() - started <= _PATIENCE:
                name = self.wait_for_end()
            _log.warning("drain cut short: calls in progress are not waited for", extra={"signal": name})
            cut_short()

        threading.Thread(target=watch, name="signals", daemon=True).start()


def _has_terminal() -> bool:
    """Return whether this process has a controlling terminal."""
    with contextlib.suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return False


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
