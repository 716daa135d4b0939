"""The names and attributes of spans: bounded, by the conventions, and without anything secret."""

from __future__ import annotations

from chatbooth_grpc.booth.actions import ACTIONS
from chatbooth_grpc.booth.errors import InvalidUsername, StoreFull, StoreUnavailable, TooBusy
from chatbooth_grpc.booth.model import Message, OutgoingMessage
from chatbooth_grpc.booth.store import NewMessage, StoredSession
from chatbooth_grpc.tracing.describing import (
    call_attributes,
    is_fault,
    method,
    outcome_attributes,
    pushed_attributes,
    sent_attributes,
)

ANN = StoredSession(5, 3, "ann", 1, 0, 0)
ID = bytes(range(16))


def test_every_action_has_the_name_of_its_method_and_all_others_share_one() -> None:
    names = {method(row.name) for row in ACTIONS.values() if not row.is_wire_only}
    assert {"chatbooth.v1.ChatService/Send", "chatbooth.v1.ChatService/SignUp"} <= names
    assert "_OTHER" not in names
    assert {method(str(number)) for number in range(100, 999)} == {"_OTHER"}


def test_a_call_is_described_by_its_wire_and_its_outcome() -> None:
    assert call_attributes("grpc", "SEND")["rpc.system.name"] == "grpc"
    assert call_attributes("wire", "SEND")["rpc.system.name"] == "chatbooth"
    assert outcome_attributes(None) == {"rpc.response.status_code": "OK"}
    assert outcome_attributes(TooBusy("lists at once")) == {
        "rpc.response.status_code": "RESOURCE_EXHAUSTED",
        "error.type": "TOO_BUSY",
    }


def test_only_an_error_of_the_server_is_a_fault() -> None:
    assert is_fault(StoreUnavailable())
    assert not any(map(is_fault, (None, InvalidUsername(), TooBusy("lists at once"))))
    assert outcome_attributes(StoreFull())["rpc.response.status_code"] == "RESOURCE_EXHAUSTED"


def test_a_message_is_described_by_numbers_and_its_id() -> None:
    sent = sent_attributes(NewMessage(ANN, OutgoingMessage("ben", ID, b"a secret"), b"d" * 16))
    pushed = pushed_attributes(ANN, Message(9, "ben", 4, ID, 0, b"a secret"))
    assert sent["messaging.message.id"] == pushed["messaging.message.id"] == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert (sent["chatbooth.account.id"], sent["messaging.message.body.size"]) == (3, 8)
    assert (pushed["chatbooth.session.id"], pushed["chatbooth.mailbox.sequence"]) == (5, 9)
    assert not {"ann", "ben", "a secret", b"a secret"} & {*sent.values(), *pushed.values()}
