"""The reaper: a thread that ends unused sessions, notes that open streams are use, and sweeps for lost hints."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from chatbooth_grpc.booth.clock import Clock, wall_clock
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import TOUCHES_PER_EXPIRY
from chatbooth_grpc.booth.store import Store
from chatbooth_grpc.live.switchboard import Switchboard

SWEEP_INTERVAL = 30.0
_LONGEST_ROUND = 60.0
_SHORTEST_ROUND = 0.1
_SESSIONS_PER_STEP = 500

_log = logging.getLogger(__name__)


class Reaper:
    """Looks over sessions and streams at intervals. Times in seconds; the clock is injected."""

    def __init__(
        self,
        store: Store,
        switchboard: Switchboard,
        session_expiry: float,
        *,
        clock: Clock = wall_clock,
        sweep_interval: float = SWEEP_INTERVAL,
    ) -> None:
        self._store = store
        self._switchboard = switchboard
        self._session_expiry = session_expiry
        self._clock = clock
        self._stopping = threading.Event()
        self._noted: dict[int, int] = {}  # when a listening session's use was last noted
        rounds = min(max(session_expiry / TOUCHES_PER_EXPIRY, _SHORTEST_ROUND), _LONGEST_ROUND)
        self._threads = [
            self._thread("session-reaper", rounds, self.reap),
            self._thread("listener-sweep", sweep_interval, switchboard.sweep),
        ]

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop looking, and end the threads."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def reap(self) -> None:
        """Note the use of the sessions that listen, then end those that nobody has used for the expiry."""
        self._touch_listening()
        unused_since = self._clock() - round(self._session_expiry * 1_000_000)
        ended = 0
        while step := self._store.expire_sessions(unused_since, _SESSIONS_PER_STEP):
            ended += step
        if ended:
            _log.info("sessions expired", extra={"count": ended})

    def _touch_listening(self) -> None:
        """An open stream is use: note it as often as a call would."""
        now = self._clock()
        stale = now - round(self._session_expiry * 1_000_000 / TOUCHES_PER_EXPIRY)
        sessions = self._switchboard.sessions()
        noted = {session.session_id: self._noted.get(session.session_id, session.used_time) for session in sessions}
        for session in sessions:
            if noted[session.session_id] < stale:
                self._store.touch_session(session)
                noted[session.session_id] = now
        self._noted = noted

    def _thread(self, name: str, interval: float, look: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            while not self._stopping.wait(interval):
                try:
                    look()
                except ChatboothError as error:  # the store is away for now: the next round tries again
                    _log.warning("a round was skipped", extra={"round": name, "reason": error.reason})

        return threading.Thread(target=run, name=name, daemon=True)
