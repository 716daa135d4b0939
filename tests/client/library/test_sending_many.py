"""Sending very many messages: outcomes in order, bounded memory, lost streams replaced."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence

import pytest

from chatbooth_grpc.booth.errors import (
    ChatboothError,
    RecipientNotFound,
    RequestTooLarge,
    ServerUnreachable,
    SessionInvalid,
    StoreUnavailable,
)
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.client.library import sending_many
from tests.client.scripted import scripted_client


class Log:
    """The messages that a server has stored, in order. Streams may fail, before or after they store."""

    def __init__(self, *failures: tuple[str, int]) -> None:
        self.stored: list[OutgoingMessage] = []
        self.failures = deque(failures)
        self.received = 0
        self.most_in_flight = 0


class Stream:
    def __init__(self, log: Log) -> None:
        self._log = log
        self._batches: deque[Sequence[OutgoingMessage]] = deque()

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        self._batches.append(messages)
        self._log.most_in_flight = max(self._log.most_in_flight, len(self._batches))

    def receive(self) -> list[Receipt | ChatboothError]:
        log = self._log
        log.received += 1
        when, number = log.failures[0] if log.failures else ("never", 0)
        if when == "before" and log.received == number:
            log.failures.popleft()
            raise StoreUnavailable
        batch = self._batches.popleft()
        for message in batch:
            if message not in log.stored:
                log.stored.append(message)
        if when == "after" and log.received == number:
            log.failures.popleft()
            raise ServerUnreachable("there")
        return [Receipt(1) if message.recipient == "ben" else RecipientNotFound("nobody") for message in batch]

    def close(self) -> None:
        """Do nothing: there is no connection."""


def messages(count: int) -> list[OutgoingMessage]:
    return [OutgoingMessage("ben", number.to_bytes(16, "big"), b"%d" % number) for number in range(1, count + 1)]


@pytest.fixture(autouse=True)
def _small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending_many, "BATCH_MESSAGES", 3)
    monkeypatch.setattr(sending_many, "FIRST_BACKOFF", 0.001)


def test_every_message_has_its_outcome_in_order_and_only_a_few_are_held() -> None:
    log = Log()
    client, _ = scripted_client(Stream(log))
    taken = 0

    def counted() -> Iterator[OutgoingMessage]:
        nonlocal taken
        for message in messages(50):
            taken += 1
            yield message

    outcomes = client.send_many(counted())
    first, _ = next(outcomes)
    assert first == messages(1)[0]
    assert taken <= 3 * (sending_many.BATCHES_IN_FLIGHT + 1)
    assert [message for message, _ in outcomes] == messages(50)[1:]
    assert log.stored == messages(50)
    assert log.most_in_flight == sending_many.BATCHES_IN_FLIGHT


def test_a_refused_message_has_its_error_and_the_others_are_sent() -> None:
    mixed = messages(7)
    mixed[4] = OutgoingMessage("nobody", b"n" * 16, b"?")
    client, _ = scripted_client(Stream(Log()))
    outcomes = [outcome for _, outcome in client.send_many(mixed)]
    assert [isinstance(outcome, Receipt) for outcome in outcomes] == [True] * 4 + [False] + [True] * 2
    assert isinstance(outcomes[4], RecipientNotFound)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 3, 5])
def test_after_a_lost_stream_sending_continues_in_order(when: str, number: int) -> None:
    log = Log((when, number), (when, number + 2))
    client, transport = scripted_client(Stream(log), Stream(log), Stream(log))
    lost: list[ChatboothError] = []
    outcomes = [*client.send_many(messages(20), on_retry=lambda error, _: lost.append(error))]
    assert [message for message, _ in outcomes] == messages(20)
    assert log.stored == messages(20)
    assert len(lost) == 2
    assert len(transport.calls) == 3


def test_a_content_over_the_size_of_a_batch_goes_alone() -> None:
    log = Log()
    client, _ = scripted_client(Stream(log))
    large = OutgoingMessage("ben", b"l" * 16, b"x" * (sending_many.BATCH_SIZE + 1))
    assert len([*client.send_many([*messages(1), large, *messages(3)[1:]])]) == 4
    assert log.received == 3


def test_sending_ends_when_its_patience_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = scripted_client(*(ServerUnreachable("there") for _ in range(10_000)))
    client.timeout = 0.05
    with pytest.raises(ServerUnreachable):
        next(client.send_many(messages(1)))


def test_an_error_that_no_retry_helps_is_raised() -> None:
    client, transport = scripted_client(SessionInvalid())
    with pytest.raises(SessionInvalid):
        next(client.send_many(messages(1)))
    assert len(transport.calls) == 1


def test_sending_no_message_is_no_failure() -> None:
    client, _ = scripted_client(Stream(Log()))
    assert [*client.send_many([])] == []


class SmallStream(Stream):
    """Ends, as gRPC does, if any batch in flight is too large."""

    def receive(self) -> list[Receipt | ChatboothError]:
        if any(len(message.content) > 1_000 for batch in self._batches for message in batch):
            raise RequestTooLarge
        return super().receive()


@pytest.mark.parametrize("places", [[1], [7], [20], [1, 2], [6, 14, 15]])
def test_a_message_too_large_for_the_server_is_found_and_fails_alone(
    places: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_many, "BATCH_SIZE", 500)
    given = messages(20)
    for place in places:
        given[place - 1] = OutgoingMessage("ben", place.to_bytes(16, "big"), b"x" * 1_001)
    log = Log()
    client, _ = scripted_client(*(SmallStream(log) for _ in range(20)))
    outcomes = [*client.send_many(given)]
    assert [message for message, _ in outcomes] == given
    assert [place for place, (_, outcome) in enumerate(outcomes, 1) if not isinstance(outcome, Receipt)] == places
    assert log.stored == [message for message in given if len(message.content) < 500]
    assert log.most_in_flight == sending_many.BATCHES_IN_FLIGHT


def test_waiting_for_a_slow_caller_does_not_use_up_the_patience() -> None:
    log = Log(("before", 1))
    client, _ = scripted_client(Stream(log), Stream(log))
    client.timeout = 0.3

    def slowly() -> Iterator[OutgoingMessage]:
        for message in messages(4):
            threading.Event().wait(0.1)  # what is tested is that time passes
            yield message

    assert [message for message, _ in client.send_many(slowly())] == messages(4)
