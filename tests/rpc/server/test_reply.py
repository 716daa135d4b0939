"""The reply of a call that answers later: status, response and line in the log."""

from __future__ import annotations

import logging
from typing import Any, cast

import grpc
import pytest
from google.rpc import code_pb2

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth import call_log
from chatbooth_grpc.booth.errors import RecipientNotFound, ServerDraining
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.rpc.server.reply import Reply, peer_text


class Context:
    """A call's context in memory, which keeps the status that is set."""

    def __init__(self, peer: str = "ipv4:127.0.0.1:5000") -> None:
        self.code: grpc.StatusCode | None = None
        self.details = ""
        self.metadata: tuple[tuple[str, bytes], ...] = ()
        self._peer = peer

    def peer(self) -> str:
        return self._peer

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def set_code(self, code: grpc.StatusCode) -> None:
        self.code = code

    def set_details(self, details: str) -> None:
        self.details = details

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        self.metadata = metadata


def as_grpc(context: Context) -> grpc.ServicerContext:
    return cast(grpc.ServicerContext, context)


class Replying:
    """A reply, its context, the responses that it sent and the outcomes that it logged."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, call_log.__name__)
        self.context = Context()
        self.responses: list[Any] = []
        self.reply = Reply("SEND", as_grpc(self.context), self.responses.append)
        self._caplog = caplog

    @property
    def logged(self) -> list[tuple[str, str, str]]:
        """The action, the peer and the outcome of each line of the log of calls."""
        records = [vars(record) for record in self._caplog.records]
        return [(record["action"], record["peer"], record["outcome"]) for record in records]


@pytest.fixture
def replying(caplog: pytest.LogCaptureFixture) -> Replying:
    """A reply to a Send."""
    return Replying(caplog)


def test_a_stored_message_is_answered_with_its_receipt(replying: Replying) -> None:
    replying.reply.settle([Receipt(1_000_000)])
    [response] = replying.responses
    assert isinstance(response, pb.SendResponse)
    assert response.accept_time.ToSeconds() == 1
    assert replying.context.code is None
    assert replying.logged == [("SEND", "127.0.0.1:5000", "OK")]


def test_a_refused_message_is_answered_with_its_error_alone(replying: Replying) -> None:
    replying.reply.settle([RecipientNotFound("ben")])
    assert replying.responses == [None]
    assert replying.context.code is grpc.StatusCode.NOT_FOUND
    assert replying.context.details == str(RecipientNotFound("ben"))
    assert replying.logged == [("SEND", "127.0.0.1:5000", "RECIPIENT_NOT_FOUND")]


def test_a_refusal_carries_the_details_that_programs_need(replying: Replying) -> None:
    replying.reply.refuse(ServerDraining())
    [(key, value)] = replying.context.metadata
    assert key == "grpc-status-details-bin"
    assert b"SERVER_DRAINING" in value
    assert replying.context.code is not None
    assert replying.context.code.value[0] == code_pb2.UNAVAILABLE


def test_a_stream_ends_well(replying: Replying) -> None:
    replying.reply.end(None)
    assert replying.responses == [None]
    assert replying.context.code is None
    assert replying.logged == [("SEND", "127.0.0.1:5000", "OK")]


def test_a_stream_ends_with_an_error(replying: Replying) -> None:
    replying.reply.end(ServerDraining())
    assert replying.responses == [None]
    assert replying.context.code is grpc.StatusCode.UNAVAILABLE
    assert replying.logged == [("SEND", "127.0.0.1:5000", "SERVER_DRAINING")]


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        ("ipv4:192.0.2.7:5000", "192.0.2.7:5000"),
        ("ipv6:%5B::1%5D:5000", "[::1]:5000"),
        ("ipv6:[2001:db8::1]:5000", "[2001:db8::1]:5000"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:5000", "192.0.2.7:5000"),
    ],
)
def test_the_address_of_a_client_is_written_as_host_and_port(peer: str, text: str) -> None:
    assert peer_text(as_grpc(Context(peer))) == text
