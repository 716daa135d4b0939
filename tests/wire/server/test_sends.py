"""SENDs of many connections in one append: each has its own outcomes and its own lane."""

from __future__ import annotations

import logging
import queue
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import Internal, StoreUnavailable
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.booth.rates import Rate
from chatbooth_grpc.booth.rules import NO_TOKEN
from chatbooth_grpc.booth.throttles import RateLimits, Throttles
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.wire.encoding import frames
from chatbooth_grpc.wire.encoding.codes import OK, decode_error
from chatbooth_grpc.wire.encoding.frames import Frame, FrameDecoder
from chatbooth_grpc.wire.server.sends import Sends
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore
from tests.wire.running import PATIENCE, peer_text, send_body


class Sender:
    """A connection, as Sends sees it: its lane, and the outcomes that it got."""

    def __init__(self, token: bytes) -> None:
        self.token = token
        self.lane = Lane()
        self._told: queue.SimpleQueue[tuple[bytes, bool]] = queue.SimpleQueue()

    def requests(self, *texts: str, recipient: str = "ann") -> list[Frame]:
        return [Frame(actions.SEND, send_body(recipient, text), self.token) for text in texts]

    def settle(self, settled: tuple[bytes, bool]) -> None:
        self._told.put(settled)

    @property
    def told(self) -> tuple[list[object], bool]:
        """Return whether each message was stored, and whether the store failed. The outcomes come at most once."""
        replies, has_failed = self._told.get(timeout=PATIENCE)
        assert self._told.empty()
        bodies = [frame.body for frame in FrameDecoder(1 << 20, from_client=False).feed(replies)]
        return [body[0] == OK or decode_error(body).reason for body in bodies], has_failed


class Place:
    """A booth, and the account ann, which receives."""

    def __init__(self, store: InterruptedStore) -> None:
        self.store = store
        self.booth = Booth(store, passwords=cheap_passwords())
        self.ann = self.booth.sign_up("ann", PASSWORD).token

    def sender(self, name: str) -> Sender:
        """Return a connection of a new account, whose session is cached."""
        token = self.booth.sign_up(name, PASSWORD).token
        self.booth.authenticated(token)
        return Sender(token)

    def texts(self) -> list[str]:
        return [message.text for message in self.booth.deliver(self.ann).messages]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    store = InterruptedStore(tmp_path / "chatbooth.db")
    yield Place(store)
    store.close()


def test_sends_of_many_connections_are_one_append_and_each_gets_its_own_outcomes(place: Place) -> None:
    bob, cy, dan = (place.sender(name) for name in ("bob", "cy", "dan"))
    calls: Counter[str] = Counter()
    place.store.before = lambda method: calls.update([method])
    sends = Sends(place.booth)
    assert sends.add_if_cached(bob.requests("b1", "b2"), bob.lane, bob.settle, peer_text)
    assert sends.add_if_cached(cy.requests("c1", recipient="nobody"), cy.lane, cy.settle, peer_text)
    assert sends.add_if_cached(dan.requests("d1", "", "d2"), dan.lane, dan.settle, peer_text)
    sends.store()
    assert bob.told == ([True, True], False)
    assert cy.told == (["RECIPIENT_NOT_FOUND"], False)
    assert dan.told == ([True, "EMPTY_TEXT", True], False)
    assert calls["append"] == 1
    assert place.texts() == ["b1", "b2", "d1", "d2"]


def test_sends_of_a_failed_lane_are_refused_and_the_others_are_not(place: Place) -> None:
    bob, cy = place.sender("bob"), place.sender("cy")
    bob.lane.fail(StoreUnavailable())
    sends = Sends(place.booth)
    for one in (bob, cy, bob):
        assert sends.add_if_cached(one.requests("text"), one.lane, one.settle, peer_text)
    sends.store()
    assert cy.told == ([True], False)
    for _ in range(2):
        replies, has_failed = bob._told.get(timeout=PATIENCE)
        assert has_failed
        assert decode_error(replies[frames.HEADER.size :]).reason == "STORE_UNAVAILABLE"
    assert place.texts() == ["text"]


def test_a_store_that_fails_fails_every_lane(place: Place) -> None:
    bob, cy = place.sender("bob"), place.sender("cy")

    def away(method: str) -> None:
        if method == "append":
            raise StoreUnavailable

    place.store.before = away
    sends = Sends(place.booth)
    for one in (bob, cy):
        assert sends.add_if_cached(one.requests("text", ""), one.lane, one.settle, peer_text)
    sends.store()
    for one in (bob, cy):
        assert one.told == (["STORE_UNAVAILABLE", "EMPTY_TEXT"], True)
        assert isinstance(one.lane.error, StoreUnavailable)


def test_a_bug_in_the_store_fails_every_lane_and_is_logged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    bob, cy = place.sender("bob"), place.sender("cy")

    def fail(method: str) -> None:
        if method == "append_later":
            raise ZeroDivisionError

    place.store.before = fail
    sends = Sends(place.booth)
    for one in (bob, cy):
        assert sends.add_if_cached(one.requests("text", ""), one.lane, one.settle, peer_text)
    sends.store()
    for one in (bob, cy):
        assert one.told == (["INTERNAL", "EMPTY_TEXT"], True)
        assert isinstance(one.lane.error, Internal)
    [line] = [record for record in caplog.records if record.exc_info]
    assert line.exc_info is not None
    assert line.exc_info[0] is ZeroDivisionError
    assert {vars(line)["request_id"]} == {one.lane.error.request_id for one in (bob, cy) if one.lane.error}
    assert place.texts() == []


@pytest.mark.parametrize(
    "bad",
    [Frame(actions.SEND, b"nonsense", b""), Frame(actions.SEND, send_body("ann"), NO_TOKEN)],
    ids=["body", "token"],
)
def test_sends_of_a_session_that_is_not_cached_are_not_taken_and_leave_no_trace(place: Place, bad: Frame) -> None:
    bob, cy = place.sender("bob"), place.sender("cy")
    sends = Sends(place.booth)
    assert sends.add_if_cached(bob.requests("b1"), bob.lane, bob.settle, peer_text)
    bad = bad._replace(token=bad.token or cy.token)
    assert not sends.add_if_cached([*cy.requests("c1"), bad], cy.lane, cy.settle, peer_text)
    sends.store()
    assert bob.told == ([True], False)
    assert cy._told.empty()
    assert place.texts() == ["b1"]


def test_a_token_that_may_not_send_uses_up_nothing_of_its_account(place: Place) -> None:
    place.booth.throttles = Throttles(RateLimits(sends_per_account=Rate(1, 3_600.0, 1)))
    bob, reader = place.sender("bob"), b"r" * 16
    place.booth.create_token(bob.token, reader, "reader", TokenLimits(may_read=True))
    place.booth.sender(reader)
    refused = [frame._replace(token=reader) for frame in bob.requests("b1")]
    sends = Sends(place.booth)
    assert sends.add_if_cached(refused, bob.lane, bob.settle, peer_text)
    assert not sends.add_if_cached(refused, bob.lane, bob.settle, peer_text)
    assert sends.add_if_cached(bob.requests("b2"), bob.lane, bob.settle, peer_text)
    sends.store()
    told = [bob._told.get(timeout=PATIENCE)[0] for _ in range(2)]
    assert ["NOT_PERMITTED" in reply.decode("latin-1") for reply in told] == [True, False]
    assert place.texts() == ["b2"]


def test_a_bug_of_one_connection_keeps_no_reply_from_the_others(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    bob, cy = place.sender("bob"), place.sender("cy")

    def broken(_settled: tuple[bytes, bool]) -> None:
        raise LookupError("a defect, made for this test")

    sends = Sends(place.booth)
    assert sends.add_if_cached(bob.requests("b1"), bob.lane, broken, peer_text)
    assert sends.add_if_cached(cy.requests("c1"), cy.lane, cy.settle, peer_text)
    sends.store()
    assert cy.told == ([True], False)
    assert "a defect, made for this test" in caplog.text


def test_nothing_at_all_is_stored_without_a_word_to_the_store(place: Place) -> None:
    calls: Counter[str] = Counter()
    place.store.before = lambda method: calls.update([method])
    message = OutgoingMessage("ann", b"i" * 16, b"x")
    Sends(place.booth).store()
    assert not calls
    place.booth.send(place.ann, message)
    assert calls["append"] == 1


@pytest.mark.parametrize("is_cached", [True, False])
def test_each_send_is_logged_with_its_account_and_outcome(
    place: Place, caplog: pytest.LogCaptureFixture, *, is_cached: bool
) -> None:
    bob, cy = place.sender("bob"), place.sender("cy")
    caplog.set_level(logging.DEBUG, "chatbooth_grpc.booth.call_log")
    sends = Sends(place.booth)
    add = sends.add_if_cached if is_cached else sends.add
    add(bob.requests("b1", ""), bob.lane, bob.settle, lambda: "192.0.2.1:1")
    add(cy.requests("c1"), cy.lane, cy.settle, lambda: "192.0.2.2:2")
    sends.store()
    assert [cy.told, bob.told] == [([True], False), ([True, "EMPTY_TEXT"], False)]
    logged = [vars(record) for record in caplog.records if record.getMessage() == "call"]
    assert [(call["action"], call["peer"], call["account"], call["outcome"]) for call in logged] == [
        ("SEND", "192.0.2.1:1", "bob", "OK"),
        ("SEND", "192.0.2.1:1", "bob", "EMPTY_TEXT"),
        ("SEND", "192.0.2.2:2", "cy", "OK"),
    ]
