"""A state that lasts, such as a full disk: one log line when it begins, one when it ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

QUIET = 10.0
"""For how many seconds nothing must be refused before the state counts as ended.

A nearly full disk takes one write and refuses the next. Without this pause each of them would be a line in the log.
"""


class LastingState:
    """Counts the refusals of one cause, and logs the first of them and the end. Many threads may use it."""

    def __init__(
        self,
        log: logging.Logger,
        begins: str,
        ends: str,
        *,
        quiet: float = QUIET,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`begins` and `ends` are the two lines. `quiet` is in seconds, `now` gives monotonic seconds."""
        self._log = log
        self._begins = begins
        self._ends = ends
        self._quiet = quiet
        self._now = now
        self._lock = threading.Lock()
        self._reasons: set[str] = set()
        self._since = 0.0
        self._last = 0.0
        self._refused = 0

    @property
    def lasts(self) -> bool:
        """Whether the state has begun and has not ended."""
        return bool(self._reasons)

    @property
    def cause(self) -> str:
        """The reasons of the state so far. It is empty if the state does not last."""
        with self._lock:
            return ", ".join(sorted(self._reasons))

    def refused(self, reason: str, count: int = 1) -> None:
        """Note refusals. The state begins with the first one. Each further reason gets its own line in the log.

        `count` is 0 if their number is not known.
        """
        with self._lock:
            now = self._last = self._now()
            if not self._reasons:
                self._since, self._refused = now, 0
            self._refused += count
            is_new = reason not in self._reasons
            self._reasons.add(reason)
        if is_new:
            self._log.error(self._begins, extra={"cause": reason})

    def worked(self) -> None:
        """Note a success. It ends the state if nothing was refused for `quiet` seconds before it."""
        if not self._reasons:
            return
        with self._lock:
            now = self._now()
            if not self._reasons or now - self._last < self._quiet:
                return
            self._reasons = set()
            fields: dict[str, float] = {"refused": self._refused} if self._refused else {}
            fields["seconds"] = round(now - self._since, 1)
        self._log.warning(self._ends, extra=fields)
