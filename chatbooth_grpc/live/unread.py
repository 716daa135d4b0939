"""What the server has written and clients have not taken: how much, whose, since when."""

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
"""How long a client may take nothing of what the server writes to it, in seconds. Then that is cut off."""

MOST_SIZE = 64 << 20
"""How many bytes may wait for all clients together."""

SHARE_SIZE = 16 << 20
"""How many bytes may wait for one account, and for one connection. A single write may be larger."""

SMALL_SIZE = 4 << 10
"""A write of at most this many bytes counts in all, but not for its owners: their number is limited elsewhere."""

_SLOWEST_RATE = 64 << 10
"""Bytes in a second that a client must take, beyond the stuck limit: a large write gets more time."""

_YOUNGEST = 0.25
"""Seconds that every write may wait, however much waits: nearly all are taken sooner."""

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
    """A live stream, as far as its small writes go."""

    @property
    def waiting_since(self) -> float | None:
        """Since when a small write waits to be taken, in monotonic seconds; None: none does."""

    def cut_off(self) -> None:
        """End the stream at once, from any thread."""


class _Holdings:
    """What is held in all or for one owner, in the order in which it began."""

    __slots__ = ("held", "size")

    def __init__(self) -> None:
        self.held: dict[Held, None] = {}
        self.size = 0


class Unread:
    """Holds writes until they are taken, and cuts off those that exceed a limit: the oldest first.

    Safe to use from many threads, none of which it blocks. `cut_off` is called on any of them, without a lock.
    """

    def __init__(
        self,
        *,
        most: int | None = None,
        most_size: int = MOST_SIZE,
        share_size: int = SHARE_SIZE,
        stuck_limit: float = STUCK_LIMIT,
    ) -> None:
        """`most`: how many small writes may wait at once; None: any number. Sizes in bytes, the limit in seconds."""
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
        """Cut off a stream whose small writes are not taken. That costs less than to hold each of them.

        The number of streams limits how much waits so. Ends with `unwatch`.
        """
        with self._lock:
            self._watched.add(stream)

    def unwatch(self, stream: Stream) -> None:
        """End what `watch` began. Harmless if repeated."""
        with self._lock:
            self._watched.discard(stream)

    def hold(self, size: int, owners: tuple[Hashable, ...], cut_off: Callable[[], None]) -> Held:
        """Note a write of `size` bytes that begins now; `owners` are its account and its connection, if it is large.

        `cut_off` ends the call or the connection that does not take it.
        """
        held = Held(size, owners, cut_off)
        with self._lock:
            late = self._add(held)
        if late:
            self._cut_off("too much waits for them", [each.cut_off for each in late])
        return held

    def hold_small(self, key: Hashable, cut_off: CutOff) -> Callable[[], object]:
        """Note a write of at most SMALL_SIZE that begins now. Return what is to be called when it is taken.

        This costs less than `hold`. `key`: any object that no other write has.
        """
        taken = self._small.hold(key, cut_off)
        late = self._small.take_excess(time.monotonic())
        if late:
            self._cut_off("too much waits for them", late)
        return taken

    def check(self, owner: Hashable) -> None:
        """Raise TooBusy if more waits for an owner than may."""
        with self._lock:
            holdings = self._by_owner.get(owner)
            if holdings is None or holdings.size <= self._share_size:
                return
        raise TooBusy(f"{self._share_size >> 20} MiB that one account's clients have not read")

    def release(self, held: Held) -> None:
        """Note that a write was taken, or its call is over. Harmless if repeated."""
        with self._lock:
            self._forget(held)

    def cut_off_late(self) -> None:
        """Cut off what is overdue, or too much; to be called now and then."""
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

    # With the lock

    def _add(self, held: Held) -> list[Held]:
        """Note a write; return what exceeds a limit now."""
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
        """Forget the oldest writes until the others are within the limits; return them."""
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
