"""Sending very many messages in batches, and resuming after a lost stream."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    RateLimited,
    RequestTooLarge,
)
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.repeating import RETRIED
from chatbooth_grpc.client.library.outgoing import Sendable, are_fit, check_form, outgoing_message
from chatbooth_grpc.client.library.retrying import FIRST_BACKOFF, LONGEST_BACKOFF
from chatbooth_grpc.client.library.transport import SendStream, Transport
from chatbooth_grpc.client.state.forks import OneProcess

BATCH_MESSAGES = 256
BATCH_SIZE = 256 << 10
"""A batch holds at most this many messages, and at most this many bytes of content, but at least one message."""

BATCHES_IN_FLIGHT = 4

Lost = Callable[[ChatboothError, float], None]
"""Called with each failure that another attempt follows, and with the seconds until that attempt."""

Outcome = tuple[OutgoingMessage, "Receipt | ChatboothError"]


def send_many(
    transport: Transport,
    token: bytes,
    messages: Iterable[Sendable],
    *,
    patience: float,
    on_retry: Lost | None = None,
) -> Iterator[Outcome]:
    """Send messages in their order, and yield each with its outcome, in that order.

    Only the batches in flight are held in memory. A stream that is lost is opened again, and the messages without an
    outcome are repeated under their ids. If nothing makes progress for `patience` seconds, without the time spent
    waiting for messages, the error that ended the last attempt is raised. A request that is too large for the server
    ends a stream, but the server does not say which one it was. So the batches in flight are repeated one by one to
    find it. Raises SessionInvalid.
    """
    return _Sending(transport, token, messages, patience, on_retry).outcomes()


class _Sending:
    """The batches in flight: taken from the caller, and without an outcome yet."""

    def __init__(
        self,
        transport: Transport,
        token: bytes,
        messages: Iterable[Sendable],
        patience: float,
        on_retry: Lost | None,
    ) -> None:
        self._transport = transport
        self._process = OneProcess()
        self._token = token
        self._batches = _batched(messages)
        self._patience = patience
        self._on_retry = on_retry
        self._in_flight: deque[_Batch] = deque()
        # Whether one of the batches in flight is too large, so that they are sent one by one.
        self._one_by_one = False
        self._backoff, self._progress = FIRST_BACKOFF, time.monotonic()

    def outcomes(self) -> Iterator[Outcome]:
        while True:
            try:
                with closing(self._transport.send_stream(self._token)) as stream:
                    yield from self._over(stream)
                    return
            except RequestTooLarge as error:
                yield from self._too_large(error)
            except RETRIED as error:
                self._pause_after(error)

    def _over(self, stream: SendStream) -> Iterator[Outcome]:
        """Repeat the batches in flight, then send the rest, over one stream. Raises the error that ends it."""
        # How many of the batches in flight were sent over this stream.
        sent = 0
        while True:
            while sent < (1 if self._one_by_one else BATCHES_IN_FLIGHT) and (
                sent < len(self._in_flight) or self._take()
            ):
                stream.send(self._in_flight[sent].fit)
                sent += 1
            if not self._in_flight:
                return
            self._process.check()
            outcomes = stream.receive()
            batch = self._in_flight.popleft()
            sent -= 1
            yield from batch.outcomes(outcomes)
            # The caller may be slow to take the outcomes.
            self._went_forward()

    def _take(self) -> bool:
        """Take another batch, if there is one."""
        batch = next(self._batches, None)
        if batch is None:
            return False
        self._in_flight.append(batch)
        # The caller may be slow to give the messages.
        self._went_forward()
        return True

    def _too_large(self, error: RequestTooLarge) -> Iterator[Outcome]:
        """Refuse the batch that is too large. If it is not known which one is, send them one by one to find it."""
        self._went_forward()
        if not self._one_by_one and len(self._in_flight) > 1:
            self._one_by_one = True
            return
        self._one_by_one = False
        batch = self._in_flight.popleft()
        yield from batch.outcomes(error for _ in batch.fit)

    def _pause_after(self, error: ChatboothError) -> None:
        """Wait before another attempt. Raises `error` when patience has ended."""
        # The random number spreads clients over time. It keeps no secret.
        asked = error.retry_after if isinstance(error, RateLimited) else 0.0
        pause = asked + self._backoff * random.random()  # noqa: S311
        # Written in this way, the condition also ends the sending if the server asks for a pause of NaN.
        if not 0 <= pause <= self._patience - (time.monotonic() - self._progress):
            raise error
        if self._on_retry:
            self._on_retry(error, pause)
        time.sleep(pause)
        self._backoff = min(2 * self._backoff, LONGEST_BACKOFF)

    def _went_forward(self) -> None:
        self._backoff, self._progress = FIRST_BACKOFF, time.monotonic()


class _Batch:
    """Messages that are sent together, and the messages between them that no protocol can carry."""

    def __init__(self, messages: list[OutgoingMessage]) -> None:
        self._all = messages
        self._refusals = [] if are_fit(messages) else [_refusal(message) for message in messages]
        self.fit = messages
        if self._refusals:
            refused = zip(messages, self._refusals, strict=True)
            self.fit = [message for message, refusal in refused if refusal is None]

    def outcomes(self, received: Iterable[Receipt | ChatboothError]) -> Iterator[Outcome]:
        """Yield every message with its outcome. `received` are the outcomes of the messages that were sent."""
        if not self._refusals:
            return zip(self._all, received, strict=True)
        rest = iter(received)
        return ((message, refusal or next(rest)) for message, refusal in zip(self._all, self._refusals, strict=True))


def _batched(messages: Iterable[Sendable]) -> Iterator[_Batch]:
    batch: list[OutgoingMessage] = []
    size = 0
    for given in messages:
        message = given if type(given) is OutgoingMessage else outgoing_message(given)
        if batch and (len(batch) == BATCH_MESSAGES or size + len(message.content) > BATCH_SIZE):
            yield _Batch(batch)
            batch, size = [], 0
        batch.append(message)
        size += len(message.content)
    if batch:
        yield _Batch(batch)


def _refusal(message: OutgoingMessage) -> ChatboothError | None:
    """Return why no protocol can carry a message, or None if it can be sent."""
    try:
        check_form(message)
    except ChatboothError as error:
        return error
    return None
