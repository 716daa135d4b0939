"""Sending very many messages: in batches, a few under way at once, carried on where a lost stream left off."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, TooBusy, Unavailable
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.client.retrying import FIRST_BACKOFF, LONGEST_BACKOFF
from chatbooth_grpc.client.transport import Transport

BATCH_MESSAGES = 256
BATCH_SIZE = 256 << 10
"""A batch ends with this many messages, or bytes of content, but holds at least one message."""

BATCHES_UNDER_WAY = 4

Lost = Callable[[ChatboothError, float], None]
"""Told of each failure that another attempt follows, and after how many seconds."""


def send_many(
    transport: Transport,
    token: bytes,
    messages: Iterable[OutgoingMessage],
    *,
    patience: float,
    on_retry: Lost | None = None,
) -> Iterator[tuple[OutgoingMessage, Receipt | ChatboothError]]:
    """Send messages in their order; yield each with its outcome, in that order.

    Holds only what is under way. A stream that is lost is opened again, and what has no outcome yet is repeated under
    its ids, until nothing has gone forward for `patience` seconds: then what ended the last attempt is raised. Raises
    SessionInvalid.
    """
    batches = _batched(messages)
    under_way: deque[list[OutgoingMessage]] = deque()
    backoff, pause, progress = FIRST_BACKOFF, 0.0, time.monotonic()
    while True:
        time.sleep(pause)
        try:
            with closing(transport.send_stream(token)) as stream:
                for batch in under_way:
                    stream.send(batch)
                while True:
                    while len(under_way) < BATCHES_UNDER_WAY and (more := next(batches, None)) is not None:
                        under_way.append(more)
                        stream.send(more)
                    if not under_way:
                        return
                    outcomes = stream.receive()
                    backoff, progress = FIRST_BACKOFF, time.monotonic()
                    yield from zip(under_way.popleft(), outcomes, strict=True)
        except (Unavailable, DeadlineExceeded, TooBusy) as error:
            pause = backoff * random.random()  # noqa: S311  # spreads clients, hides nothing
            if time.monotonic() + pause - progress > patience:
                raise
            if on_retry:
                on_retry(error, pause)
        backoff = min(2 * backoff, LONGEST_BACKOFF)


def _batched(messages: Iterable[OutgoingMessage]) -> Iterator[list[OutgoingMessage]]:
    batch: list[OutgoingMessage] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == BATCH_MESSAGES or size + len(message.content) > BATCH_SIZE):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.content)
    if batch:
        yield batch
