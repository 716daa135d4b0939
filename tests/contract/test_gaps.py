"""P5: every way names the messages that retention removed, so that no hole is silent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.actions import ACKNOWLEDGE, DELIVER, AcknowledgeRequest, DeliverRequest
from chatbooth_grpc.booth.model import Delivery, Event, Gap, GapReason, MessageBatch, Opening, Receipt, UnknownEvent
from chatbooth_grpc.booth.store import Store
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.live.listener import WINDOW_MESSAGES
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.actor import PASSWORD, TIMEOUT, Actor, number_id
from tests.contract.stores import Clock, retain
from tests.contract.transports import WAYS, transport_to


class Devices:
    """Ann's two devices, and retention by age. Only the quick device acknowledges."""

    def __init__(self, store: Store, transport: Transport, clock: Clock) -> None:
        self.store = store
        self.transport = transport
        self.clock = clock
        actor = Actor(transport)
        actor.do("sign_up", "ann", PASSWORD)
        self.quick = actor.token("ann")
        actor.do("log_in", "ann", PASSWORD)
        self.slow = actor.token("ann")
        self.actor = actor

    def send(self, first: int, last: int) -> None:
        """Send texts that are their own sequences."""
        for sequence in range(first, last + 1):
            receipt = self.actor.do("send", "ann", "ann", number_id(sequence), str(sequence))
            assert isinstance(receipt, Receipt), receipt

    def remove_through(self, sequence: int) -> None:
        """Acknowledge on the quick device, and let retention remove the messages."""
        self.transport.call(ACKNOWLEDGE, self.quick, AcknowledgeRequest(sequence), TIMEOUT)
        self.clock.advance(60)
        retain(self.store, self.clock.now)

    def deliver(self, after: int | None = None) -> Delivery:
        """Deliver to the slow device."""
        return self.transport.call(DELIVER, self.slow, DeliverRequest(0, after), TIMEOUT)

    def listen(self, after: int | None = None) -> Iterator[Event | UnknownEvent]:
        """Listen on the slow device."""
        return iter(self.transport.listen(self.slow, after))


@pytest.fixture
def devices(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Devices]:
    """The devices, by the way that a test names."""
    clock = Clock()
    with (
        SQLiteStore(tmp_path / "chatbooth.db", clock=clock) as store,
        transport_to(store, request.param, clock) as transport,
    ):
        yield Devices(store, transport, clock)


def shown(event: Event | UnknownEvent) -> list[int]:
    """Return the sequences of a batch, whose texts must be the sequences."""
    assert isinstance(event, MessageBatch), event
    assert all(message.text == str(message.sequence) for message in event.messages)
    return [message.sequence for message in event.messages]


@pytest.mark.parametrize("devices", WAYS, indirect=True)
def test_a_delivery_names_the_gap(devices: Devices) -> None:
    devices.send(1, 5)
    devices.remove_through(3)
    delivery = devices.deliver()
    assert delivery.opening.gap == Gap(1, 3, GapReason.RETENTION)
    assert (delivery.opening.resumed_after, delivery.opening.replaying, delivery.more) == (0, 2, False)
    assert [message.sequence for message in delivery.messages] == [4, 5]
    assert devices.deliver(after=1).opening.gap == Gap(2, 3, GapReason.RETENTION)
    assert devices.deliver(after=3).opening.gap is None
    devices.remove_through(5)
    delivery = devices.deliver()
    assert (delivery.opening.gap, delivery.messages, delivery.more) == (Gap(1, 5, GapReason.RETENTION), [], False)
    assert devices.transport.call(DELIVER, devices.quick, DeliverRequest(), TIMEOUT).opening.gap is None


@pytest.mark.parametrize("devices", ["grpc", "plain-grpc", "wire"], indirect=True)
def test_a_stream_opens_with_the_gap(devices: Devices) -> None:
    devices.send(1, 5)
    devices.remove_through(3)
    for after, gap in [(None, Gap(1, 3, GapReason.RETENTION)), (2, Gap(3, 3, GapReason.RETENTION)), (3, None)]:
        events = devices.listen(after)
        opening = next(events)
        assert isinstance(opening, Opening)
        assert (opening.gap, opening.replaying) == (gap, 2)
        assert shown(next(events)) == [4, 5]


@pytest.mark.parametrize("devices", ["grpc", "plain-grpc", "wire"], indirect=True)
def test_a_stream_that_fell_behind_gets_the_gap_in_its_place(devices: Devices) -> None:
    end = WINDOW_MESSAGES + 40
    devices.send(1, end)
    events = devices.listen()
    next(events)
    seen: list[int] = []
    while len(seen) < WINDOW_MESSAGES:
        seen += shown(next(events))
    devices.remove_through(end - 10)
    devices.transport.call(ACKNOWLEDGE, devices.slow, AcknowledgeRequest(seen[-1]), TIMEOUT)
    assert next(events) == Gap(WINDOW_MESSAGES + 1, end - 10, GapReason.RETENTION)
    while seen[-1] < end:
        seen += shown(next(events))
    assert seen == [*range(1, WINDOW_MESSAGES + 1), *range(end - 9, end + 1)]


@pytest.mark.parametrize("devices", ["grpc", "plain-grpc", "wire"], indirect=True)
def test_a_stream_that_has_every_message_gets_no_gap(devices: Devices) -> None:
    devices.send(1, 3)
    events = devices.listen()
    next(events)
    seen: list[int] = []
    while len(seen) < 3:
        seen += shown(next(events))
    devices.remove_through(3)
    devices.send(4, 4)
    assert shown(next(events)) == [4]
