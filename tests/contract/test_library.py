"""The client library over every transport: the same outcomes, and no foreign errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.outgoing import Sendable, text_message
from tests.contract.actor import PASSWORD, number_id
from tests.contract.transports import WAYS, transport_by

NUMBERS: list[Any] = [-1, 1 << 63, 1 << 64, "1", 1.5, b"1"]
STRINGS: list[Any] = [None, 5, b"ben", "\udce9"]
MESSAGES: list[Any] = [
    OutgoingMessage("ann", number_id(1), b"as it is sent"),
    ("ann", "as a pair"),
    OutgoingMessage("ann", number_id(1), b"another text"),
    OutgoingMessage("ann", b"short", b"x"),
    OutgoingMessage("ann", bytes(16), b"x"),
    OutgoingMessage("ann", number_id(2), b"\xff"),
    ("ann", "\udce9"),
    ("nobody", "hello"),
    ("", "hello"),
    ("ann", ""),
    text_message("ann", "the last", message_id=number_id(3)),
]


@contextmanager
def client_by(way: str, folder: Path) -> Iterator[ChatClient]:
    """Return a client by one of the ways to a booth of its own, signed up as ann."""
    with transport_by(way, folder / way) as transport, closing(ChatClient(transport, timeout=30.0)) as client:
        client.sign_up("ann", PASSWORD)
        yield client


def outcome(call: Callable[[], object]) -> object:
    """Return the outcome of a call without its random parts: its type, or its error with all attributes and words."""
    try:
        return type(call()).__name__
    except ChatboothError as error:
        return (error.reason, error.attributes(), str(error))
    except (TypeError, ValueError) as error:
        return (type(error).__name__, str(error))


def calls(client: ChatClient) -> Iterator[Callable[[], object]]:
    """Return calls with every wrong argument that a program may pass."""
    for number in NUMBERS:
        yield partial(client.acknowledge, number)
        yield partial(client.deliver, acknowledge_through=number)
        yield partial(client.deliver, after=number)
        yield partial(client.deliver, max_messages=number)
        yield partial(client.list_page, page_size=number)
    for string in STRINGS:
        yield partial(client.list_page, string)
        yield partial(client.list_page, prefix=string)
        yield partial(client.list_page, page_token=string)
        yield partial(client.sign_up, string, PASSWORD)
        yield partial(client.log_in, "ann", string)
        yield partial(client.change_password, PASSWORD, string)
        yield partial(client.delete, string)
        yield partial(client.send, string, "hello")
        yield partial(client.send, "ann", string)
    for message in MESSAGES:
        yield partial(client.send, message)
        yield partial(client.send, message, "and a text")


def test_wrong_arguments_have_the_same_outcome_by_every_way(tmp_path: Path) -> None:
    found = []
    for way in WAYS:
        with client_by(way, tmp_path) as client:
            found.append([outcome(call) for call in calls(client)])
    for direct, *others in zip(*found, strict=True):
        assert others == [direct] * (len(WAYS) - 1)
    assert {one[0] for one in found[0] if isinstance(one, tuple)} == {
        *("TypeError", "ValueError", "CURSOR_PAST_END", "MALFORMED_REQUEST", "MESSAGE_ID_REUSED"),
        "INVALID_MESSAGE_ID",
    }


def test_send_and_send_many_accept_the_same_forms_with_the_same_outcomes(tmp_path: Path) -> None:
    sent = []
    for way in WAYS:
        with client_by(way, tmp_path) as client:
            sent.append([_told(each) for _, each in client.send_many(MESSAGES)])
            assert [message.content for message, _ in client.send_many(MESSAGES[:2])] == [
                b"as it is sent",
                b"as a pair",
            ]
            for message, expected in zip(MESSAGES, sent[-1], strict=True):
                assert _sent_alone(client, message) == expected
            assert [each.text for each in client.deliver().messages].count("as it is sent") == 1
    assert sent == [sent[0]] * len(WAYS)
    assert [each[0] for each in sent[0]] == [
        *("OK", "OK", "MESSAGE_ID_REUSED", "INVALID_MESSAGE_ID", "INVALID_MESSAGE_ID"),
        *("MALFORMED_REQUEST", "MALFORMED_REQUEST", "RECIPIENT_NOT_FOUND", "INVALID_USERNAME", "EMPTY_TEXT", "OK"),
    ]


def test_messages_that_no_protocol_carries_delay_no_others(tmp_path: Path) -> None:
    unfit: list[Sendable] = [("ann", "\udce9")] * 600
    for way in WAYS:
        with client_by(way, tmp_path) as client:
            outcomes = [each for _, each in client.send_many([*unfit, ("ann", "the end")])]
            assert [_told(each)[0] for each in outcomes] == ["MALFORMED_REQUEST"] * 600 + ["OK"]
            assert [each.text for each in client.deliver().messages] == ["the end"]


def _sent_alone(client: ChatClient, message: Any) -> object:
    try:
        return _told(client.send(message) if isinstance(message, OutgoingMessage) else client.send(*message))
    except ChatboothError as error:
        return _told(error)


def _told(outcome: Receipt | ChatboothError) -> tuple[str, object, object]:
    if isinstance(outcome, Receipt):
        return ("OK", None, None)
    return (outcome.reason, outcome.attributes(), str(outcome))
