"""The signals of the server's process: some end it with a drain, all others that could end it are logged and ignored.

SIGHUP has two meanings. A terminal that closes sends it to the programs that were started there, and a supervisor sends
it for a reload. So it ends a server that was started in a terminal, and no other. `nohup` asks for the latter, too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable

_PATIENCE = 1.0
"""Seconds in which another signal is the same request: a terminal and a wrapper such as make both pass Ctrl-C on."""

_log = logging.getLogger("chatbooth_grpc.server")


def _known(names: Iterable[str]) -> frozenset[int]:
    """Return the signals of these names that this system has."""
    return frozenset(getattr(signal, name) for name in names if hasattr(signal, name))


_REAL_TIME = frozenset(range(signal.SIGRTMIN, signal.SIGRTMAX + 1)) if hasattr(signal, "SIGRTMIN") else frozenset()
# A person, a supervisor, a used-up limit of processor time, a power supply that runs out and LXC's halt.
_ENDING = _known(["SIGTERM", "SIGINT", "SIGQUIT", "SIGXCPU", "SIGPWR"])
# Each would end a process that does not expect it. SIGTTOU would stop one that logs to a terminal in the background.
_IGNORED = _REAL_TIME | _known(
    ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGSTKFLT", "SIGTTOU"]
)


class Signals:
    """The process's signals, held for `sigwait`. Threads inherit that, so make this before any thread starts.

    A handler would not do: Python runs it only once the main thread wakes, and a signal that another thread takes, or
    that comes just before the main thread blocks, does not wake it.
    """

    def __init__(self) -> None:
        ends_with_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()
        self._ending = _ENDING | {signal.SIGHUP} if ends_with_terminal else _ENDING
        self._held = self._ending | _IGNORED | {signal.SIGHUP}
        for number in (signal.SIGTERM, signal.SIGINT):  # Python's own handler, or ignored by a shell's `&`
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, self._held)

    def wait_for_end(self) -> str:
        """Wait for a signal that ends the server; return its name."""
        while True:
            number = signal.sigwait(self._held)
            if number in self._ending:
                return _name(number)
            _log_ignored(number)

    def watch_drain(self, cut_short: Callable[[], None]) -> None:
        """Call `cut_short` once, at a second request to end, on a thread of its own."""
        started = time.monotonic()

        def watch() -> None:
            name = self.wait_for_end()
            while time.monotonic() - started <= _PATIENCE:
                name = self.wait_for_end()
            _log.warning("drain cut short: calls in progress are not waited for", extra={"signal": name})
            cut_short()

        threading.Thread(target=watch, name="signals", daemon=True).start()


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    with contextlib.suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return False


def _log_ignored(number: int) -> None:
    if number == signal.SIGHUP:
        _log.info("nothing to reload: a changed setting needs a restart", extra={"signal": _name(number)})
    else:
        _log.warning("signal ignored", extra={"signal": _name(number)})


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
