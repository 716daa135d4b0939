"""The limits on requests and messages are the same over both wires, and messages keep their order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from chatbooth_grpc.booth.actions import DELIVER, LIST, LOG_IN, SIGN_UP, DeliverRequest, ListRequest, LogInRequest
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.errors import ChatboothError, NotPermitted, RateLimited, WrongCredentials
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.rates import Rate
from chatbooth_grpc.booth.throttles import RateLimits, Throttles
from chatbooth_grpc.client import ChatClient
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.test_rates import Seconds
from tests.contract.stores import Clock
from tests.contract.transports import transport_to

SECONDS = 30.0
HOUR = 3_600.0
WIRES = pytest.mark.parametrize("way", ["grpc", "plain-grpc", "wire"])

Limited = Callable[[str, RateLimits], Transport]


@pytest.fixture
def seconds() -> Seconds:
    """The clock of the limits. It stands still unless a test sets it."""
    return Seconds()


@pytest.fixture
def limited(tmp_path: Path, seconds: Seconds) -> Iterator[Limited]:
    """Return a function that gives a transport to a booth with some limits, which trusts no address."""
    with ExitStack() as ending:

        def start(way: str, rates: RateLimits) -> Transport:
            store = ending.enter_context(SQLiteStore(tmp_path / "chatbooth.db"))
            throttles = Throttles(rates, ClientAddresses(()), seconds)
            reached: AbstractContextManager[Transport] = transport_to(store, way, Clock(), throttles=throttles)
            return ending.enter_context(reached)

        yield start


def sign_up(transport: Transport, name: str = "ann") -> bytes:
    """Make an account and return its session's token."""
    return transport.call(SIGN_UP, b"", LogInRequest(name, PASSWORD), SECONDS).token


def message(number: int, text: str = "hello") -> OutgoingMessage:
    """Return a message to ann."""
    return OutgoingMessage("ann", number.to_bytes(16, "big"), text.encode())


def delivered(transport: Transport, token: bytes) -> list[bytes]:
    """Return the ids of all messages of a mailbox."""
    found: list[bytes] = []
    while True:
        batch = transport.call(DELIVER, token, DeliverRequest(after=len(found), max_messages=1_000), SECONDS)
        found += [each.message_id for each in batch.messages]
        if not batch.more:
            return found


@WIRES
def test_requests_of_one_address_are_limited_but_not_its_messages(limited: Limited, way: str) -> None:
    transport = limited(way, RateLimits(requests_per_address=Rate(4, HOUR, 4)))
    token = sign_up(transport)
    transport.call(DELIVER, token, DeliverRequest(), SECONDS)
    transport.call(LIST, token, ListRequest("a"), SECONDS)
    transport.send(token, message(1), timeout=SECONDS)
    with pytest.raises(WrongCredentials):
        transport.call(LOG_IN, b"", LogInRequest("nobody", PASSWORD), SECONDS)
    refusals: list[Callable[[], object]] = [
        lambda: transport.call(DELIVER, token, DeliverRequest(), SECONDS),
        lambda: transport.call(LOG_IN, b"", LogInRequest("ann", PASSWORD), SECONDS),
        lambda: next(iter(transport.listen(token, None))),
    ]
    assert isinstance(transport.send(token, message(3), timeout=SECONDS), Receipt)
    # A token that is not cached must be looked up, so it counts as a request. On the wire, this ends the connection.
    refusals.append(lambda: transport.send(b"x" * 16, message(2), timeout=SECONDS))
    for refused in refusals:
        with pytest.raises(RateLimited) as caught:
            refused()
        assert caught.value.limit == "4 requests from one address in an hour"
        assert HOUR / 8 < caught.value.retry_after <= HOUR / 4


@WIRES
def test_messages_after_a_refused_one_are_refused_too(limited: Limited, way: str) -> None:
    transport = limited(way, RateLimits(sends_per_account=Rate(1_000, HOUR, 1_000)))
    token = sign_up(transport)
    stream = transport.send_stream(token)
    outcomes: list[object] = []

    def send_many() -> None:
        for number in range(20):
            stream.send([message(number * 100 + place) for place in range(1, 101)])
            outcomes.extend(stream.receive())

    with pytest.raises(RateLimited) as refused:
        send_many()
    stream.close()
    assert refused.value.limit == "1,000 messages from one account in an hour"
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    stored = delivered(transport, token)
    assert len(outcomes) <= len(stored) < 2_000
    assert stored == [message(number).message_id for number in range(1, len(stored) + 1)]


@WIRES
def test_a_token_that_may_not_send_uses_up_nothing_of_its_account(limited: Limited, way: str) -> None:
    transport = limited(way, RateLimits(sends_per_account=Rate(1_000, HOUR, 1)))
    sign_up(transport)
    client = ChatClient(transport)
    client.log_in("ann", PASSWORD)
    reader = client.create_token("reader", may_read=True).session
    with pytest.raises(NotPermitted):
        ChatClient(transport, session=reader).send(message(1))
    stream = transport.send_stream(reader.token)
    stream.send([message(2)])
    with pytest.raises(RateLimited):
        stream.receive()
    stream.close()
    client.send(message(3))


@WIRES
def test_a_long_import_slows_down_and_keeps_its_order(limited: Limited, way: str, seconds: Seconds) -> None:
    transport = limited(way, RateLimits(sends_per_account=Rate(20_000, 1.0, 1_000)))
    token = sign_up(transport)
    client = ChatClient(transport)
    client.log_in("ann", PASSWORD)
    retried: list[tuple[ChatboothError, float]] = []
    wanted = [message(number) for number in range(1, 6_001)]

    def wait(error: ChatboothError, pause: float) -> None:
        retried.append((error, pause))
        seconds.now += pause

    outcomes = list(client.send_many(wanted, on_retry=wait))
    assert [sent for sent, _ in outcomes] == wanted
    assert all(isinstance(outcome, Receipt) for _, outcome in outcomes)
    assert delivered(transport, token) == [each.message_id for each in wanted]
    assert retried
    for error, pause in retried:
        assert isinstance(error, RateLimited)
        assert 0 < error.retry_after <= math.nextafter(pause, math.inf)
