"""From frame to reply: every action answers any body, and one bad SEND fails alone."""

from __future__ import annotations

import contextlib
import queue
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import ACTIONS
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.booth.errors import StoreUnavailable, UnknownAction
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.booth.rules import NO_TOKEN
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.wire.encoding import accounts, blocks, delivering, lists, sessions, tokens
from chatbooth_grpc.wire.encoding.codes import OK, decode_error
from chatbooth_grpc.wire.encoding.frames import Frame, FrameDecoder
from chatbooth_grpc.wire.encoding.primitives import encode_varint
from chatbooth_grpc.wire.server.dispatch import Dispatcher
from chatbooth_grpc.wire.server.sends import Sends
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore
from tests.wire.running import peer_text, refusal, send_body, success

GOOD: dict[int, bytes] = {
    actions.SIGN_UP: sessions.encode_log_in(actions.LogInRequest("cy", PASSWORD)),
    actions.LOG_IN: sessions.encode_log_in(actions.LogInRequest("ann", PASSWORD)),
    actions.LIST: lists.encode_list_request(actions.ListRequest()),
    actions.SEND: send_body("ann"),
    actions.DELIVER: delivering.encode_deliver_request(actions.DeliverRequest()),
    actions.ACKNOWLEDGE: encode_varint(0),
    actions.CHANGE_PASSWORD: accounts.encode_change_password(
        actions.ChangePasswordRequest(PASSWORD, "another password")
    ),
    actions.SET_BLOCK: blocks.encode_set_block(actions.SetBlockRequest("ben", is_blocked=True)),
    actions.LIST_BLOCKS: blocks.encode_list_blocks(actions.ListBlocksRequest()),
    actions.LIST_SESSIONS: sessions.encode_list_sessions(actions.ListSessionsRequest()),
    actions.END_SESSION: sessions.encode_end_session(actions.EndSessionRequest(1)),
    actions.CREATE_TOKEN: tokens.encode_create_token(
        actions.CreateTokenRequest(b"\x05" * 16, "backup", TokenLimits(may_read=True))
    ),
    actions.LOG_OUT: b"",
    actions.DELETE: accounts.encode_delete(actions.DeleteRequest(PASSWORD)),
}
"""A body that each action but LISTEN accepts; in an order in which one session can do them all but the last."""

WITH_TOKEN = sorted(GOOD.keys() - {actions.SIGN_UP, actions.LOG_IN})
ILL_FORMED = accounts.encode_delete(actions.DeleteRequest("ab")).replace(b"b", b"\xff")


class Place:
    """A dispatcher over a booth and its store, and ann's session."""

    def __init__(self, path: Path) -> None:
        self.store = InterruptedStore(path)
        self.unread = Unread()
        self.dispatcher = Dispatcher(Booth(self.store, passwords=cheap_passwords()), self.unread)
        self.ann = self.session(actions.SIGN_UP, "ann")
        self.session(actions.SIGN_UP, "ben")

    def session(self, action: int, name: str) -> Session:
        """Sign up or log in."""
        return sessions.decode_session(
            success(self.answer(action, sessions.encode_log_in(actions.LogInRequest(name, PASSWORD))))
        )

    def answer(self, action: int, body: bytes, token: bytes = b"") -> bytes:
        """Have one frame answered."""
        frame = Frame(action, body, token)
        if action == actions.SEND:
            [reply], _ = self.answer_sends([frame])
            return reply
        return self.dispatcher.answer(frame, peer_text)

    def answer_sends(self, requests: list[Frame]) -> tuple[list[bytes], bool]:
        """Have SENDs answered; return the replies' bodies, and whether the store failed."""
        settled: queue.SimpleQueue[tuple[bytes, bool]] = queue.SimpleQueue()
        sends = Sends(self.dispatcher.booth)
        sends.add(requests, Lane(), settled.put, peer_text)
        sends.store()
        replies, has_failed = settled.get(timeout=10)
        return [frame.body for frame in FrameDecoder(1 << 20, from_client=False).feed(replies)], has_failed


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place with one account."""
    place = Place(tmp_path / "chatbooth.db")
    yield place
    place.store.close()


@pytest.mark.parametrize("action", GOOD)
def test_every_action_is_performed(place: Place, action: int) -> None:
    assert place.answer(action, GOOD[action], place.ann.token)[0] == OK


@pytest.mark.parametrize("action", WITH_TOKEN)
@pytest.mark.parametrize("token", [NO_TOKEN, b"\x01" * 16], ids=["none", "forged"])
def test_no_live_session_no_action(place: Place, action: int, token: bytes) -> None:
    assert refusal(place.answer(action, GOOD[action], token)).reason == "SESSION_INVALID"


@pytest.mark.parametrize("action", GOOD)
def test_bodies_that_are_not_bodies_are_malformed(place: Place, action: int) -> None:
    body = GOOD[action]
    for bad in (body[:-1], body + b"\x00", body + b"\x01\x05", ILL_FORMED):
        if bad != body:
            assert refusal(place.answer(action, bad, place.ann.token)).reason == "MALFORMED_REQUEST", bad


@pytest.mark.parametrize("action", GOOD)
def test_extensions_of_a_newer_client_are_skipped(place: Place, action: int) -> None:
    assert place.answer(action, GOOD[action] + b"\x7f\x02ab\x07\x00", place.ann.token)[0] == OK


@pytest.mark.parametrize("action", [0, actions.RESPONSE, actions.MESSAGE, 200, 255])
def test_an_unknown_action_is_named(place: Place, action: int) -> None:
    error = refusal(place.answer(action, b"", place.ann.token))
    assert isinstance(error, UnknownAction)
    assert error.action == action


def test_a_bad_send_fails_alone_and_all_that_come_together_are_one_commit(place: Place) -> None:
    sends = [
        Frame(actions.SEND, send_body("ann", "one"), place.ann.token),
        Frame(actions.SEND, b"nonsense", place.ann.token),
        Frame(actions.SEND, send_body("ann", "forged"), NO_TOKEN),
        Frame(actions.SEND, send_body("nobody"), place.ann.token),
        Frame(actions.SEND, send_body("ann", ""), place.ann.token),
        Frame(actions.SEND, send_body("ann", "two"), place.ann.token),
    ]
    calls: Counter[str] = Counter()
    place.store.before = lambda method: calls.update([method])
    replies, has_failed = place.answer_sends(sends)
    assert not has_failed
    assert calls["append"] == 1
    assert [reply[0] == OK or decode_error(reply).reason for reply in replies] == [
        True,
        "MALFORMED_REQUEST",
        "SESSION_INVALID",
        "RECIPIENT_NOT_FOUND",
        "EMPTY_TEXT",
        True,
    ]
    delivered = delivering.decode_delivery(
        success(place.answer(actions.DELIVER, GOOD[actions.DELIVER], place.ann.token))
    )
    assert [message.text for message in delivered.messages] == ["one", "two"]


def test_a_store_that_is_away_is_said_for_each_send(place: Place) -> None:
    def away(method: str) -> None:
        if method == "append":
            raise StoreUnavailable

    place.store.before = away
    sends = [Frame(actions.SEND, send_body("ann"), place.ann.token), Frame(actions.SEND, b"", place.ann.token)] * 2
    replies, has_failed = place.answer_sends(sends)
    assert has_failed
    assert [refusal(reply).reason for reply in replies] == ["STORE_UNAVAILABLE", "MALFORMED_REQUEST"] * 2


@pytest.mark.parametrize("action", sorted(GOOD.keys() - {actions.SIGN_UP, actions.LOG_IN}))
def test_a_bug_is_answered_and_logged(place: Place, action: int, caplog: pytest.LogCaptureFixture) -> None:
    def broken(method: str) -> None:
        raise ZeroDivisionError(method)

    place.store.before = broken
    assert refusal(place.answer(action, GOOD[action], place.ann.token)).reason == "INTERNAL"
    assert "ZeroDivisionError" in caplog.text


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place for many examples, which only ever change passwords by chance."""
    place = Place(tmp_path_factory.mktemp("dispatch") / "chatbooth.db")
    yield place
    place.store.close()


names = (f"name{number}" for number in count())


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 255).filter(lambda action: action != actions.LISTEN), st.binary(max_size=60), st.data())
def test_arbitrary_requests_get_a_reply_of_a_known_kind(
    lasting: Place, action: int, body: bytes, data: st.DataObject
) -> None:
    good = GOOD.get(action, b"")
    cut = data.draw(st.integers(0, len(good)))
    for each in (body, good[:cut] + body, body + good[cut:]):
        session = (
            lasting.session(actions.SIGN_UP, next(names))
            if action in (actions.LOG_OUT, actions.DELETE)
            else lasting.ann
        )
        reply = lasting.answer(action, each, data.draw(st.sampled_from([session.token, NO_TOKEN, b"x" * 16])))
        if reply[0] != OK:
            assert decode_error(reply).reason not in ("UNKNOWN", "INTERNAL")


@pytest.mark.parametrize("action", WITH_TOKEN)
def test_an_account_that_leaves_too_much_unread_gets_no_large_answer(place: Place, action: int) -> None:
    held = place.unread.hold(1 << 30, (place.ann.account_id,), lambda: None)
    body = place.answer(action, GOOD[action], place.ann.token)
    assert (body[0] != OK and refusal(body).reason == "TOO_BUSY") is (ACTIONS[action].large_answers > 0)
    place.unread.release(held)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_bulkhead_holds_as_many_large_answers_as_the_row_says(place: Place, action: int) -> None:
    row = ACTIONS[action]
    assert isinstance(place.dispatcher.at_once(action), Bulkhead) is (row.large_answers > 0)
    with contextlib.ExitStack() as answers:
        # If fewer could enter, this would wait for ever.
        for _ in range(row.large_answers):
            answers.enter_context(place.dispatcher.at_once(action))
