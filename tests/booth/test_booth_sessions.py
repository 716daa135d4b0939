"""The sessions of the booth: which token acts, and until when."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.credentials import Passwords, hash_token, new_token
from chatbooth_grpc.booth.errors import SessionInvalid
from chatbooth_grpc.booth.model import Limits, Session
from tests.booth.acting import (
    SignUp,
    every_action,
    failing,
)
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore
from tests.contract.stores import Clock, rows_of

DAY = 86_400.0


def test_logging_out_ends_that_session_alone(booth: Booth, sign_up: SignUp) -> None:
    first, second = sign_up("ann"), booth.log_in("ann", PASSWORD)
    booth.log_out(first.token)
    for action in every_action(booth, first):
        with pytest.raises(SessionInvalid):
            action()
    assert booth.deliver(second.token).messages == []


def test_a_token_that_was_never_given_out_is_refused(booth: Booth, sign_up: SignUp, store_path: Path) -> None:
    ann = sign_up("ann")
    before = rows_of(store_path)
    for token in (bytes(16), new_token(), b"", hash_token(ann.token), ann.token[:15]):
        for action in every_action(booth, Session(token, ann.account_id, "ann", ann.epoch)):
            with pytest.raises(SessionInvalid):
                action()
    assert rows_of(store_path) == before


def test_a_session_expires_unused(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    used, unused = sign_up("ann"), booth.log_in("ann", PASSWORD)
    for _ in range(40):
        clock.advance(DAY)
        booth.deliver(used.token)
    for action in every_action(booth, unused):
        with pytest.raises(SessionInvalid):
            action()
    booth.deliver(used.token)


def test_a_session_lives_to_its_last_moment(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    ann = sign_up("ann")
    clock.advance(30 * DAY)
    assert booth.authenticated(ann.token).username == "ann"
    clock.advance(30 * DAY + 0.001)
    with pytest.raises(SessionInvalid):
        booth.authenticated(ann.token)


def test_how_long_a_session_lives_is_a_limit(store: InterruptedStore, clock: Clock) -> None:
    booth = Booth(store, limits=Limits(session_expiry=60.0), passwords=cheap_passwords())
    ann = booth.sign_up("ann", PASSWORD)
    clock.advance(59)
    booth.deliver(ann.token)
    clock.advance(59)
    booth.deliver(ann.token)
    clock.advance(61)
    with pytest.raises(SessionInvalid):
        booth.deliver(ann.token)


def test_a_session_that_listens_does_not_expire(store: InterruptedStore, passwords: Passwords, clock: Clock) -> None:
    listening: set[int] = set()
    booth = Booth(store, passwords=passwords, listens=lambda session: session.session_id in listening)
    ann, other = booth.sign_up("ann", PASSWORD), booth.log_in("ann", PASSWORD)
    listening.add(booth.authenticated(ann.token).session_id)
    store.before = failing("touch_session")
    clock.advance(31 * DAY)
    assert booth.authenticated(ann.token).username == "ann"
    with pytest.raises(SessionInvalid):
        booth.authenticated(other.token)
    store.before = lambda _method: None
    assert booth.authenticated(ann.token).username == "ann"
    listening.clear()
    clock.advance(29 * DAY)
    assert booth.authenticated(ann.token).username == "ann"


def test_a_session_whose_use_is_to_be_noted_is_not_cached(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    """Noting the use of a session waits for the disk. The callers of `cached_session` must not wait."""
    ann = sign_up("ann")
    assert booth.cached_session(ann.token) is None
    booth.authenticated(ann.token)
    assert booth.cached_session(ann.token) == booth.authenticated(ann.token)
    clock.advance(1.1 * DAY)
    assert booth.cached_session(ann.token) is None
    booth.authenticated(ann.token)
    # This caches the session as it is now.
    booth.authenticated(ann.token)
    assert booth.cached_session(ann.token) == booth.authenticated(ann.token)


def test_a_sessions_use_is_noted_now_and_then(booth: Booth, sign_up: SignUp, clock: Clock, store_path: Path) -> None:
    ann = sign_up("ann")
    started = clock.now
    clock.advance(0.9 * DAY)
    booth.deliver(ann.token)
    assert booth.authenticated(ann.token).used_time == started
    clock.advance(0.2 * DAY)
    booth.deliver(ann.token)
    assert booth.authenticated(ann.token).used_time == clock.now


def test_an_action_stands_though_its_use_cannot_be_noted(
    booth: Booth, store: InterruptedStore, sign_up: SignUp, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ann = sign_up("ann")
    clock.advance(2 * DAY)
    store.before = failing("touch_session")
    for _ in range(5):
        assert booth.deliver(ann.token).messages == []
    assert [record.getMessage() for record in caplog.records] == ["the use of sessions is not noted"]
