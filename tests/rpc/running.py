"""A chat server on a free port, the stub to call it with, and the parts of a refusal."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message as ProtobufMessage
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.fair_shares import FairShares
from chatbooth_grpc.booth.observing import Observer
from chatbooth_grpc.booth.throttles import Throttles
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.rpc.actions import SERVICE_NAME
from chatbooth_grpc.rpc.server.chat_server import ChatServer
from chatbooth_grpc.server.flags import parse_settings
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore
from tests.contract.stores import Clock, rows_of

PATIENCE = 30.0
"""The deadline of calls that must succeed, in seconds."""

Detail = TypeVar("Detail", bound=ProtobufMessage)
Metadata = tuple[tuple[str, str], ...]


class Running(AbstractContextManager["Running"]):
    """A server over a SQLite store, in this process."""

    def __init__(self, path: Path, *flags: str, observer: Observer | None = None) -> None:
        self.path = path
        self.clock = Clock()
        self.settings = parse_settings(["--port", "0", "--drain-grace", "5s", *flags], {})
        self.store = InterruptedStore(path, clock=self.clock, observer=observer)
        limits = self.settings.limits
        addresses = ClientAddresses(self.settings.trusted_addresses)
        booth = Booth(
            self.store,
            limits=limits,
            passwords=cheap_passwords(),
            observer=observer,
            throttles=Throttles(self.settings.rates, addresses),
            shares=FairShares(self.settings.shares, addresses),
        )
        switchboard = Switchboard(
            self.store,
            max_listeners=self.settings.max_listeners,
            per_account=self.settings.max_listeners_per_account,
            observer=observer,
        )
        self.server = ChatServer(booth, switchboard, self.settings)
        self.address = self.server.start()
        self.channel = grpc.insecure_channel(self.address)
        self.stub = pb_grpc.ChatServiceStub(self.channel)
        self._drained = False

    def __exit__(self, *_: object) -> None:
        self.channel.close()
        self.drain()
        self.store.close()

    def drain(self) -> None:
        """End the server, once."""
        if not self._drained:
            self._drained = True
            self.server.drain()

    def sign_up(self, username: str, password: str = PASSWORD) -> pb.Session:
        """Make an account."""
        request = pb.SignUpRequest(username=username, password=password)
        return self.stub.SignUp(request, timeout=PATIENCE).session

    def log_in(self, username: str, password: str = PASSWORD) -> pb.Session:
        """Open another session."""
        return self.stub.LogIn(pb.LogInRequest(username=username, password=password), timeout=PATIENCE).session

    def send(self, session: pb.Session, recipient: str, text: str, message_id: bytes | None = None) -> pb.SendResponse:
        """Send a text, with a new message id if none is given."""
        request = pb.SendRequest(recipient=recipient, message_id=message_id or os.urandom(16), text=text)
        return self.stub.Send(request, metadata=bearer(session), timeout=PATIENCE)

    def deliver(self, session: pb.Session, **fields: Any) -> pb.DeliverResponse:
        """Deliver the waiting messages."""
        return self.stub.Deliver(pb.DeliverRequest(**fields), metadata=bearer(session), timeout=PATIENCE)

    def texts(self, session: pb.Session) -> list[str]:
        """Return the texts that wait for a session."""
        return [message.text for message in self.deliver(session).messages]

    def raw(self, method: str) -> Callable[..., Any]:
        """Return a method whose requests and replies are plain bytes."""
        call: Callable[..., Any] = self.channel.unary_unary(f"/{SERVICE_NAME}/{method}")
        return call

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows that are stored."""
        return rows_of(self.path)


def bearer(session: pb.Session | bytes) -> Metadata:
    """Return the metadata that carries a session's token."""
    token = session.token if isinstance(session, pb.Session) else session
    return (("authorization", f"Bearer {token.hex()}"),)


class Refusal:
    """A refusal of a call, taken apart."""

    def __init__(self, error: grpc.RpcError) -> None:
        self.code = error.code()
        self.words = error.details() or ""
        self._status = rpc_status.from_call(cast(grpc.Call, error))
        info = self.detail(error_details_pb2.ErrorInfo)
        self.domain, self.reason = (info.domain, info.reason) if info else ("", "")
        self.attributes = dict(info.metadata) if info else {}
        violations = getattr(self.detail(error_details_pb2.BadRequest), "field_violations", ())
        self.fields = [violation.field for violation in violations]
        retry = self.detail(error_details_pb2.RetryInfo)
        self.retry_after = retry.retry_delay.ToTimedelta().total_seconds() if retry else None

    def detail(self, kind: type[Detail]) -> Detail | None:
        """Return the status's detail of a kind, or None if it has none."""
        for packed in self._status.details if self._status else ():
            found = kind()
            if packed.Unpack(found):
                return found
        return None


def refusal(call: Callable[..., object], *arguments: Any, **options: Any) -> Refusal:
    """Make a call that must fail, and return its refusal."""
    try:
        answer = call(*arguments, **options)
    except grpc.RpcError as error:
        return Refusal(error)
    raise AssertionError(f"the call was answered: {answer!r}")
