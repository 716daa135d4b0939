"""P10: content of an unknown kind arrives once and whole, by every way, on every store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest

from chatbooth_grpc.booth.credentials import hash_token
from chatbooth_grpc.booth.errors import ChatboothError, UnknownContentKind
from chatbooth_grpc.booth.model import ContentKind, Message, MessageBatch, OutgoingMessage, Receipt
from chatbooth_grpc.booth.rules import MESSAGE_ID_SIZE
from chatbooth_grpc.booth.store import NewMessage, Store
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.listening import Listening
from chatbooth_grpc.client.library.transport import Transport
from tests.contract.actor import PASSWORD, number_id
from tests.contract.stores import Clock, send
from tests.contract.transports import WAYS, transport_to

TEXT = ContentKind.TEXT
SEVERAL = [
    (TEXT, b"before"),
    (7, b"\xff\x00raw"),
    (2, b""),
    (255, bytes(300_000)),
    (128, "é".encode()),
    (TEXT, b"after"),
]

Content = tuple[int, bytes]
"""A kind's number, and the bytes."""

_numbers = count(1)


@pytest.fixture(params=WAYS)
def transport(request: pytest.FixtureRequest, store: Store, clock: Clock) -> Iterator[Transport]:
    """Return each of the ways to a booth over `store`."""
    with transport_to(store, request.param, clock) as transport:
        yield transport


@pytest.fixture
def client(transport: Transport) -> Iterator[ChatClient]:
    """Return a client of this version, signed up as ann."""
    with closing(ChatClient(transport, timeout=30.0)) as client:
        client.sign_up("ann", PASSWORD)
        yield client


def store_as_newer(store: Store, client: ChatClient, contents: list[Content]) -> None:
    """Let ann send contents to herself by a server that knows their kinds."""
    assert client.session is not None
    session = store.session(hash_token(client.session.token))
    assert session is not None
    for kind, content in contents:
        digest = hashlib.blake2b(content, digest_size=MESSAGE_ID_SIZE).digest()
        message = OutgoingMessage("ann", number_id(next(_numbers)), content, kind)
        send(store, NewMessage(session, message, digest))


def contents_of(messages: list[Message]) -> list[Content]:
    return [(message.kind, message.content) for message in messages]


def test_it_is_delivered_once_with_its_kind_and_its_bytes(store: Store, client: ChatClient) -> None:
    store_as_newer(store, client, SEVERAL)
    assert contents_of(list(client.messages())) == SEVERAL
    assert client.deliver().messages == []
    assert contents_of(client.deliver(after=0).messages) == SEVERAL


def test_its_text_says_that_it_is_unknown(store: Store, client: ChatClient) -> None:
    store_as_newer(store, client, [(7, b"not a text")])
    [message] = client.deliver().messages
    assert message.text == "a message of a kind that this client does not know (kind 7); update the client"


def heard(stream: Listening, count: int) -> list[Message]:
    """Read events until `count` messages have come."""
    found: list[Message] = []
    while len(found) < count:
        event = next(stream)
        assert isinstance(event, MessageBatch)
        found += event.messages
    return found


@pytest.mark.parametrize("transport", ["grpc", "wire"], indirect=True)
def test_a_stream_brings_it_once_and_continues(store: Store, client: ChatClient) -> None:
    lost: list[ChatboothError] = []
    store_as_newer(store, client, SEVERAL)
    with client.listen(on_lost=lambda error, _: lost.append(error)) as stream:
        assert contents_of(heard(stream, len(SEVERAL))) == SEVERAL
        live = [(9, b"\xfe live"), (TEXT, b"live")]
        store_as_newer(store, client, live)
        found = heard(stream, len(live))
        assert contents_of(found) == live
        # Asking for the next event means that these were taken, and closing acknowledges them.
        store_as_newer(store, client, [(TEXT, b"last")])
        heard(stream, 1)
    assert lost == []
    assert [message.text for message in client.deliver().messages] == ["last"]
    with client.listen() as again:
        assert [message.text for message in heard(again, 1)] == ["last"]


def test_an_older_server_refuses_it_and_stores_nothing(transport: Transport, client: ChatClient) -> None:
    token = client.session.token if client.session else b""
    with pytest.raises(UnknownContentKind) as refused:
        transport.send(token, OutgoingMessage("ann", number_id(1), b"\xff", 7), timeout=30)
    assert (refused.value.kind, refused.value.field) == (7, "content")
    # The id is not spent.
    transport.send(token, OutgoingMessage("ann", number_id(1), b"a text"), timeout=30)
    assert [message.text for message in client.deliver().messages] == ["a text"]


def test_in_a_batch_it_fails_alone(transport: Transport, client: ChatClient) -> None:
    stream = transport.send_stream(client.session.token if client.session else b"")
    with closing(stream):
        contents = [(TEXT, b"one"), (200, b""), (TEXT, b"two")]
        stream.send([OutgoingMessage("ann", number_id(place), c, k) for place, (k, c) in enumerate(contents, 1)])
        first, refusal, last = stream.receive()
    assert isinstance(first, Receipt)
    assert isinstance(last, Receipt)
    assert isinstance(refusal, UnknownContentKind)
    assert refusal.kind == 200
    assert [message.text for message in client.deliver().messages] == ["one", "two"]
