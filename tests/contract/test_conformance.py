"""P9: the same scenario has the same outcome on the booth, over gRPC and over the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Delivery, End, EndReason, MessageBatch, Opening, OutgoingMessage, Session
from chatbooth_grpc.client.transport import Transport
from chatbooth_grpc.wire.server import WireServer, WireSettings
from tests.contract.transports import WAYS, transport_by

TIMEOUT = 30.0
PASSWORD = "a long password"
NAMES = ("ann", "ben", "cy")
ZEROS = bytes(16)


class Actor:
    """Performs actions by one transport and writes down what came of each, less what differs by chance."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.sessions: dict[str, bytes] = {}
        self.page_token = ""

    def do(self, action: str, *arguments: Any) -> object:
        """Perform an action; return its outcome, or its error's reason, attributes and words."""
        try:
            return getattr(self, action)(*arguments)
        except ChatboothError as error:
            return (error.reason, error.attributes(), str(error))

    def token(self, name: str) -> bytes:
        """The token of who was signed up or logged in last under a name; sixteen zeros for nobody."""
        return self.sessions.get(name, ZEROS)

    def sign_up(self, name: str, password: str) -> object:
        return self._keep(name, self.transport.sign_up(name, password, timeout=TIMEOUT))

    def log_in(self, name: str, password: str) -> object:
        return self._keep(name, self.transport.log_in(name, password, timeout=TIMEOUT))

    def log_out(self, name: str) -> object:
        self.transport.log_out(self.token(name), timeout=TIMEOUT)
        return "done"

    def change_password(self, name: str, old: str, new: str) -> object:
        return self.transport.change_password(self.token(name), old, new, timeout=TIMEOUT)

    def delete(self, name: str, password: str) -> object:
        return self.transport.delete(self.token(name), password, timeout=TIMEOUT)

    def list(self, name: str, pattern: str, prefix: str, page_size: int, page_token: str | None) -> object:
        token = self.page_token if page_token is None else page_token
        page = self.transport.list(self.token(name), pattern, prefix, page_size, token, timeout=TIMEOUT)
        self.page_token = page.next_page_token
        return page

    def send(self, name: str, recipient: str, message_id: bytes, text: str) -> object:
        return self.transport.send(
            self.token(name), OutgoingMessage(recipient, message_id, text.encode()), timeout=TIMEOUT
        )

    def deliver(self, name: str, through: int, after: int | None, most: int) -> object:
        delivery = self.transport.deliver(self.token(name), through, after, most, timeout=TIMEOUT)
        return replace(delivery, opening=replace(delivery.opening, epoch=b""))

    def acknowledge(self, name: str, through: int) -> object:
        self.transport.acknowledge(self.token(name), through, timeout=TIMEOUT)
        return "done"

    def _keep(self, name: str, session: Session) -> object:
        assert len(session.token) == len(session.epoch) == 16
        self.sessions[name.lower()] = session.token
        return replace(session, token=b"", epoch=b"")


def number_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


SCENARIO: list[tuple[Any, ...]] = [
    ("sign_up", "ann", PASSWORD),
    ("sign_up", "Ben", PASSWORD),
    ("sign_up", "ben", PASSWORD),
    *(("sign_up", name, PASSWORD) for name in ("", "a" * 33, "-ann", "ann smith", "é")),
    ("sign_up", "cy", "short"),
    ("sign_up", "cy", "x" * 1_025),
    ("log_in", "ann", "wrong password"),
    ("log_in", "nobody", PASSWORD),
    ("log_in", "ann", PASSWORD),
    ("list", "ann", "", "", 1, ""),
    ("list", "ann", "", "", 1, None),
    ("list", "ann", "(", "", 0, ""),
    ("list", "ann", "x" * 1_001, "", 0, ""),
    ("list", "ann", "", "no one", 0, ""),
    ("list", "ann", "b", "", 0, "bm9uc2Vuc2U="),
    ("list", "nobody", "", "", 0, ""),
    ("send", "ann", "BEN", number_id(1), "hello \u4f60\u597d \U0001f44b"),
    ("send", "ann", "ben", number_id(1), "hello \u4f60\u597d \U0001f44b"),
    ("send", "ann", "ben", number_id(1), "something else"),
    ("send", "ann", "ann", number_id(1), "something else"),
    ("send", "ann", "cy", number_id(2), "to nobody"),
    ("send", "ann", "no one", number_id(2), "to no name"),
    ("send", "ann", "ben", ZEROS, "no id"),
    ("send", "ann", "ben", number_id(3), ""),
    ("send", "ann", "ben", number_id(3), "x" * (1 << 20) + "y"),
    ("send", "ann", "ben", number_id(4), "x" * (1 << 20)),
    ("send", "ann", "ben", number_id(5), "last"),
    ("send", "nobody", "ben", number_id(6), "forged"),
    ("deliver", "ben", 0, None, 2),
    ("deliver", "ben", 1, None, 0),
    ("deliver", "ben", 0, 0, 1),
    ("deliver", "ben", 4, None, 0),
    ("deliver", "ben", 0, (1 << 64) - 1, 0),
    ("acknowledge", "ben", 2),
    ("acknowledge", "ben", 1),
    ("acknowledge", "ben", 99),
    ("deliver", "ben", 0, None, 0),
    ("change_password", "ben", "wrong password", "another password"),
    ("change_password", "ben", PASSWORD, "short"),
    ("change_password", "ben", PASSWORD, "another password"),
    ("log_in", "ben", PASSWORD),
    ("log_in", "ben", "another password"),
    ("deliver", "ben", 0, None, 0),
    ("delete", "ben", PASSWORD),
    ("delete", "ben", "another password"),
    ("deliver", "ben", 0, None, 0),
    ("send", "ann", "ben", number_id(1), "hello \u4f60\u597d \U0001f44b"),
    ("sign_up", "ben", PASSWORD),
    ("log_out", "ann"),
    ("log_out", "ann"),
]


def outcomes(way: str, folder: Path, steps: list[tuple[Any, ...]]) -> list[object]:
    with transport_by(way, folder) as transport:
        actor = Actor(transport)
        return [actor.do(*step) for step in steps]


def test_one_scenario_one_outcome(tmp_path: Path) -> None:
    expected, *others = (outcomes(way, tmp_path / way, SCENARIO) for way in WAYS)
    for other in others:
        for step, one, another in zip(SCENARIO, expected, other, strict=True):
            assert one == another, step
    reasons = {one[0] for one in expected if isinstance(one, tuple)}
    assert len(reasons) >= 15
    assert sum(isinstance(one, Delivery) for one in expected) >= 5


names = st.sampled_from((*NAMES, "nobody", "No One"))
passwords = st.sampled_from((PASSWORD, "another password", "short"))
small = st.integers(0, 4)
patterns = st.sampled_from(("", "n", "^a", "("))
steps = st.one_of(
    st.tuples(st.just("sign_up"), names, passwords),
    st.tuples(st.just("log_in"), names, passwords),
    st.tuples(st.just("log_out"), names),
    st.tuples(st.just("change_password"), names, passwords, passwords),
    st.tuples(st.just("delete"), names, passwords),
    st.tuples(st.just("list"), names, patterns, st.sampled_from(("", "b")), small, st.none()),
    st.tuples(st.just("send"), names, names, small.map(number_id), st.text(max_size=3)),
    st.tuples(st.just("deliver"), names, small, st.none() | small, small),
    st.tuples(st.just("acknowledge"), names, small),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=5, max_size=40))
def test_whatever_is_done_the_ways_agree(tmp_path_factory: pytest.TempPathFactory, sequence: list[Any]) -> None:
    people: list[tuple[Any, ...]] = [("sign_up", name, PASSWORD) for name in NAMES]
    folder = tmp_path_factory.mktemp("ways")
    expected, *others = (outcomes(way, folder / way, [*people, *sequence]) for way in WAYS)
    for other in others:
        assert expected == other


@pytest.mark.parametrize("way", ["grpc", "wire"])
def test_a_stream_tells_the_same(tmp_path: Path, way: str) -> None:
    with transport_by(way, tmp_path / way) as transport:
        actor = Actor(transport)
        actor.do("sign_up", "ann", PASSWORD)
        actor.do("send", "ann", "ann", number_id(1), "before")
        stream = iter(transport.listen(actor.token("ann"), None))
        opening, batch = next(stream), next(stream)
        assert isinstance(opening, Opening)
        assert isinstance(batch, MessageBatch)
        assert (opening.account_id, opening.resumed_after, opening.replaying) == (1, 0, 1)
        actor.do("send", "ann", "ann", number_id(2), "meanwhile")
        pushed = next(stream)
        assert isinstance(pushed, MessageBatch)
        assert [m.text for m in (*batch.messages, *pushed.messages)] == ["before", "meanwhile"]
        actor.do("log_out", "ann")
        assert next(stream) == End(EndReason.SESSION_ENDED, 2)
        with pytest.raises(ChatboothError, match="has ended"):
            next(stream)
        with pytest.raises(ChatboothError, match="Log in again"):
            next(iter(transport.listen(ZEROS, None)))


def test_a_thousand_idle_wire_connections_end_on_time_with_their_threads(tmp_path: Path) -> None:
    import socket

    from chatbooth_grpc.booth.booth import Booth
    from chatbooth_grpc.live.switchboard import Switchboard
    from chatbooth_grpc.store.sqlite import SQLiteStore

    def until(holds: Callable[[], bool]) -> None:
        for _ in range(3_000):
            if holds():
                return
            threading.Event().wait(0.01)
        raise AssertionError("it never came to hold")

    with SQLiteStore(tmp_path / "s.db") as store:
        switchboard = Switchboard(store)
        server = WireServer(Booth(store), switchboard, WireSettings("127.0.0.1", 0, 1 << 20, idle_timeout=2.0))
        host, _, port = server.start().rpartition(":")
        before = threading.active_count()
        idle = [socket.create_connection((host, int(port)), TIMEOUT) for _ in range(1_000)]
        until(lambda: server.count == 1_000)
        until(lambda: server.count == 0)
        assert all(connection.recv(1) == b"" for connection in idle)
        for connection in idle:
            connection.close()
        until(lambda: threading.active_count() == before)
        switchboard.drain(1)
        server.drain(2)
