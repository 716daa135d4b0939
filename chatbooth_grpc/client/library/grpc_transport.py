"""The gRPC transport: the generated stub with deadlines, tokens and chatbooth's errors."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import grpc

from chatbooth_grpc import __version__
from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as stubs
from chatbooth_grpc.booth.actions import Reply, Request, UnaryAction
from chatbooth_grpc.booth.causes import NOT_VERIFIED, PROXY
from chatbooth_grpc.booth.errors import ChatboothError, ServerUnreachable
from chatbooth_grpc.booth.model import (
    MAX_TEXT_SIZE,
    Event,
    OutgoingMessage,
    Receipt,
    UnknownEvent,
)
from chatbooth_grpc.booth.trust_errors import NotTrusted
from chatbooth_grpc.client.library.apart import apart
from chatbooth_grpc.client.library.proxies import proxy_variable
from chatbooth_grpc.client.library.trace_context import trace_metadata
from chatbooth_grpc.rpc.actions import METHOD_NAMES
from chatbooth_grpc.rpc.converter import Converter
from chatbooth_grpc.rpc.converters import CONVERTERS
from chatbooth_grpc.rpc.messages import (
    event_from_pb,
    outcomes_from_pb,
    outgoing_to_pb,
    time_from_pb,
)
from chatbooth_grpc.server_address import is_loopback

MAX_RECEIVED_SIZE = MAX_TEXT_SIZE + (2 << 20)
"""The largest reply that is read, in bytes: the largest text or a full batch, with some room."""

_FIRST_RECONNECT_MS = 100
# gRPC's default of two minutes would outlast every call's retries.
_LONGEST_RECONNECT_MS = 2_000

_CONNECT_TIMEOUT_MS = 5_000
"""gRPC's default of 20 s would outlast a call's timeout. The call would not learn that there is no connection."""

# How many bytes a stream may send before the client reads them.
_WINDOW = 1 << 20
_KEEPALIVE_TIME_MS = 20_000
_KEEPALIVE_TIMEOUT_MS = 10_000

_Request_contra = TypeVar("_Request_contra", contravariant=True)
_Reply_co = TypeVar("_Reply_co", covariant=True)
_Request = TypeVar("_Request")
_Reply = TypeVar("_Reply")


class _Method(Protocol[_Request_contra, _Reply_co]):
    """One method of the stub."""

    def __call__(
        self, request: _Request_contra, *, timeout: float, metadata: tuple[tuple[str, str], ...]
    ) -> _Reply_co: ...


class Secured(NamedTuple):
    """How a channel is encrypted, and whom it trusts."""

    credentials: grpc.ChannelCredentials
    name: str
    """The name to look for in the server's certificate. Empty means the host's."""
    refusal: Callable[[], NotTrusted | None]
    """Finds out why the server's certificate was refused. None means that it cannot be found out."""


class _Peer(NamedTuple):
    """The server at the other end of a channel."""

    address: str
    secured: Secured | None


class GrpcTransport:
    """A Transport over one gRPC channel, which connects at the first call."""

    def __init__(self, server: str, secured: Secured | None = None) -> None:
        """`server` is `HOST:PORT` or `unix:PATH`. Without `secured` the channel is in plain text."""
        self._server = _Peer(server, secured)
        self._channel = _open_channel(self._server)
        self._stub = stubs.ChatServiceStub(self._channel)
        self._methods = {action: getattr(self._stub, METHOD_NAMES[action]) for action in CONVERTERS}

    def call(self, action: UnaryAction[Request, Reply], token: bytes, request: Request, timeout: float) -> Reply:
        """Perform a unary action."""
        converter: Converter[Request, Reply] = CONVERTERS[action]
        message = converter.request_to_pb(request)
        return converter.reply_from_pb(self._call(self._methods[action], message, token, timeout))

    def send(self, token: bytes, message: OutgoingMessage, *, timeout: float) -> Receipt:
        """Store a message in its recipient's mailbox."""
        reply = self._call(self._stub.Send, outgoing_to_pb(message), token, timeout)
        return Receipt(time_from_pb(reply.accept_time))

    def send_stream(self, token: bytes) -> GrpcSendStream:
        """Open a stream of batches."""
        return GrpcSendStream(self._stub, token, self._server)

    def listen(self, token: bytes, after: int | None) -> GrpcEventStream:
        """Open a live stream."""
        try:
            call = apart(lambda: self._stub.Listen(pb.ListenRequest(after=after), metadata=_metadata(token)))
        # As in _call, the channel was closed.
        except ValueError as error:
            raise ServerUnreachable(self._server.address) from error
        return GrpcEventStream(call, self._server)

    def close(self) -> None:
        """Close the channel."""
        apart(self._channel.close)

    def _call(self, method: _Method[_Request, _Reply], request: _Request, token: bytes, timeout: float) -> _Reply:
        try:
            return method(request, timeout=timeout, metadata=_metadata(token) + trace_metadata())
        except grpc.RpcError as error:
            raise _decoded(error, self._server) from error
        # gRPC raises ValueError if the channel is closed. Another thread may have closed it just now.
        except ValueError as error:
            raise ServerUnreachable(self._server.address) from error


class GrpcEventStream:
    """An EventStream over a call of Listen."""

    def __init__(self, call: Any, server: _Peer) -> None:
        """`call` is an iterator of ListenResponse that can be cancelled. The stub returned it."""
        self._call = call
        self._server = server

    def __iter__(self) -> Iterator[Event | UnknownEvent]:
        """Read the stream."""
        try:
            for response in self._call:
                yield event_from_pb(response)
        except grpc.RpcError as error:
            raise _decoded(error, self._server) from error

    def cancel(self) -> None:
        """Cancel the call."""
        apart(self._call.cancel)


class GrpcSendStream:
    """A SendStream over a call of SendMany. Another thread waits for replies, so that Ctrl-C can end the wait."""

    def __init__(self, stub: stubs.ChatServiceStub, token: bytes, server: _Peer) -> None:
        self._server = server
        self._batches: queue.SimpleQueue[pb.SendManyRequest | None] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[pb.SendManyResponse | ChatboothError] = queue.SimpleQueue()
        # The thread that makes the call has no span.
        metadata = _metadata(token) + trace_metadata()
        try:
            requests = iter(self._batches.get, None)
            self._call: Any = apart(lambda: stub.SendMany(requests, metadata=metadata))
        # As in GrpcTransport._call, the channel was closed.
        except ValueError as error:
            raise ServerUnreachable(server.address) from error
        threading.Thread(target=self._read, name="send-reader", daemon=True).start()

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send a batch."""
        self._batches.put(pb.SendManyRequest(messages=map(outgoing_to_pb, messages)))

    def receive(self) -> list[Receipt | ChatboothError]:
        """Wait for the oldest batch's outcomes."""
        reply = self._replies.get()
        if isinstance(reply, ChatboothError):
            raise reply
        return outcomes_from_pb(reply)

    def close(self) -> None:
        """End the call."""
        self._batches.put(None)
        apart(self._call.cancel)

    def _read(self) -> None:
        try:
            for reply in self._call:
                self._replies.put(reply)
        except grpc.RpcError as error:
            self._replies.put(_decoded(error, self._server))
        else:
            # A server never ends a stream while batches are in flight.
            self._replies.put(ServerUnreachable(self._server.address))


def _decoded(error: grpc.RpcError, server: _Peer) -> ChatboothError:
    """Return the chatbooth error for the gRPC error that ended a call."""
    # Only failures need this module and its imports.
    from chatbooth_grpc.rpc.errors import from_rpc_error

    decoded = from_rpc_error(error, server.address)
    if not isinstance(decoded, ServerUnreachable):
        return decoded
    if server.secured and decoded.cause == NOT_VERIFIED:
        return server.secured.refusal() or decoded
    if not is_loopback(server.address):
        variable = proxy_variable(server.address, os.environ)
        if variable:
            return ServerUnreachable(server.address, cause=PROXY, variable=variable)
    return decoded


def _metadata(token: bytes) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token.hex()}"),) if token else ()


def _open_channel(server: _Peer) -> grpc.Channel:
    options = _channel_options(server.address)
    if server.secured is None:
        return grpc.insecure_channel(server.address, options=options)
    if server.secured.name:
        options.append(("grpc.ssl_target_name_override", server.secured.name))
    return grpc.secure_channel(server.address, server.secured.credentials, options=options)


def _channel_options(server: str) -> list[tuple[str, str | int]]:
    options: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", MAX_RECEIVED_SIZE),
        # The probe would ping after every message to size a window. This window does not need to grow.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _WINDOW),
        # The channel has its own connection, which close() closes.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.primary_user_agent", f"chatbooth/{__version__}"),
        ("grpc.initial_reconnect_backoff_ms", _FIRST_RECONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", _LONGEST_RECONNECT_MS),
        # In spite of its name, this is the time limit for connecting.
        ("grpc.min_reconnect_backoff_ms", _CONNECT_TIMEOUT_MS),
        ("grpc.keepalive_time_ms", _KEEPALIVE_TIME_MS),
        # This finds a server that is cut off.
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        # This finds a server that is frozen.
        ("grpc.http2.ping_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        # The client pings an idle stream for as long as it is open.
        ("grpc.http2.max_pings_without_data", 0),
    ]
    if is_loopback(server):
        options.append(("grpc.enable_http_proxy", 0))
    return options
