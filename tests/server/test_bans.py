"""Addresses of clients that insist, and for how long they are kept away."""

from __future__ import annotations

import logging
from collections.abc import Collection

import pytest

from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.server import bans
from chatbooth_grpc.server.bans import BAN_SECONDS, Bans
from chatbooth_grpc.server.packet_filter import MOST_ADDRESSES
from tests.booth.test_rates import Seconds
from tests.waiting import wait_until


class Banned:
    """The bans of a server, and all that they did."""

    def __init__(self) -> None:
        self.seconds = Seconds()
        self.ended: list[Call] = []
        self.dropped: list[set[str]] = []
        self.bans = Bans(ClientAddresses(()), self.ended.append, self._drop, self.seconds)

    def _drop(self, keys: Collection[str], ports: Collection[int]) -> None:
        assert list(ports) in ([], [1, 2])
        self.dropped.append(set(keys))

    def insist(self, address: str) -> Call:
        """Have a client at an address insist."""
        call = Call("SEND", lambda: f"{address}:1")
        self.bans.insisted(call)
        return call


@pytest.fixture
def banned(monkeypatch: pytest.MonkeyPatch) -> Banned:
    """Return bans on a system that has filters."""
    monkeypatch.setattr(bans, "CAN_FILTER", True)
    return Banned()


def test_the_connection_ends_at_once(banned: Banned) -> None:
    calls = [banned.insist("192.0.2.1") for _ in range(2)]
    assert banned.ended == calls


def test_a_ban_ends_after_its_time(banned: Banned, caplog: pytest.LogCaptureFixture) -> None:
    banned.insist("192.0.2.1")
    assert banned.bans.renew() == BAN_SECONDS
    banned.seconds.now += 1
    banned.insist("192.0.2.2")
    assert banned.bans.renew() == BAN_SECONDS - 1
    # It insists meanwhile on a connection that is older.
    banned.insist("192.0.2.1")
    assert banned.bans.renew() == BAN_SECONDS - 1
    banned.seconds.now += BAN_SECONDS - 1
    assert banned.bans.renew() == 1
    banned.seconds.now += 1
    assert banned.bans.renew() is None
    assert banned.dropped == [{"192.0.2.1"}, {"192.0.2.1", "192.0.2.2"}, {"192.0.2.2"}, set()]
    assert [(record.levelno, vars(record)["address"]) for record in caplog.records] == [
        (logging.WARNING, "192.0.2.1"),
        (logging.WARNING, "192.0.2.2"),
    ]


def test_the_number_of_bans_is_limited(banned: Banned) -> None:
    for number in range(2 * MOST_ADDRESSES):
        banned.insist(f"10.0.{number >> 8}.{number & 0xFF}")
    banned.bans.renew()
    banned.insist("192.0.2.1")
    banned.bans.renew()
    assert [len(keys) for keys in banned.dropped] == [MOST_ADDRESSES]


def test_a_system_that_takes_no_filter_is_named_in_the_log(
    banned: Banned, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_keys: object, _ports: object) -> None:
        raise OSError("no filters here")

    monkeypatch.setattr(banned.bans, "_drop", fail)
    banned.insist("192.0.2.1")
    banned.bans.renew()
    [record] = caplog.records
    assert vars(record)["cause"] == "no filters here"


def test_a_thread_bans(banned: Banned) -> None:
    banned.bans.start([1, 2])
    banned.insist("192.0.2.1")
    wait_until(lambda: banned.dropped == [{"192.0.2.1"}])
    banned.bans.stop()
