"""Live sessions by the hash of their token, so that a call need not ask the database who calls.

A session's end empties the cache after the commit and before anyone learns of it: who was told that a session has
ended never sees it answered again. What a reader finds is kept only if the cache was not emptied while it read, since
it may have read what was there before.
"""

from __future__ import annotations

from collections.abc import Callable

from chatbooth_grpc.booth.store import StoredSession

MAX_SESSIONS = 16_384
"""About 8 MiB."""


class SessionCache:
    """Looked up and filled by any thread; emptied by the writer's."""

    def __init__(self, size: int = MAX_SESSIONS) -> None:
        self._size = size
        self._sessions: dict[bytes, StoredSession] = {}

    def at_hand(self, token_hash: bytes) -> StoredSession | None:
        """Return a live session if it is here."""
        return self._sessions.get(token_hash)

    def get(self, token_hash: bytes, read: Callable[[bytes], StoredSession | None]) -> StoredSession | None:
        """Return a live session, from the store through `read` if it is not here."""
        sessions = self._sessions
        session = sessions.get(token_hash)
        if session is None:
            session = read(token_hash)
            if session is not None:  # into what was there before the read: emptying puts another in its place
                if len(sessions) >= self._size:
                    sessions.clear()
                sessions[token_hash] = session
        return session

    def clear(self) -> None:
        """Drop all sessions."""
        self._sessions = {}
