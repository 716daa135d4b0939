"""The writes that clients have not taken, with their sizes, owners and times."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

from chatbooth_grpc.booth.errors import TooBusy
from chatbooth_grpc.booth.lasting_state import LastingState
from chatbooth_grpc.live.small_writes import CutOff, SmallWrites

STUCK_LIMIT = 5.0
"""How long a client may take nothing of a write, in seconds. Then the write is cut off."""

MOST_SIZE = 64 << 20
"""How many bytes may wait for all clients together."""

SHARE_SIZE = 16 << 20
"""How many bytes may wait for one account, and for one connection. A single write may be larger."""

SMALL_SIZE = 4 << 10
"""A write of at most this many bytes does not count for its owners, since another limit bounds the number of those."""

_SLOWEST_RATE = 64 << 10
"""How many bytes a client must take in a second, beyond the stuck limit. So a large write gets more time."""

_YOUNGEST = 0.25
"""Every write may wait this many seconds, even beyond the limits. Clients take nearly all writes sooner."""

_log = logging.getLogger(__name__)


class Held:
    """One write that its client has not taken."""

    __slots__ = ("cut_off", "owners", "since", "size")

    def __init__(self, size: int, owners: tuple[Hashable, ...], cut_off: Callable[[], None]) -> None:
        self.size = size
        self.owners = owners
        self.cut_off = cut_off
        self.since = time.monotonic()


class Stream(Protocol):
    """A live stream, as the limits on small writes see it."""

    @property
    def waiting_since(self) -> float | None:
        """When the small write began that the client has not taken, in monotonic seconds. None if it has taken all."""

    def cut_off(self) -> None:
        """End the stream at once, from any thread."""


class _Holdings:
    """The writes of all clients, or of one owner, in the order in which they began."""

    __slots__ = ("held", "size")

    def __init__(self) -> None:
        self.held: dict[Held, None] = {}
        self.size = 0


class Unread:
    """Holds writes until clients take them, and cuts off those that exceed a limit: the oldest first.

    Many threads may use it, and it blocks none of them. It calls `cut_off` on any of them, without a lock.
    """

    def __init__(
        self,
        *,
        most: int | None = None,
        most_size: int = MOST_SIZE,
        share_size: int = SHARE_SIZE,
        stuck_limit: float = STUCK_LIMIT,
    ) -> None:
        """`most` is how many small writes may wait at once. None means any number.

        Sizes are in bytes, and `stuck_limit` is in seconds.
        """
        self._most_size = most_size
        self._share_size = share_size
        self._stuck_limit = stuck_limit
        self._lock = threading.Lock()
        self._cutting_off = LastingState(_log, "clients that do not read are cut off", "no client is cut off any more")
        self._all = _Holdings()
        self._by_owner: dict[Hashable, _Holdings] = {}
        self._small = SmallWrites(most, _YOUNGEST)
        self._watched: set[Stream] = set()

    def watch(self, stream: Stream) -> None:
        """Cut off a stream if its client does not take its small writes, until `unwatch`.

        This costs less than to hold each of them. The number of streams bounds how many bytes wait in this way.
        """
        with self._lock:
            self._watched.add(stream)

    def unwatch(self, stream: Stream) -> None:
        """Stop watching a stream. A repeat does nothing."""
        with self._lock:
            self._watched.discard(stream)

    def hold(self, size: int, owners: tuple[Hashable, ...], cut_off: Callable[[], None]) -> Held:
        """Note a write of `size` bytes that begins now. `owners` are its account and its connection, if it is large.

        `cut_off` ends the call or the connection whose client does not take the write.
        """
        held = Held(size, owners, cut_off)
        with self._lock:
            late = self._add(held)
        if late:
            self._cut_off("too much waits for them", [each.cut_off for each in late])
        return held

    def hold_small(self, key: Hashable, cut_off: CutOff) -> Callable[[], object]:
        """Note a write of at most SMALL_SIZE that begins now. Return a function to call when the client has taken it.

        This costs less than `hold`. No other write may have the same `key`.
        """
        taken = self._small.hold(key, cut_off)
        late = self._small.take_excess(time.monotonic())
        if late:
            self._cut_off("too much waits for them", late)
        return taken

    def check(self, owner: Hashable) -> None:
        """Raise TooBusy if more bytes wait for an owner than the limit allows."""
        with self._lock:
            holdings = self._by_owner.get(owner)
            if holdings is None or holdings.size <= self._share_size:
                return
        raise TooBusy(f"{self._share_size >> 20} MiB that one account's clients have not read")

    def release(self, held: Held) -> None:
        """Note that the client has taken a write, or that its call has ended. A repeat does nothing."""
        with self._lock:
            self._forget(held)

    def cut_off_late(self) -> None:
        """Cut off the writes that are overdue or exceed a limit. The transports call this at intervals."""
        now = time.monotonic()
        with self._lock:
            overdue = [held for held in self._all.held if self._is_overdue(held, now)]
            for held in overdue:
                self._forget(held)
            excess = [held for holdings, limit in self._limited() for held in self._take_excess(holdings, limit, now)]
            streams = list(self._watched)
        stuck = [stream for stream in streams if _is_stuck(stream, now - self._stuck_limit)]
        late = [*(held.cut_off for held in overdue), *(stream.cut_off for stream in stuck)]
        self._cut_off("they take nothing", [*late, *self._small.take_before(now - self._stuck_limit)])
        self._cut_off("too much waits for them", [*(held.cut_off for held in excess), *self._small.take_excess(now)])
        self._cutting_off.worked()

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return self._all.size

    @property
    def count(self) -> int:
        """How many writes wait."""
        with self._lock:
            streams = list(self._watched)
        waiting = sum(stream.waiting_since is not None for stream in streams)
        return len(self._all.held) + len(self._small) + waiting

    def _cut_off(self, cause: str, late: Sequence[CutOff]) -> None:
        if late:
            self._cutting_off.refused(cause, len(late))
        for cut_off in late:
            cut_off()

    # The caller of these holds the lock.

    def _add(self, held: Held) -> list[Held]:
        """Note a write, and return the writes that exceed a limit now."""
        _note(self._all, held)
        late = self._take_excess(self._all, self._most_size, held.since)
        for owner in held.owners:
            holdings = self._by_owner.get(owner)
            if holdings is None:
                holdings = self._by_owner[owner] = _Holdings()
            _note(holdings, held)
            late += self._take_excess(holdings, self._share_size, held.since)
        return late

    def _forget(self, held: Held) -> None:
        if held not in self._all.held:
            return
        del self._all.held[held]
        self._all.size -= held.size
        for owner in held.owners:
            holdings = self._by_owner[owner]
            del holdings.held[held]
            holdings.size -= held.size
            if not holdings.held:
                del self._by_owner[owner]

    def _limited(self) -> list[tuple[_Holdings, int]]:
        return [(self._all, self._most_size), *((each, self._share_size) for each in self._by_owner.values())]

    def _take_excess(self, holdings: _Holdings, limit: int, now: float) -> list[Held]:
        """Forget the oldest writes until the others are within the limit, and return them."""
        taken: list[Held] = []
        while len(holdings.held) > 1 and holdings.size > limit:
            oldest = next(iter(holdings.held))
            if now - oldest.since < _YOUNGEST:
                break
            self._forget(oldest)
            taken.append(oldest)
        return taken

    def _is_overdue(self, held: Held, now: float) -> bool:
        return now - held.since > self._stuck_limit + held.size / _SLOWEST_RATE


def _is_stuck(stream: Stream, limit: float) -> bool:
    since = stream.waiting_since
    return since is not None and since < limit


def _note(holdings: _Holdings, held: Held) -> None:
    holdings.held[held] = None
    holdings.size += held.size
