"""The gRPC transport against a small server that notes requests: tokens, errors, sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from chatbooth_grpc import __version__
from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as stubs
from chatbooth_grpc.booth.actions import (
    ACKNOWLEDGE,
    CHANGE_PASSWORD,
    DELETE,
    DELIVER,
    LIST,
    LOG_IN,
    LOG_OUT,
    SIGN_UP,
    AcknowledgeRequest,
    ChangePasswordRequest,
    DeleteRequest,
    DeliverRequest,
    ListRequest,
    LogInRequest,
)
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    RecipientNotFound,
    RequestTooLarge,
    ServerUnreachable,
    TooBusy,
    UnknownError,
)
from chatbooth_grpc.booth.model import (
    MAX_TEXT_SIZE,
    Delivery,
    Gap,
    GapReason,
    Message,
    MessageBatch,
    Opening,
    OutgoingMessage,
    Page,
    Receipt,
    Removal,
    UnknownEvent,
)
from chatbooth_grpc.client.library import grpc_transport
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.grpc_transport import GrpcTransport
from chatbooth_grpc.rpc.delivering import delivery_to_pb
from chatbooth_grpc.rpc.errors import to_status
from chatbooth_grpc.rpc.messages import event_to_pb, opening_to_pb, session_to_pb, time_to_pb
from chatbooth_grpc.wire.client import wire_transport
from tests.client.scripted import SESSION, TOKEN

MESSAGE_ID = bytes(range(16))
MESSAGE = Message(5, "ben", 8, MESSAGE_ID, 1_760_000_000_000_001, "tea 🍵\x1b".encode())
DELIVERY = Delivery(Opening(SESSION.epoch, 7, 4, 1, Gap(2, 4, GapReason.RETENTION)), [MESSAGE], more=True)
BATCH = MessageBatch([MESSAGE])
CALLS: list[tuple[str, Callable[[GrpcTransport], object], object, Any, object]] = [
    (
        "SignUp",
        lambda transport: transport.call(SIGN_UP, b"", LogInRequest("ann", "password"), 5),
        pb.SignUpResponse(session=session_to_pb(SESSION)),
        pb.SignUpRequest(username="ann", password="password"),
        SESSION,
    ),
    (
        "LogIn",
        lambda transport: transport.call(LOG_IN, b"", LogInRequest("ann", "password"), 5),
        pb.LogInResponse(session=session_to_pb(SESSION)),
        pb.LogInRequest(username="ann", password="password"),
        SESSION,
    ),
    (
        "LogOut",
        lambda transport: transport.call(LOG_OUT, TOKEN, None, 5),
        pb.LogOutResponse(),
        pb.LogOutRequest(),
        None,
    ),
    (
        "ChangePassword",
        lambda transport: transport.call(CHANGE_PASSWORD, TOKEN, ChangePasswordRequest("old", "new"), 5),
        pb.ChangePasswordResponse(sessions_ended=3),
        pb.ChangePasswordRequest(old_password="old", new_password="new"),
        3,
    ),
    (
        "List",
        lambda transport: transport.call(LIST, TOKEN, ListRequest("x", "p", 2, "t"), 5),
        pb.ListResponse(usernames=["a", "b"], next_page_token="n"),
        pb.ListRequest(pattern="x", prefix="p", page_size=2, page_token="t"),
        Page(["a", "b"], "n"),
    ),
    (
        "Send",
        lambda transport: transport.send(TOKEN, OutgoingMessage("ben", MESSAGE_ID, b"tea"), timeout=5),
        pb.SendResponse(accept_time=time_to_pb(1_760_000_000_000_001)),
        pb.SendRequest(recipient="ben", message_id=MESSAGE_ID, text="tea"),
        Receipt(1_760_000_000_000_001),
    ),
    (
        "Deliver",
        lambda transport: transport.call(DELIVER, TOKEN, DeliverRequest(4, 0, 9), 5),
        delivery_to_pb(DELIVERY),
        pb.DeliverRequest(acknowledge_through=4, after=0, max_messages=9),
        DELIVERY,
    ),
    (
        "Deliver",
        lambda transport: transport.call(DELIVER, TOKEN, DeliverRequest(4, None, 9), 5),
        delivery_to_pb(DELIVERY),
        pb.DeliverRequest(acknowledge_through=4, max_messages=9),
        DELIVERY,
    ),
    (
        "Acknowledge",
        lambda transport: transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(4), 5),
        pb.AcknowledgeResponse(),
        pb.AcknowledgeRequest(through=4),
        None,
    ),
    (
        "Delete",
        lambda transport: transport.call(DELETE, TOKEN, DeleteRequest("password"), 5),
        pb.DeleteResponse(messages_removed=2, sessions_ended=1),
        pb.DeleteRequest(password="password"),
        Removal(2, 1),
    ),
]


@dataclass
class Server:
    """Answers every call with `reply`. If that is an error, the call ends with it."""

    reply: Any = None
    address: str = ""
    methods: list[str] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    metadata: dict[str, str | bytes] = field(default_factory=dict)
    seconds: float = 0.0

    def handle(self, name: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        """Return the behaviour of one method."""

        def behave(request: Any, context: grpc.ServicerContext) -> Any:
            self.methods.append(name)
            self.requests.append(request)
            self.metadata = dict(context.invocation_metadata())
            self.seconds = context.time_remaining() or 0.0
            if isinstance(self.reply, ChatboothError):
                context.abort_with_status(to_status(self.reply))
            if isinstance(self.reply, tuple):
                context.abort(*self.reply)
            return self.reply

        return behave


@contextmanager
def serving(reply: Any = None, address: str = "127.0.0.1:0") -> Iterator[Server]:
    """Run such a server."""
    noted = Server(reply)
    methods = [method.name for method in pb.DESCRIPTOR.services_by_name["ChatService"].methods]
    servicer: Any = SimpleNamespace(**{name: noted.handle(name) for name in methods})
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, options=[("grpc.max_receive_message_length", 1 << 20), ("grpc.so_reuseport", 0)])
        stubs.add_ChatServiceServicer_to_server(servicer, server)
        noted.address = f"{address.rpartition(':')[0]}:{server.add_insecure_port(address)}"
        server.start()
        yield noted
        server.stop(None).wait()


@contextmanager
def connected(server: Server) -> Iterator[GrpcTransport]:
    """Connect a transport to the server."""
    transport = GrpcTransport(server.address)
    yield transport
    transport.close()


@pytest.mark.parametrize(("method", "call", "reply", "request_", "result"), CALLS)
def test_each_action_is_one_call_and_returns_the_models_nouns(
    method: str, call: Callable[[GrpcTransport], object], reply: object, request_: Any, result: object
) -> None:
    with serving(reply) as server, connected(server) as transport:
        assert call(transport) == result
    assert server.methods == [method]
    assert server.requests == [request_]
    expected = None if method in {"SignUp", "LogIn"} else f"Bearer {TOKEN.hex()}"
    assert server.metadata.get("authorization") == expected
    assert 1 < server.seconds < 6
    assert str(server.metadata["user-agent"]).startswith(f"chatbooth/{__version__} ")


@pytest.mark.parametrize("error", [RecipientNotFound("ben"), TooBusy("calls at once", 2.5)])
def test_errors_are_those_of_the_error_tree(error: ChatboothError) -> None:
    with serving(error) as server, connected(server) as transport, pytest.raises(type(error)) as raised:
        transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), 5)
    assert raised.value.attributes() == error.attributes()


def test_an_error_of_another_server_keeps_its_words() -> None:
    reply = (grpc.StatusCode.DATA_LOSS, "odd")
    with serving(reply) as server, connected(server) as transport, pytest.raises(UnknownError, match="odd"):
        transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), 5)


def test_a_stream_names_the_events_that_it_does_not_know_and_continues() -> None:
    newer = pb.ListenResponse.FromString(b"\x4a\x05event")
    told = [pb.ListenResponse(opening=opening_to_pb(DELIVERY.opening)), newer, pb.ListenResponse(), event_to_pb(BATCH)]
    with serving(iter(told)) as server, connected(server) as transport:
        events = islice(transport.listen(TOKEN, None), 4)
        assert [*events] == [DELIVERY.opening, UnknownEvent(9), UnknownEvent(0), BATCH]


def test_a_request_too_large_says_so() -> None:
    with serving() as server, connected(server) as transport, pytest.raises(RequestTooLarge):
        transport.send(TOKEN, OutgoingMessage("ben", MESSAGE_ID, b"x" * (1 << 20)), timeout=5)


def test_the_largest_text_allowed_is_received() -> None:
    large = Delivery(DELIVERY.opening, [Message(5, "ben", 8, MESSAGE_ID, 0, b"x" * MAX_TEXT_SIZE)], more=False)
    with serving(delivery_to_pb(large)) as server, connected(server) as transport:
        assert transport.call(DELIVER, TOKEN, DeliverRequest(), 20) == large


def test_a_server_that_does_not_answer_is_unreachable_and_is_named() -> None:
    with serving() as server:
        pass
    with connected(server) as transport, pytest.raises(ServerUnreachable, match=server.address):
        transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), 5)


def test_a_call_without_time_left_raises_deadline_exceeded() -> None:
    with serving() as server, connected(server) as transport, pytest.raises(DeadlineExceeded):
        transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), -1)


def test_a_connection_to_this_machine_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(variable, raising=False)
    with serving(pb.AcknowledgeResponse()) as server, connected(server) as transport:
        transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), 5)


def test_ipv6_addresses_work() -> None:
    try:
        with serving(pb.AcknowledgeResponse(), "[::1]:0") as server, connected(server) as transport:
            transport.call(ACKNOWLEDGE, TOKEN, AcknowledgeRequest(1), 5)
    except RuntimeError as error:
        pytest.skip(f"this machine has no IPv6: {error}")


def test_a_server_that_returns_is_found_within_the_call() -> None:
    with serving() as server:
        pass
    told: list[str] = []
    running: list[Any] = []

    def restart(error: ChatboothError, _pause: float) -> None:
        told.append(error.reason)
        if len(told) == 2:
            running.append(serving(pb.AcknowledgeResponse(), server.address))
            running[0].__enter__()

    with ChatClient.connect(server.address, session=SESSION, timeout=30, on_retry=restart) as client:
        client.acknowledge(1)
    running[0].__exit__(None, None, None)
    assert set(told) == {"SERVER_UNREACHABLE"}


def test_both_transports_ask_a_silent_server_after_the_same_time() -> None:
    assert grpc_transport._KEEPALIVE_TIME_MS == wire_transport.KEEPALIVE_TIME * 1_000
    assert grpc_transport._KEEPALIVE_TIMEOUT_MS == wire_transport.KEEPALIVE_TIMEOUT * 1_000
