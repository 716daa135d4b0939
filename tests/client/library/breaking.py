"""A transport whose live streams break by a script, and short words for such scripts."""

from __future__ import annotations

import queue
from collections.abc import Sequence

from chatbooth_grpc.booth.actions import ACKNOWLEDGE, AcknowledgeRequest
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.booth.model import Event, Gap, MessageBatch, Opening, UnknownEvent
from chatbooth_grpc.client.library.listening import Listening
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.client.state.history import Restored
from tests.client.scripted import EPOCH, TOKEN, ScriptedEvents, message

OTHER_EPOCH = bytes(reversed(EPOCH))
LOST = ServerUnreachable("the server")


class Breaking:
    """The two calls of a transport that listening makes, over a script of connections."""

    def __init__(self, *connections: Sequence[Event | UnknownEvent | Exception]) -> None:
        self.starts: list[int | None] = []
        self.acknowledged: list[int] = []
        self.timeouts: list[float] = []
        self.refusals: queue.SimpleQueue[Exception] = queue.SimpleQueue()
        self._connections = iter(connections)

    def listen(self, token: bytes, after: int | None) -> ScriptedEvents:
        assert token == TOKEN
        self.starts.append(after)
        return ScriptedEvents(next(self._connections))

    def call(self, action: int, token: bytes, request: AcknowledgeRequest, timeout: float) -> None:
        assert (action, token) == (ACKNOWLEDGE, TOKEN)
        assert request.epoch in (EPOCH, OTHER_EPOCH)
        assert timeout > 0
        self.timeouts.append(timeout)
        if not self.refusals.empty():
            raise self.refusals.get()
        self.acknowledged.append(request.through)


def listening(transport: Breaking, **settings: object) -> Listening:
    checked: Transport = transport  # type: ignore[assignment]  # the calls that are made
    return Listening(checked, TOKEN, random=lambda: 0.0, **settings)  # type: ignore[arg-type]


def opening(after: int = 0, replaying: int = 20, epoch: bytes = EPOCH, gap: Gap | None = None) -> Opening:
    return Opening(epoch, 7, after, replaying, gap)


def batch(*sequences: int) -> MessageBatch:
    return MessageBatch([message(sequence) for sequence in sequences])


def taken(stream: Listening, count: int) -> list[int]:
    """Return the sequences of the next `count` messages, or more if they come in one batch. A gap's are negative.

    A restored store is two zeros.
    """
    found: list[int] = []
    for event in stream:
        match event:
            case Gap(first, last):
                found += [-first, -last]
            case Restored():
                found += [0, 0]
            case MessageBatch(messages):
                found += [one.sequence for one in messages]
        if len(found) >= count:
            break
    return found
