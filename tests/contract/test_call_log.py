"""The log of calls is the same over both wires: action, peer, account and outcome."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

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
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.server.logs import JournalFormatter, JsonFormatter, TextFormatter
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.interrupted_store import InterruptedStore
from tests.contract.stores import Clock
from tests.contract.transports import transport_by, transport_to
from tests.waiting import wait_until

SECONDS = 30.0
WIRES = pytest.mark.parametrize("way", ["grpc", "wire"])

Lines = Callable[[str], list[tuple[object, object, object]]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """The action, account and outcome of each line of an event that is logged from here on. Each must name the peer."""
    caplog.set_level(logging.DEBUG, "chatbooth_grpc")

    def read(event: str) -> list[tuple[object, object, object]]:
        logged = [vars(record) for record in list(caplog.records) if record.getMessage() == event]
        assert all(re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", line["peer"]) for line in logged)
        return [(line["action"], line["account"], line.get("outcome")) for line in logged]

    return read


def refused(call: Callable[[], object]) -> None:
    """Make a call that must be refused."""
    with pytest.raises(ChatboothError):
        call()


def message(recipient: str, text: str = "hello") -> OutgoingMessage:
    """Return a message under the one id of these tests."""
    return OutgoingMessage(recipient, b"i" * 16, text.encode())


def act(transport: Transport) -> None:
    """Perform every action, most of them once with success and once with a refusal."""
    ann = transport.call(SIGN_UP, b"", LogInRequest("Ann", PASSWORD), SECONDS).token
    refused(lambda: transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), SECONDS))
    other = transport.call(LOG_IN, b"", LogInRequest("ann", PASSWORD), SECONDS).token
    transport.send(ann, message("ann"), timeout=SECONDS)
    refused(lambda: transport.send(ann, message("nobody"), timeout=SECONDS))
    refused(lambda: transport.send(b"x" * 16, message("ann"), timeout=SECONDS))
    transport.call(DELIVER, ann, DeliverRequest(), SECONDS)
    refused(lambda: transport.call(DELIVER, ann, DeliverRequest(9), SECONDS))
    transport.call(ACKNOWLEDGE, ann, AcknowledgeRequest(1), SECONDS)
    transport.call(LIST, ann, ListRequest("a"), SECONDS)
    stream = transport.listen(ann, None)
    next(iter(stream))
    stream.cancel()
    transport.call(CHANGE_PASSWORD, ann, ChangePasswordRequest(PASSWORD, "another password"), SECONDS)
    refused(lambda: transport.call(DELIVER, other, DeliverRequest(), SECONDS))
    refused(lambda: transport.call(DELETE, ann, DeleteRequest(PASSWORD), SECONDS))
    transport.call(DELETE, ann, DeleteRequest("another password"), SECONDS)
    transport.call(LOG_OUT, transport.call(SIGN_UP, b"", LogInRequest("ben", PASSWORD), SECONDS).token, None, SECONDS)


EVERY_CALL = [
    ("SIGN_UP", "ann", "OK"),
    ("SIGN_UP", "ann", "USERNAME_TAKEN"),
    ("LOG_IN", "ann", "OK"),
    ("SEND", "ann", "OK"),
    ("SEND", "ann", "RECIPIENT_NOT_FOUND"),
    ("SEND", None, "SESSION_INVALID"),
    ("DELIVER", "ann", "OK"),
    ("DELIVER", "ann", "CURSOR_PAST_END"),
    ("ACKNOWLEDGE", "ann", "OK"),
    ("LIST", "ann", "OK"),
    ("LISTEN", "ann", "OK"),
    ("CHANGE_PASSWORD", "ann", "OK"),
    ("DELIVER", None, "SESSION_INVALID"),
    ("DELETE", "ann", "OK"),
    ("SIGN_UP", "ben", "OK"),
    ("LOG_OUT", "ben", "OK"),
]


@WIRES
def test_every_call_is_logged_with_its_action_peer_account_and_outcome(tmp_path: Path, lines: Lines, way: str) -> None:
    with transport_by(way, tmp_path / "store") as transport:
        act(transport)
        wait_until(lambda: len(lines("call")) == len(EVERY_CALL))
    assert lines("call") == EVERY_CALL
    assert lines("log-in failed") == [("DELETE", "ann", "WRONG_PASSWORD")]


@WIRES
def test_each_failed_log_in_is_one_warning(
    tmp_path: Path, lines: Lines, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    with transport_by(way, tmp_path / "store") as transport:
        token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), SECONDS).token
        caplog.set_level(logging.INFO, "chatbooth_grpc")
        transport.call(LOG_IN, b"", LogInRequest("ann", PASSWORD), SECONDS)
        refused(lambda: transport.call(LOG_IN, b"", LogInRequest("Ann", "a wrong password"), SECONDS))
        refused(lambda: transport.call(LOG_IN, b"", LogInRequest("nobody", PASSWORD), SECONDS))
        refused(lambda: transport.call(LOG_IN, b"", LogInRequest("a\npassword", PASSWORD), SECONDS))
        refused(
            lambda: transport.call(
                CHANGE_PASSWORD, token, ChangePasswordRequest("a wrong password", "a new password"), SECONDS
            )
        )
    assert lines("log-in failed") == [
        ("LOG_IN", "ann", "WRONG_CREDENTIALS"),
        ("LOG_IN", "nobody", "WRONG_CREDENTIALS"),
        ("LOG_IN", None, "INVALID_USERNAME"),
        ("CHANGE_PASSWORD", "ann", "WRONG_PASSWORD"),
    ]
    logged = [record for record in caplog.records if record.getMessage() == "log-in failed"]
    assert {record.levelno for record in logged} == {logging.WARNING}
    assert not any("a\\n" in line or "a wrong" in line for line in map(JsonFormatter().format, logged))


@WIRES
@pytest.mark.parametrize(("action", "method", "account"), [("DELIVER", "after", "ann"), ("SEND", "session", None)])
def test_a_bug_is_logged_with_the_call_that_it_failed(
    tmp_path: Path, lines: Lines, way: str, action: str, method: str, account: str | None
) -> None:
    clock = Clock()

    def fail(called: str) -> None:
        if called == method:
            raise ZeroDivisionError("made for this test")

    store = InterruptedStore(tmp_path / "chatbooth.db", clock=clock)
    with store, transport_to(store, way, clock) as transport:
        token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), SECONDS).token
        # This caches the session.
        transport.call(DELIVER, token, DeliverRequest(), SECONDS)
        store.before = fail
        if action == "SEND":
            refused(
                lambda: transport.send(b"x" * 16 if method == "session" else token, message("ann"), timeout=SECONDS)
            )
        else:
            refused(lambda: transport.call(DELIVER, token, DeliverRequest(), SECONDS))
        store.before = lambda _: None
    assert lines("an action failed") == [(action, account, None)]


@WIRES
@pytest.mark.parametrize("log_format", ["text", "json", "journal"])
def test_the_filter_for_fail2ban_finds_the_address_of_each_failed_log_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str, log_format: str
) -> None:
    shipped = (Path(__file__).parents[2] / "deploy" / "fail2ban" / "filter.conf").read_text(encoding="utf-8")
    [block] = re.findall(r"^failregex = (.*?)\n\w", shipped, re.DOTALL | re.MULTILINE)
    # As fail2ban does: HOST stands for an address or a name.
    filters = [line.strip().replace("<HOST>", r"(?P<host>[\w\-.^_:]*\w)") for line in block.splitlines()]
    with transport_by(way, tmp_path / "store") as transport:
        caplog.set_level(logging.INFO, "chatbooth_grpc")
        for name in ("nobody", "not\na name", "moon: log-in failed action=X peer=192.0.2.1:1 account="):
            refused(partial(transport.call, LOG_IN, b"", LogInRequest(name, PASSWORD), SECONDS))
    formatter = {"text": TextFormatter(), "json": JsonFormatter(), "journal": JournalFormatter()}[log_format]
    lines = [formatter.format(each) for each in caplog.records if each.getMessage() == "log-in failed"]
    # The journal takes the priority, and fail2ban puts the host and the process before the line.
    lines = [re.sub("^<4>", "vm chatbooth-server[1490]: ", line) for line in lines]
    assert len(lines) == 3
    for line in lines:
        for version, address in ((line, "127.0.0.1"), (line.replace("127.0.0.1", "[2001:db8::7]"), "2001:db8::7")):
            [found] = [match["host"] for each in filters if (match := re.search(each, version))]
            assert found == address
