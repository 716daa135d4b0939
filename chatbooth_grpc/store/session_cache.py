"""A cache of live sessions by the hash of their token, which saves a query for each call.

When a transaction ends or changes sessions, the writer empties the cache. It does so after the commit and before any
caller learns of it. So a client that knows that a session has ended never sees it accepted again.

A reader may look up a session while the cache is emptied, and may have read the state before the end. So it adds the
session to the dictionary that it found before the read. If the cache was emptied since, that dictionary is not in use
any more.
"""

from __future__ import annotations

from collections.abc import Callable

from chatbooth_grpc.booth.store import StoredSession

# These take about 8 MiB.
MAX_SESSIONS = 16_384


class SessionCache:
    """Any thread reads and fills it. The writer's thread alone empties it."""

    def __init__(self, size: int = MAX_SESSIONS) -> None:
        self._size = size
        self._sessions: dict[bytes, StoredSession] = {}

    def cached(self, token_hash: bytes) -> StoredSession | None:
        """Return a live session if it is cached."""
        return self._sessions.get(token_hash)

    def get(self, token_hash: bytes, read: Callable[[bytes], StoredSession | None]) -> StoredSession | None:
        """Return a live session. If it is not cached, read it from the store with `read`."""
        sessions = self._sessions
        session = sessions.get(token_hash)
        if session is None:
            session = read(token_hash)
            if session is not None:
                # This fills the dictionary that was in use before the read. `clear` puts another one in its place.
                if len(sessions) >= self._size:
                    sessions.clear()
                sessions[token_hash] = session
        return session

    def clear(self) -> None:
        """Drop all sessions."""
        self._sessions = {}
