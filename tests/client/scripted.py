"""A transport that answers by a script, and a clock that only its test moves."""

# mypy: disable-error-code="no-any-return"
# A script holds whatever its test puts there.

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatbooth_grpc.booth.actions import Reply, Request, UnaryAction, action_name
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.booth.model import (
    Delivery,
    Event,
    Message,
    Opening,
    OutgoingMessage,
    Receipt,
    Session,
    UnknownEvent,
)
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.retrying import Retrying
from chatbooth_grpc.client.library.transport import EventStream, SendStream, Transport
from tests.seconds import Seconds

EPOCH = bytes(range(16))
TOKEN = b"t" * 16
SESSION = Session(TOKEN, 7, "ann", EPOCH)


@dataclass
class Call:
    """A call that the transport got."""

    action: str
    arguments: tuple[Any, ...]
    timeout: float


@dataclass
class ScriptedTransport:
    """Answers each call with the next outcome of the script: a value, or an error to raise."""

    script: deque[Any] = field(default_factory=deque)
    calls: list[Call] = field(default_factory=list)
    closed: bool = False

    def call(self, action: UnaryAction[Request, Reply], token: bytes, request: Request, timeout: float) -> Reply:
        return self._answer(action_name(action).lower(), timeout, token, request)

    def send(self, token: bytes, message: OutgoingMessage, *, timeout: float) -> Receipt:
        return self._answer("send", timeout, token, message)

    def send_stream(self, token: bytes) -> SendStream:
        return self._answer("send_stream", 0.0, token)

    def listen(self, token: bytes, after: int | None) -> EventStream:
        return self._answer("listen", 0.0, token, after)

    def close(self) -> None:
        self.closed = True

    def _answer(self, action: str, timeout: float, *arguments: object) -> Any:
        self.calls.append(Call(action, arguments, timeout))
        outcome = self.script.popleft()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class ScriptedEvents:
    """An EventStream of the script's events. After the last one it waits until it is cancelled."""

    def __init__(self, script: Sequence[Event | UnknownEvent | Exception]) -> None:
        self._script = script
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[Event | UnknownEvent]:
        for event in self._script:
            if isinstance(event, Exception):
                raise event
            yield event
        self._cancelled.wait()
        raise ServerUnreachable("the server")

    def cancel(self) -> None:
        self._cancelled.set()


def scripted_client(
    *outcomes: object, session: Session | None = SESSION, clock: Seconds | None = None, jitter: float = 1.0
) -> tuple[ChatClient, ScriptedTransport]:
    """A client over a script; it sleeps on `clock`, and every random number is `jitter`."""
    transport = ScriptedTransport(deque(outcomes))
    checked: Transport = transport
    clock = clock or Seconds()
    retrying = Retrying(clock=clock, sleep=clock.sleep, random=lambda: jitter)
    return ChatClient(checked, session=session, retrying=retrying), transport


def message(sequence: int, text: str = "") -> Message:
    """Return a message from ben in ann's mailbox."""
    return Message(
        sequence, "ben", 8, sequence.to_bytes(16, "big"), 1_760_000_000_000_000, (text or str(sequence)).encode()
    )


def delivery(*sequences: int, more: bool = False, **opening: Any) -> Delivery:
    """Return a delivery of these sequences to ann."""
    start = sequences[0] - 1 if sequences else 0
    settings = {"epoch": EPOCH, "account_id": 7, "resumed_after": start, "replaying": len(sequences), **opening}
    return Delivery(Opening(**settings), [message(sequence) for sequence in sequences], more)
