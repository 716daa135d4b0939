"""The reaper: threads that end unused sessions, repeat lost hints and remove old data."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.lasting_state import LastingState
from chatbooth_grpc.booth.model import TOUCHES_PER_EXPIRY
from chatbooth_grpc.booth.store import Store
from chatbooth_grpc.live.switchboard import Switchboard

SWEEP_INTERVAL = 30.0
SAMPLE_INTERVAL = 60.0
_LONGEST_ROUND = 60.0
_SHORTEST_ROUND = 0.1
_SESSIONS_PER_STEP = 500
_RETENTION_ROUNDS = 100
_LONGEST_RETENTION_ROUND = 600.0
_SHORTEST_RETENTION_ROUND = 1.0
_BREATH = 0.01
"""The pause between two steps that remove rows, in seconds.

The pause lets senders go first. So a walk over a million mailboxes leaves most of a core to other work.
"""

_log = logging.getLogger(__name__)


class Reaper:
    """Checks sessions, streams and old data at intervals, which are in seconds.

    Each thread has its own rounds, so that none waits for another. If a round fails, the next one tries again.
    """

    def __init__(
        self,
        store: Store,
        switchboard: Switchboard,
        session_expiry: float,
        *,
        retain: float,
        sweep_interval: float = SWEEP_INTERVAL,
        sample: Callable[[], None] | None = None,
    ) -> None:
        """`sample` reads from the store, once a minute, the figures that are too slow to read more often."""
        self._store = store
        self._switchboard = switchboard
        self._session_expiry = session_expiry
        self._retain = retain
        self._stopping = threading.Event()
        # When the use of each listening session was last noted, in store time.
        self._noted: dict[int, int] = {}
        rounds = min(max(session_expiry / TOUCHES_PER_EXPIRY, _SHORTEST_ROUND), _LONGEST_ROUND)
        # For each thread, an event that begins its next round before the interval is over.
        self._due: list[threading.Event] = []
        self._threads = [
            self._thread("session-reaper", rounds, self.reap),
            self._thread("listener-sweep", sweep_interval, switchboard.sweep),
            self._thread("retention", retention_interval(retain), self.remove_old),
            self._thread("pruner", retention_interval(retain), self.prune),
        ]
        prune_now = self._due[-1].set
        if sample is not None:
            self._threads.append(self._thread("sampler", SAMPLE_INTERVAL, sample))
            # The first sample is taken at once.
            self._due[-1].set()
        store.watch_deletions(prune_now)
        # An earlier server may have left rows to prune.
        prune_now()

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads, and wait for them."""
        self._stopping.set()
        for due in self._due:
            due.set()
        for thread in self._threads:
            thread.join()

    def reap(self) -> None:
        """Note that the sessions that listen are in use. Then end unused sessions, and tokens that have expired."""
        self._touch_listening()
        unused_since = self._store.clock.cutoff(self._session_expiry)
        ended = 0
        while step := self._store.expire_sessions(unused_since, _SESSIONS_PER_STEP):
            ended += step
        if ended:
            _log.info("sessions expired", extra={"count": ended})
        self._expire_tokens()

    def _expire_tokens(self) -> None:
        """End the tokens that have expired, and their streams. No call of such a token succeeds, even before that."""
        through = self._store.clock.cutoff(0)
        ended = 0
        while step := self._store.expire_tokens(through, _SESSIONS_PER_STEP):
            ended += step
        if ended:
            _log.info("tokens expired", extra={"count": ended})

    def prune(self) -> None:
        """Remove everything that deleted accounts left, and the invites that have ended long ago, in small steps."""
        while self._store.prune_deleted() or self._store.remove_old_invites():
            if self._stopping.wait(_BREATH):
                return

    def remove_old(self) -> None:
        """Remove the messages that are older than the retention, in small steps."""
        retain = self._retain or None
        step = self._store.remove_old(retain)
        removed = step.removed
        while step.go_on_from is not None and not self._stopping.wait(_BREATH):
            step = self._store.remove_old(retain, step.go_on_from)
            removed += step.removed
        if removed:
            _log.info("old messages removed", extra={"count": removed})

    def _touch_listening(self) -> None:
        """Note the use of each session that listens, as often as its calls would."""
        now = self._store.clock.now()
        stale = now - round(self._session_expiry * 1_000_000 / TOUCHES_PER_EXPIRY)
        sessions = self._switchboard.sessions()
        noted = {session.session_id: self._noted.get(session.session_id, session.used_time) for session in sessions}
        for session in sessions:
            if noted[session.session_id] < stale:
                self._store.touch_session(session)
                noted[session.session_id] = now
        self._noted = noted

    def _thread(self, name: str, interval: float, look: Callable[[], None]) -> threading.Thread:
        skipping = LastingState(_log, f"the rounds of {name} are skipped", f"the rounds of {name} go on", quiet=0)

        due = threading.Event()
        self._due.append(due)

        def run() -> None:
            while True:
                due.wait(interval)
                # This comes before the round, so that no wake-up during the round is lost.
                due.clear()
                if self._stopping.is_set():
                    return
                try:
                    look()
                except ChatboothError as error:  # the next round tries again
                    skipping.refused(error.reason)
                else:
                    skipping.worked()

        return threading.Thread(target=run, name=name, daemon=True)


def retention_interval(retain: float) -> float:
    """Return the seconds between two rounds: a hundredth of `retain`, within 1 second and 10 minutes."""
    return min(max(retain / _RETENTION_ROUNDS, _SHORTEST_RETENTION_ROUND), _LONGEST_RETENTION_ROUND)
