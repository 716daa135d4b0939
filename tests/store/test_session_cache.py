"""The cache of sessions: it is bounded, and never has a session that has ended."""

from __future__ import annotations

from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.store.session_cache import SessionCache
from tests.contract.stores import SQLiteHome, new_token_hash, sign_up

SESSION = StoredSession(1, 1, "ann", 1, 0, 0)


def test_a_session_is_read_once_until_the_cache_is_emptied() -> None:
    cache = SessionCache()
    reads: list[bytes] = []

    def read(token_hash: bytes) -> StoredSession:
        reads.append(token_hash)
        return SESSION

    assert [cache.get(b"one", read), cache.get(b"one", read)] == [SESSION, SESSION]
    cache.clear()
    assert cache.cached(b"one") is None
    cache.get(b"one", read)
    assert reads == [b"one", b"one"]


def test_a_session_read_before_its_end_is_not_cached_after_it() -> None:
    cache = SessionCache()

    def read(_: bytes) -> StoredSession:
        # The session ends while its reader still holds the old value.
        cache.clear()
        return SESSION

    assert cache.get(b"one", read) == SESSION
    assert cache.cached(b"one") is None


def test_nobody_is_not_remembered_and_only_so_many_are() -> None:
    cache = SessionCache(size=3)
    assert cache.get(b"nobody", lambda _: None) is None
    assert cache.cached(b"nobody") is None
    for number in range(10):
        cache.get(b"%d" % number, lambda _: SESSION)
        assert sum(cache.cached(b"%d" % other) is not None for other in range(10)) <= 3


def test_no_session_is_cached_after_its_end_was_answered(home: SQLiteHome) -> None:
    with home.open() as store:
        token_hash = new_token_hash()
        session = sign_up(store, "ann", token_hash)
        assert store.session(token_hash) == session
        assert store.cached_session(token_hash) is not None
        store.end_session(session)
        assert store.cached_session(token_hash) is None
        assert store.session(token_hash) is None
