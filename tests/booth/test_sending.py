"""Sending: the checks, the way to the store, and the outcomes in order."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, StoreUnavailable
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.sending import wait_for
from chatbooth_grpc.booth.store import Outcome, Settle
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore
from tests.deadlines import deadline_in


@pytest.fixture
def store(tmp_path: Path) -> Iterator[InterruptedStore]:
    store = InterruptedStore(tmp_path / "chatbooth.db")
    yield store
    store.close()


@pytest.fixture
def booth(store: InterruptedStore) -> Booth:
    return Booth(store, passwords=cheap_passwords())


def sent(booth: Booth, token: bytes, *texts: str, lane: Lane | None = None) -> list[str]:
    """Send texts to ann together, and return the outcome of each."""
    session = booth.authenticated(token)
    messages = [OutgoingMessage("ann", new_message_id(), text.encode()) for text in texts]
    checked = [booth.sending.checked(session, message, lane) for message in messages]
    outcomes = wait_for(lambda settle: booth.sending.send_later(checked, settle))
    return [outcome.reason if isinstance(outcome, ChatboothError) else "OK" for outcome in outcomes]


def test_a_refused_message_has_its_place_among_the_outcomes(booth: Booth, store: InterruptedStore) -> None:
    token = booth.sign_up("ann", PASSWORD).token
    calls: Counter[str] = Counter()
    store.before = lambda method: calls.update([method])
    assert sent(booth, token, "one", "", "two", "") == ["OK", "EMPTY_TEXT", "OK", "EMPTY_TEXT"]
    assert calls["append"] == 1
    assert [message.text for message in booth.deliver(token).messages] == ["one", "two"]


@pytest.mark.parametrize("texts", [(), ("",), ("", "")])
def test_nothing_that_fits_asks_nothing_of_the_store(
    booth: Booth, store: InterruptedStore, texts: Sequence[str]
) -> None:
    token = booth.sign_up("ann", PASSWORD).token
    calls: Counter[str] = Counter()
    store.before = lambda method: calls.update([method])
    assert sent(booth, token, *texts) == ["EMPTY_TEXT"] * len(texts)
    assert not calls["append"]


def test_a_failure_of_the_store_fails_all_and_the_lane(booth: Booth, store: InterruptedStore) -> None:
    token, lane = booth.sign_up("ann", PASSWORD).token, Lane()

    def away(method: str) -> None:
        if method == "append":
            raise StoreUnavailable

    store.before = away
    assert sent(booth, token, "one", "", "two", lane=lane) == ["STORE_UNAVAILABLE", "EMPTY_TEXT", "STORE_UNAVAILABLE"]
    assert isinstance(lane.error, StoreUnavailable)
    store.before = lambda method: None
    assert sent(booth, token, "two", "", lane=lane) == ["STORE_UNAVAILABLE", "EMPTY_TEXT"]
    assert sent(booth, token, "three", lane=Lane()) == ["OK"]
    assert [message.text for message in booth.deliver(token).messages] == ["three"]


def test_waiting_returns_the_outcomes_that_another_thread_settles() -> None:
    def begin(settle: Settle) -> None:
        threading.Thread(target=settle, args=([Receipt(1)],)).start()

    assert wait_for(begin) == [Receipt(1)]


def test_waiting_ends_with_the_deadline() -> None:
    kept: list[object] = []
    with deadline_in(0.01), pytest.raises(DeadlineExceeded):
        wait_for(kept.append)
    settle: Settle = kept.pop()  # type: ignore[assignment]  # the only thing that was kept
    late: list[Outcome] = [Receipt(1)]
    # No caller waits for this any more.
    settle(late)
