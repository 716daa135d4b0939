"""The service over real gRPC: each action as a client sees it, and each refusal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timezone
from itertools import count
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message as ProtobufMessage
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import WITHOUT_SESSION
from chatbooth_grpc.rpc.actions import METHODS, SERVICE_NAME
from tests.booth.cheap_passwords import PASSWORD
from tests.rpc.running import PATIENCE, Running, bearer, refusal

SERVICE = pb.DESCRIPTOR.services_by_name["ChatService"]
UNARY = [method.name for method in SERVICE.methods if not method.server_streaming]
AUTHENTICATED = [
    method.name
    for method in SERVICE.methods
    if METHODS[f"/{SERVICE_NAME}/{method.name}"] not in WITHOUT_SESSION and not method.client_streaming
]

Code = grpc.StatusCode


def some_id() -> bytes:
    return os.urandom(16)


# The effect of each action


def test_two_people_and_the_five_actions(running: Running) -> None:
    ann, ben = running.sign_up("Ann"), running.sign_up("ben")
    assert (ann.username, len(ann.token), ann.epoch) == ("ann", 16, running.store.epoch)

    listed = running.stub.List(pb.ListRequest(pattern="N$"), metadata=bearer(ann), timeout=PATIENCE)
    assert ([*listed.usernames], listed.next_page_token) == (["ann", "ben"], "")

    message_id = some_id()
    receipt = running.send(ann, "BEN", "hello", message_id)
    assert receipt.accept_time.ToMicroseconds() == running.clock.now
    assert receipt.accept_time.ToDatetime(timezone.utc).year == 2025

    delivered = running.deliver(ben)
    [message] = delivered.messages
    assert (message.sequence, message.sender, message.sender_id) == (1, "ann", ann.account_id)
    assert (message.message_id, message.text, message.accept_time) == (message_id, "hello", receipt.accept_time)
    assert (delivered.opening.resumed_after, delivered.opening.replaying, delivered.more) == (0, 1, False)
    assert (delivered.opening.epoch, delivered.opening.account_id) == (ben.epoch, ben.account_id)
    assert not delivered.opening.HasField("gap")

    removed = running.stub.Delete(pb.DeleteRequest(password=PASSWORD), metadata=bearer(ben), timeout=PATIENCE)
    assert (removed.messages_removed, removed.sessions_ended) == (1, 1)


def test_devices_deliver_and_acknowledge_by_themselves(running: Running) -> None:
    phone, ben = running.sign_up("ann"), running.sign_up("ben")
    laptop = running.log_in("ann")
    for text in "123":
        running.send(ben, "ann", text)
    assert [message.text for message in running.deliver(phone, acknowledge_through=2).messages] == ["3"]
    assert [message.text for message in running.deliver(laptop, max_messages=2).messages] == ["1", "2"]
    assert running.deliver(laptop, max_messages=2).more
    assert [message.text for message in running.deliver(laptop, after=0).messages] == ["1", "2", "3"]
    # `after=0` differs from no `after`.
    assert [message.text for message in running.deliver(phone, after=0).messages] == ["1", "2", "3"]
    running.stub.Acknowledge(pb.AcknowledgeRequest(through=3), metadata=bearer(laptop), timeout=PATIENCE)
    assert running.texts(laptop) == []
    assert running.texts(phone) == ["3"]


def test_a_session_ends_by_a_log_out_or_by_a_password_change(running: Running) -> None:
    phone = running.sign_up("ann")
    laptop, tablet = running.log_in("ann"), running.log_in("ann")
    running.stub.LogOut(pb.LogOutRequest(), metadata=bearer(tablet), timeout=PATIENCE)
    request = pb.ChangePasswordRequest(old_password=PASSWORD, new_password="a new password")
    changed = running.stub.ChangePassword(request, metadata=bearer(phone), timeout=PATIENCE)
    assert changed.sessions_ended == 1
    for dead in (laptop, tablet):
        assert refusal(running.deliver, dead).reason == "SESSION_INVALID"
    assert running.texts(phone) == []
    assert running.log_in("ann", "a new password").account_id == phone.account_id


def test_a_repeated_send_is_one_message(running: Running) -> None:
    ann = running.sign_up("ann")
    message_id = some_id()
    first = running.send(ann, "ann", "once", message_id)
    running.clock.advance(3_600)
    assert running.send(ann, "ann", "once", message_id) == first
    assert running.texts(ann) == ["once"]
    refused = refusal(running.send, ann, "ann", "twice", message_id)
    assert (refused.code, refused.reason) == (Code.ALREADY_EXISTS, "MESSAGE_ID_REUSED")


def test_a_stream_opens_tells_and_ends(running: Running) -> None:
    ann = running.sign_up("ann")
    running.send(ann, "ann", "waiting")
    stream = running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann), timeout=PATIENCE)
    assert next(stream).opening.replaying == 1
    assert [message.text for message in next(stream).batch.messages] == ["waiting"]
    running.send(ann, "ann", "live")
    assert [message.text for message in next(stream).batch.messages] == ["live"]
    running.stub.LogOut(pb.LogOutRequest(), metadata=bearer(ann), timeout=PATIENCE)
    end = next(stream).end
    assert (end.reason, end.sent_through) == (pb.END_REASON_SESSION_ENDED, 2)
    ended = refusal(next, stream)
    assert (ended.code, ended.reason) == (Code.UNAUTHENTICATED, "SESSION_INVALID")


# Text in any script


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for tests that make many calls."""
    with Running(tmp_path_factory.mktemp("shared") / "chatbooth.db") as running:
        yield running


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    """Names that nobody has yet."""
    return (f"user{number}" for number in count())


def test_text_arrives_as_it_was_sent(shared: Running, names: Iterator[str]) -> None:
    ann, ben = shared.sign_up(next(names)), shared.sign_up(next(names))
    sent = 0

    @settings(max_examples=50)
    @given(st.text(min_size=1, max_size=300) | st.text("👩‍👧🏽e\u0301\u202e\ufeff漢ع\0\x1b\r\n", min_size=1))
    def arrives(text: str) -> None:
        nonlocal sent
        shared.send(ann, ben.username, text)
        [message] = shared.deliver(ben, acknowledge_through=sent).messages
        assert message.text == text
        sent = message.sequence

    arrives()


def test_a_text_of_the_largest_size_arrives(shared: Running, names: Iterator[str]) -> None:
    ann = shared.sign_up(next(names))
    text = "漢" * (1 << 20) + ""
    text = text[: (1 << 20) // 3] + "x"
    assert len(text.encode()) == 1 << 20
    shared.send(ann, ann.username, text)
    assert shared.texts(ann) == [text]


# Bad input: the exact code and reason, and nothing stored


@dataclass
class Bad:
    """A call that must be refused, and how."""

    method: str
    fields: dict[str, Any]
    code: grpc.StatusCode
    reason: str
    field: str = ""


def sending(code: grpc.StatusCode, reason: str, named: str = "", **fields: Any) -> Bad:
    """A bad Send: a good one but for some fields."""
    return Bad("Send", {"recipient": "ann", "message_id": b"m" * 16, "text": "hi", **fields}, code, reason, named)


WRONG = Code.INVALID_ARGUMENT
NAME = "INVALID_USERNAME"

BAD = {
    "empty username": Bad("SignUp", {"username": "", "password": PASSWORD}, WRONG, NAME, "username"),
    "over-long username": Bad("SignUp", {"username": "a" * 33, "password": PASSWORD}, WRONG, NAME, "username"),
    "ill-formed username": Bad("SignUp", {"username": "ben smith", "password": PASSWORD}, WRONG, NAME, "username"),
    "username of lookalikes": Bad("SignUp", {"username": "\u0430nn", "password": PASSWORD}, WRONG, NAME, "username"),
    "a taken username": Bad("SignUp", {"username": "ANN", "password": PASSWORD}, Code.ALREADY_EXISTS, "USERNAME_TAKEN"),
    "short password": Bad("SignUp", {"username": "ben", "password": "short"}, WRONG, "INVALID_PASSWORD", "password"),
    "no password": Bad("SignUp", {"username": "ben"}, WRONG, "INVALID_PASSWORD", "password"),
    "over-long password": Bad(
        "SignUp", {"username": "ben", "password": "x" * 1025}, WRONG, "INVALID_PASSWORD", "password"
    ),
    "a hostile password": Bad(
        "SignUp", {"username": "ben", "password": "\u0301\u0323" * 5_000}, WRONG, "INVALID_PASSWORD", "password"
    ),
    "log-in with a wrong password": Bad(
        "LogIn", {"username": "ann", "password": "wrong password"}, Code.UNAUTHENTICATED, "WRONG_CREDENTIALS"
    ),
    "log-in of nobody": Bad(
        "LogIn", {"username": "nobody", "password": PASSWORD}, Code.UNAUTHENTICATED, "WRONG_CREDENTIALS"
    ),
    "log-in with an ill-formed name": Bad("LogIn", {"username": "!", "password": PASSWORD}, WRONG, NAME, "username"),
    "unknown recipient": sending(Code.NOT_FOUND, "RECIPIENT_NOT_FOUND", recipient="nobody"),
    "ill-formed recipient": sending(WRONG, NAME, "recipient", recipient="no body"),
    "no recipient": sending(WRONG, NAME, "recipient", recipient=""),
    "empty text": sending(WRONG, "EMPTY_TEXT", "text", text=""),
    "text over the limit": sending(WRONG, "TEXT_TOO_LONG", "text", text="x" * ((1 << 20) + 1)),
    "text over the limit in bytes alone": sending(WRONG, "TEXT_TOO_LONG", "text", text="é" * ((1 << 19) + 1)),
    "text over what is read at all": sending(WRONG, "REQUEST_TOO_LARGE", "", text="x" * (2 << 20)),
    "no message id": sending(WRONG, "INVALID_MESSAGE_ID", "message_id", message_id=b""),
    "short message id": sending(WRONG, "INVALID_MESSAGE_ID", "message_id", message_id=b"m" * 15),
    "long message id": sending(WRONG, "INVALID_MESSAGE_ID", "message_id", message_id=b"m" * 17),
    "message id of zeros": sending(WRONG, "INVALID_MESSAGE_ID", "message_id", message_id=bytes(16)),
    "message id used before": sending(Code.ALREADY_EXISTS, "MESSAGE_ID_REUSED", message_id=b"u" * 16),
    "malformed pattern": Bad("List", {"pattern": "("}, WRONG, "INVALID_PATTERN", "pattern"),
    "pattern that is no RE2": Bad("List", {"pattern": r"(?=x)\1"}, WRONG, "INVALID_PATTERN", "pattern"),
    "over-long pattern": Bad("List", {"pattern": "x" * 1001}, WRONG, "INVALID_PATTERN", "pattern"),
    "the longest malformed pattern": Bad("List", {"pattern": "(" + "😀" * 249}, WRONG, "INVALID_PATTERN", "pattern"),
    "ill-formed prefix": Bad("List", {"prefix": " "}, WRONG, "INVALID_PREFIX", "prefix"),
    "garbage as page token": Bad("List", {"page_token": "x"}, WRONG, "INVALID_PAGE_TOKEN", "page_token"),
    "cursor past the end, delivering": Bad("Deliver", {"acknowledge_through": 2}, Code.OUT_OF_RANGE, "CURSOR_PAST_END"),
    "start past the end": Bad("Deliver", {"after": 2}, Code.OUT_OF_RANGE, "CURSOR_PAST_END"),
    "start past all numbers": Bad("Deliver", {"after": 2**64 - 1}, Code.OUT_OF_RANGE, "CURSOR_PAST_END"),
    "cursor past the end": Bad("Acknowledge", {"through": 2}, Code.OUT_OF_RANGE, "CURSOR_PAST_END"),
    "cursor past all numbers": Bad("Acknowledge", {"through": 2**64 - 1}, Code.OUT_OF_RANGE, "CURSOR_PAST_END"),
    "stream past the end": Bad("Listen", {"after": 2}, Code.OUT_OF_RANGE, "CURSOR_PAST_END"),
    "deletion with a wrong password": Bad(
        "Delete", {"password": "wrong password"}, Code.UNAUTHENTICATED, "WRONG_PASSWORD"
    ),
    "new password with a wrong old one": Bad(
        "ChangePassword",
        {"old_password": "wrong password", "new_password": "a new password"},
        Code.UNAUTHENTICATED,
        "WRONG_PASSWORD",
    ),
    "short new password": Bad(
        "ChangePassword",
        {"old_password": PASSWORD, "new_password": "short"},
        WRONG,
        "INVALID_PASSWORD",
        "new_password",
    ),
}


def answered(running: Running, method: str, request: ProtobufMessage, metadata: Any) -> object:
    """Make a call and read its answer to the end."""
    answer = getattr(running.stub, method)(request, metadata=metadata, timeout=PATIENCE)
    return answer if method in UNARY else list(answer)


def call(running: Running, bad: Bad, ann: pb.Session) -> object:
    """Make a bad call."""
    request_type: type[ProtobufMessage] = getattr(pb, f"{bad.method}Request")
    return answered(running, bad.method, request_type(**bad.fields), bearer(ann))


@pytest.fixture
def ann(running: Running) -> pb.Session:
    """Someone with one message waiting, under the id of sixteen u's."""
    ann = running.sign_up("ann")
    running.send(ann, "ann", "hello", b"u" * 16)
    return ann


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_and_nothing_stored(running: Running, ann: pb.Session, bad: Bad) -> None:
    before = running.rows()
    refused = refusal(call, running, bad, ann)
    # gRPC refuses this call itself, before the code of the server sees it.
    if bad.reason == "REQUEST_TOO_LARGE":
        assert (refused.code, refused.reason) == (Code.RESOURCE_EXHAUSTED, "")
        assert "larger than max" in refused.words
    else:
        assert (refused.code, refused.domain, refused.reason) == (bad.code, "chatbooth", bad.reason)
        assert refused.fields == ([bad.field] if bad.code is WRONG else [])
        assert refused.retry_after is None
        assert refused.words.endswith(".")
    assert running.rows() == before


@pytest.mark.parametrize(
    "metadata",
    [
        lambda ann: (),
        lambda ann: bearer(os.urandom(16)),
        lambda ann: bearer(bytes(16)),
        lambda ann: (("authorization", ann.token.hex()),),
        lambda ann: (("authorization", f"Basic {ann.token.hex()}"),),
        lambda ann: (("authorization", f"Digest {ann.token.hex()}"),),
        lambda ann: (("authorization", f"Bearer {ann.token.hex()[:-1]}"),),
        lambda ann: (("authorization", f"Bearer {ann.token.hex()}00"),),
        lambda ann: (("authorization", f"Bearer {'z' * 32}"),),
        lambda ann: (("authorization", f"Bearer {ann.token[:10].hex(' ')}   "),),
        lambda ann: (("authorization-bin", ann.token),),
        lambda ann: (("x-authorization", f"Bearer {ann.token.hex()}"),),
    ],
    ids=[
        "none",
        "forged",
        "zeros",
        "no scheme",
        "basic",
        "digest",
        "short",
        "long",
        "no hex",
        "spaced",
        "binary",
        "other key",
    ],
)
def test_without_a_sessions_token_nothing_is_done(
    running: Running, ann: pb.Session, metadata: Callable[[pb.Session], Any]
) -> None:
    before = running.rows()
    for method in AUTHENTICATED:
        refused = refusal(answered, running, method, getattr(pb, f"{method}Request")(), metadata(ann))
        assert (refused.code, refused.reason) == (Code.UNAUTHENTICATED, "SESSION_INVALID"), method
    assert running.rows() == before


def test_a_stale_token_is_refused(running: Running, ann: pb.Session) -> None:
    running.clock.advance(31 * 86_400)
    for method in ("List", "Deliver", "Send", "LogOut"):
        bad = Bad(method, {}, Code.UNAUTHENTICATED, "SESSION_INVALID")
        assert refusal(call, running, bad, ann).reason == "SESSION_INVALID"


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER "])
def test_a_tokens_scheme_has_no_case(running: Running, ann: pb.Session, scheme: str) -> None:
    metadata = (("authorization", scheme + ann.token.hex().upper()),)
    delivered = running.stub.Deliver(pb.DeliverRequest(), metadata=metadata, timeout=PATIENCE)
    assert delivered.opening.account_id == ann.account_id


def test_a_page_token_of_another_list_is_refused(running: Running, ann: pb.Session) -> None:
    running.sign_up("anna")
    first = running.stub.List(pb.ListRequest(page_size=1), metadata=bearer(ann), timeout=PATIENCE)
    request = pb.ListRequest(pattern="a", page_size=1, page_token=first.next_page_token)
    refused = refusal(running.stub.List, request, metadata=bearer(ann), timeout=PATIENCE)
    assert (refused.code, refused.reason, refused.fields) == (WRONG, "INVALID_PAGE_TOKEN", ["page_token"])


def test_bytes_that_encode_no_request_are_the_callers_fault(running: Running, ann: pb.Session) -> None:
    """Ill-formed UTF-8, a field that ends before its length, a tag of field 0; gRPC alone would answer INTERNAL."""
    before = running.rows()
    for method in UNARY:
        requests = [b"\x0a\xff", b"\x00", b"\xff" * 20]
        if method in ("SignUp", "LogIn", "List", "Send", "Delete", "ChangePassword"):  # field 1 is a string
            requests.append(b"\x0a\x04b\xff\xfen")
        for request in requests:
            refused = refusal(running.raw(method), request, metadata=bearer(ann), timeout=PATIENCE)
            assert (refused.code, refused.reason) == (WRONG, "MALFORMED_REQUEST"), (method, request)
    assert running.rows() == before


def test_a_text_that_is_no_utf8_is_the_callers_fault(running: Running, ann: pb.Session) -> None:
    good = pb.SendRequest(recipient="ann", message_id=some_id(), text="x" * 5).SerializeToString()
    bad = good.replace(b"xxxxx", b"\xed\xa0\x80xx")  # a surrogate, encoded
    refused = refusal(running.raw("Send"), bad, metadata=bearer(ann), timeout=PATIENCE)
    assert (refused.code, refused.reason) == (WRONG, "MALFORMED_REQUEST")
    running.raw("Send")(good, metadata=bearer(ann), timeout=PATIENCE)


@given(data=st.binary(max_size=40))
@settings(max_examples=50)
def test_no_bytes_at_all_are_an_internal_error(shared: Running, data: bytes) -> None:
    for method in UNARY:
        refused = refusal(shared.raw(method), data, timeout=PATIENCE)
        assert refused.code in (WRONG, Code.UNAUTHENTICATED), (method, data)


def test_a_name_that_is_held_is_taken(running: Running, ann: pb.Session) -> None:
    running.stub.Delete(pb.DeleteRequest(password=PASSWORD), metadata=bearer(ann), timeout=PATIENCE)
    refused = refusal(running.sign_up, "ann")
    assert (refused.code, refused.reason) == (Code.ALREADY_EXISTS, "USERNAME_TAKEN")
