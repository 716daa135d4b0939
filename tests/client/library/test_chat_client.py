"""The public API over a scripted transport: which calls are repeated, and how."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace

import pytest

from chatbooth_grpc.booth.actions import DeleteRequest, ListRequest, LogInRequest
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    InvalidMessageId,
    MalformedRequest,
    ServerUnreachable,
    SessionInvalid,
    TooBusy,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.booth.model import OutgoingMessage, Page, Receipt, Removal
from chatbooth_grpc.client.library.chat_client import ChatClient
from tests.client.scripted import SESSION, TOKEN, delivery, scripted_client
from tests.seconds import Seconds

LOST = [ServerUnreachable("s"), DeadlineExceeded()]


def test_send_repeats_the_same_message_under_the_same_id() -> None:
    client, transport = scripted_client(ServerUnreachable("s"), DeadlineExceeded(), TooBusy("calls"), Receipt(5))
    assert client.send("ben", "tea?") == Receipt(5)
    sent = [call.arguments[1] for call in transport.calls]
    assert sent == [OutgoingMessage("ben", sent[0].message_id, b"tea?")] * 4
    assert len(sent[0].message_id) == 16


def test_each_send_has_a_new_id_unless_it_is_given_one() -> None:
    client, transport = scripted_client(Receipt(1), Receipt(2), Receipt(3))
    client.send("ben", "tea?")
    client.send("ben", "tea?")
    client.send("ben", "tea?", message_id=b"i" * 16)
    ids = [call.arguments[1].message_id for call in transport.calls]
    assert len(set(ids)) == 3
    assert ids[2] == b"i" * 16


def test_a_malformed_id_is_refused_and_not_replaced() -> None:
    client, transport = scripted_client()
    with pytest.raises(InvalidMessageId):
        client.send("ben", "tea?", message_id=b"")
    assert transport.calls == []


def test_a_message_is_sent_unchanged() -> None:
    client, transport = scripted_client(Receipt(1))
    message = OutgoingMessage("ben", b"i" * 16, b"tea?")
    assert client.send(message) == Receipt(1)
    assert transport.calls[0].arguments == (TOKEN, message)


def test_all_attempts_share_one_timeout() -> None:
    clock = Seconds()
    client, transport = scripted_client(*[ServerUnreachable("s")] * 50, clock=clock)
    client.timeout = 3.0
    with pytest.raises(ServerUnreachable):
        client.send("ben", "tea?")
    assert clock.now <= 1_003.0
    assert [call.timeout for call in transport.calls] == pytest.approx([3.0, 2.9, 2.7, 2.3, 1.5])


@pytest.mark.parametrize("error", LOST)
def test_a_call_that_may_be_repeated_is_repeated(error: ChatboothError) -> None:
    client, transport = scripted_client(error, Page([], ""), error, delivery(), error, None)
    client.list_page()
    client.deliver()
    client.acknowledge(3)
    assert [call.action for call in transport.calls] == ["list"] * 2 + ["deliver"] * 2 + ["acknowledge"] * 2


@pytest.mark.parametrize("error", LOST)
def test_a_call_that_may_not_be_repeated_is_not_repeated(error: ChatboothError) -> None:
    client, transport = scripted_client(*[error] * 4)
    calls: list[Callable[[], object]] = [
        lambda: client.log_in("ann", "password"),
        client.log_out,
        lambda: client.change_password("old", "new"),
        lambda: client.delete("password"),
    ]
    for call in calls:
        with pytest.raises(type(error)):
            call()
    assert [call.action for call in transport.calls] == ["log_in", "log_out", "change_password", "delete"]
    assert client.session == SESSION


@pytest.mark.parametrize("error", LOST)
def test_a_sign_up_whose_reply_was_lost_logs_in(error: ChatboothError) -> None:
    client, transport = scripted_client(error, ServerUnreachable("s"), SESSION, session=None)
    assert client.sign_up("ann", "password") == SESSION
    assert client.session == SESSION
    token = transport.calls[0].arguments[1].token
    assert len(token) == len(TOKEN)
    request = LogInRequest("ann", "password", token)
    assert [(call.action, call.arguments) for call in transport.calls] == [
        ("sign_up", (b"", request)),
        ("log_in", (b"", request)),
        ("log_in", (b"", request)),
    ]


def test_a_sign_up_that_did_not_happen_fails_with_its_first_error() -> None:
    client, _ = scripted_client(DeadlineExceeded(), WrongCredentials(), session=None)
    with pytest.raises(DeadlineExceeded):
        client.sign_up("ann", "password")
    assert client.session is None


def test_a_refused_sign_up_does_not_log_in() -> None:
    client, transport = scripted_client(UsernameTaken("ann"), session=None)
    with pytest.raises(UsernameTaken):
        client.sign_up("ann", "password")
    assert len(transport.calls) == 1


def test_list_reads_all_pages_even_after_an_empty_one() -> None:
    client, transport = scripted_client(Page(["a", "b"], "1"), Page([], "2"), Page(["c"], ""))
    assert [*client.list("x", prefix="p", page_size=2)] == ["a", "b", "c"]
    assert [call.arguments for call in transport.calls] == [
        (TOKEN, ListRequest("x", "p", 2, page_token)) for page_token in ("", "1", "2")
    ]


def test_the_clients_session_is_that_of_the_last_sign_up_or_log_in() -> None:
    client, transport = scripted_client(SESSION, None, SESSION, 2, Removal(3, 1), session=None)
    client.log_in("ann", "password")
    client.log_out()
    assert client.session is None
    client.sign_up("ann", "password")
    assert client.change_password("old", "new") == 2
    assert client.delete("password") == Removal(3, 1)
    assert client.session is None
    assert transport.calls[-1].arguments == (TOKEN, DeleteRequest("password"))


def test_a_wrong_password_keeps_the_session() -> None:
    client, _ = scripted_client(WrongPassword())
    with pytest.raises(WrongPassword):
        client.delete("password")
    assert client.session == SESSION


def test_without_a_session_nothing_is_called() -> None:
    client, transport = scripted_client(session=None)
    calls: list[Callable[[], object]] = [
        lambda: client.send("ben", "tea?"),
        client.deliver,
        lambda: client.acknowledge(1),
        client.list_page,
        client.log_out,
    ]
    for call in calls:
        with pytest.raises(SessionInvalid) as refused:
            call()
        assert refused.value.problem == "MISSING"
    assert transport.calls == []


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        (TOKEN.hex(), "NOT_BYTES"),
        (TOKEN.hex().encode(), "HEX"),
        (b64encode(b"\xf0" * 16), "BASE64"),
        (TOKEN[1:], "WRONG_SIZE"),
        (b"", "MISSING"),
    ],
)
def test_a_malformed_token_is_refused_before_it_is_sent(token: bytes, problem: str) -> None:
    client, transport = scripted_client(session=replace(SESSION, token=token))
    calls: list[Callable[[], object]] = [
        lambda: client.send("ben", "tea?"),
        lambda: client.send_many([]),
        client.deliver,
        lambda: client.acknowledge(1),
        client.list_page,
        client.listen,
        client.log_out,
        lambda: client.change_password("old", "new"),
        lambda: client.delete("password"),
    ]
    for call in calls:
        with pytest.raises(SessionInvalid) as refused:
            call()
        assert refused.value.problem == problem
    assert transport.calls == []


def test_a_session_does_not_show_its_token() -> None:
    assert repr(TOKEN) not in repr(SESSION)
    assert TOKEN.hex() not in repr(SESSION)


def test_a_lone_surrogate_is_refused_before_it_is_sent() -> None:
    client, transport = scripted_client()
    with pytest.raises(MalformedRequest) as refused:
        client.send("ben", "tea\udcff")
    assert refused.value.field == "text"
    with pytest.raises(MalformedRequest):
        client.log_in("ann", "\ud800")
    assert transport.calls == []


def test_leaving_the_client_closes_its_transport() -> None:
    client, transport = scripted_client()
    with client:
        assert not transport.closed
    assert transport.closed


def test_a_malformed_address_is_refused() -> None:
    with pytest.raises(ValueError, match="not a server's address"):
        ChatClient.connect("http://example.org")


def test_importing_the_library_does_not_import_grpc() -> None:
    code = "import sys; from chatbooth_grpc.client import ChatClient; print('grpc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
