"""The reply to a call that answers later: its log line, its status and its response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

import grpc

from chatbooth_grpc.addresses import address_text
from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.observing import GRPC, Observer
from chatbooth_grpc.booth.store import Outcome
from chatbooth_grpc.rpc.errors import to_status
from chatbooth_grpc.rpc.messages import receipt_to_pb


class Reply:
    """Answers one call, once. The thread that gets the outcome sends the answer."""

    __slots__ = ("_context", "_respond", "call")

    def __init__(
        self,
        action: str,
        context: grpc.ServicerContext,
        respond: Callable[[Any], None],
        observer: Observer | None = None,
    ) -> None:
        """`respond` sends a response to the client. If it gets None, it sends only the context's status."""
        self._context = context
        self._respond = respond
        # How the log describes the call.
        self.call = Call(action, partial(peer_text, context), GRPC, observer, header=partial(header_of, context))

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Answer a Send with the outcome of its one message. The store calls this."""
        [outcome] = outcomes
        if isinstance(outcome, ChatboothError):
            self.refuse(outcome)
        else:
            self.call.end()
            self._respond(receipt_to_pb(outcome))

    def refuse(self, error: ChatboothError) -> None:
        """Answer with an error."""
        self.call.end(error)
        set_status(self._context, error, self.call.request_id)
        self._respond(None)

    def end(self, error: ChatboothError | None) -> None:
        """End a stream of responses, with an error if there is one."""
        if error is not None:
            self.refuse(error)
        else:
            self.call.end()
            self._respond(None)


def set_status(context: grpc.ServicerContext, error: ChatboothError, request_id: str) -> None:
    """Make a call end with an error, in code that must not raise one."""
    status = to_status(error, request_id)
    context.set_code(status.code)
    context.set_details(status.details)
    context.set_trailing_metadata(status.trailing_metadata)


def header_of(context: grpc.ServicerContext, name: str) -> str | None:
    """Return what the client sent as metadata under a name."""
    for key, value in context.invocation_metadata():
        if key == name and isinstance(value, str):
            return value
    return None


def peer_text(context: grpc.ServicerContext) -> str:
    """Return a client's address as `HOST:PORT`."""
    return address_of(context.peer())


def address_of(peer: str) -> str:
    """Return an address as `HOST:PORT`. gRPC writes it in a form such as "ipv6:%5B::1%5D:5000"."""
    host, _, port = unquote(peer.partition(":")[2]).rpartition(":")
    return address_text(host.strip("[]"), port)
