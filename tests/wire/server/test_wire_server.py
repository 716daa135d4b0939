"""The wire server: its addresses, its limit, its drain, and the original's faults."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatbooth_grpc.addresses import ListenError, look_up
from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.errors import RateLimited, TooBusy
from chatbooth_grpc.booth.fair_shares import FairShares, ShareLimits
from chatbooth_grpc.booth.model import EndReason, MessageBatch, Opening
from chatbooth_grpc.booth.observing import GRPC, WIRE
from chatbooth_grpc.booth.rates import Rate
from chatbooth_grpc.booth.throttles import RateLimits, Throttles
from chatbooth_grpc.wire.encoding import delivering, pinging, pushes
from chatbooth_grpc.wire.encoding.frames import encode_request
from chatbooth_grpc.wire.encoding.primitives import encode_varint
from tests.booth.spies import Gate
from tests.waiting import wait_until
from tests.wire.running import (
    LISTEN,
    PATIENCE,
    TEXT_SIZE,
    Peer,
    Running,
    connection_threads,
    refusal,
    send_body,
    success,
)

Start = Callable[..., Running]

SHORT = 0.5
"""A limit, in seconds, that a test waits for."""

LONG = 3_600.0
"""A limit that no test lives to see."""


def descriptors() -> int:
    """How many descriptors this process holds."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a Path's iterdir would hold one more


# The original's faults


def test_a_client_that_closes_its_socket_costs_nothing_more(running: Running) -> None:
    """The original's threads spun on an ended socket, one of them holding the lock of all."""
    peers = [running.peer() for _ in range(20)]
    for number, peer in enumerate(peers):
        session = peer.sign_up(f"name{number}")
        if number % 2:
            peer.ask(actions.LISTEN, LISTEN, session.token)
        if number % 3 == 0:
            peer.socket.sendall(b"\x01\x03\x00")
    for peer in peers:
        peer.close()
    wait_until(lambda: running.server.count == 0)
    wait_until(lambda: connection_threads() == 0)
    assert running.switchboard.count == 0
    before = time.process_time()
    # The test measures a time in which nothing happens.
    threading.Event().wait(0.5)
    assert time.process_time() - before < 0.25
    running.peer().sign_up("ann")


def test_a_small_round_trip_waits_for_no_delayed_acknowledgement(running: Running) -> None:
    """The original wrote each reply in four pieces, which cost 44 ms each."""
    peer = running.peer()
    ann = peer.sign_up("ann")
    times = []
    for _ in range(200):
        started = time.perf_counter()
        peer.ask(actions.ACKNOWLEDGE, encode_varint(0), ann.token)
        times.append(time.perf_counter() - started)
    assert statistics.median(times) < 0.02


def test_a_server_starts_at_once_where_another_has_just_been(start: Start) -> None:
    """The original's port could not be used for a minute, as long as its connections were in TIME_WAIT."""
    first = start()
    peer = first.peer()
    peer.sign_up("ann")
    # The server ends the connection, so the connection is in TIME_WAIT on the server's side.
    first.drain()
    assert peer.is_ended()
    peer.close()
    wait_until(lambda: time_waits(first.port) > 0)
    second = start(port=first.port)
    assert second.port == first.port
    second.peer().sign_up("ann")


def time_waits(port: int) -> int:
    """How many connections to a local port are in TIME_WAIT."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{port:04X}") and line[3] == "06" for line in lines)


# Where it listens


def test_a_port_in_use_is_said(start: Start) -> None:
    first = start()
    with pytest.raises(ListenError, match=r"the port is taken; .* choose another port"):
        start(port=first.port)


def test_localhost_is_both_families_on_one_port(start: Start) -> None:
    running = start(host=look_up("localhost"))
    assert running.address == f"localhost:{running.port}"
    for number, host in enumerate(["127.0.0.1", "::1", "127.0.0.1"]):
        with socket.create_connection((host, running.port), PATIENCE) as connection:
            Peer(connection).sign_up(f"name{number}")
    running.drain()
    for host in ("127.0.0.1", "::1"):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, running.port), PATIENCE)


def test_both_families_of_all_addresses_are_served(start: Start) -> None:
    running = start(host=look_up("::"))
    for number, host in enumerate(["127.0.0.1", "::1"]):
        with socket.create_connection((host, running.port), PATIENCE) as connection:
            assert Peer(connection).sign_up(f"name{number}").username == f"name{number}"


# The cap


def test_one_connection_too_many_is_refused_with_the_limit(start: Start) -> None:
    running = start(max_connections=3)
    peers = [running.peer() for _ in range(3)]
    for number, peer in enumerate(peers):
        peer.sign_up(f"name{number}")
    for _ in range(5):
        late = running.peer()
        error = refusal(late.reply())
        assert isinstance(error, TooBusy)
        assert "3 connections" in str(error)
        assert late.is_ended()
    peers.pop().close()
    wait_until(lambda: running.server.count == 2)
    running.peer().sign_up("again")


def test_one_address_leaves_connections_for_others(start: Start) -> None:
    running = start(shares=FairShares(ShareLimits(connections=2), ClientAddresses(())))
    peers = [running.peer("127.0.0.2") for _ in range(2)]
    for number, peer in enumerate(peers):
        peer.sign_up(f"name{number}")
    for _ in range(5):
        late = running.peer("127.0.0.2")
        error = refusal(late.reply())
        assert isinstance(error, TooBusy)
        assert error.limit == "2 connections from one address"
        assert late.is_ended()
    running.peer("127.0.0.3").sign_up("honest")
    peers.pop().close()
    wait_until(lambda: running.server.count == 2)
    running.peer("127.0.0.2").sign_up("again")


def test_one_address_may_not_connect_too_often(start: Start) -> None:
    addresses = ClientAddresses(())
    throttles = Throttles(RateLimits(connections_per_address=Rate(1, 60.0, 2)), addresses)
    running = start(shares=FairShares(addresses=addresses), throttles=throttles)
    for _ in range(2):
        peer = running.peer("127.0.0.2")
        peer.send(actions.PING, pinging.encode_ping(pinging.ASK))
        assert peer.receive()
        peer.close()
    late = running.peer("127.0.0.2")
    error = refusal(late.reply())
    assert isinstance(error, RateLimited)
    assert error.limit == "1 new connections from one address in a minute"
    assert error.retry_after > 1
    assert late.is_ended()
    running.peer("127.0.0.3").sign_up("honest")


def test_the_connection_of_a_call_is_ended_and_no_other(start: Start) -> None:
    running = start()
    peers = [running.peer() for _ in range(3)]
    wait_until(lambda: running.server.count == 3)
    host, port = peers[1].socket.getsockname()
    # A connection of gRPC may have the same address as one of the wire.
    running.server.end(Call("SEND", lambda: f"{host}:{port}", GRPC))
    assert running.server.count == 3
    running.server.end(Call("SEND", lambda: f"{host}:{port}", WIRE))
    assert peers[1].is_ended()
    peers[0].sign_up("ann")
    peers[2].sign_up("bob")


def test_trusted_addresses_have_no_share(start: Start) -> None:
    running = start(shares=FairShares(ShareLimits(connections=2, log_ins=1)))
    for number in range(5):
        assert running.peer("127.0.0.2").sign_up(f"name{number}").username == f"name{number}"


def test_a_client_for_which_there_is_no_descriptor_is_refused_at_once(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    running = start()
    early = running.peer()
    early.sign_up("early")
    with contextlib.ExitStack() as sockets:
        clients = [sockets.enter_context(socket.socket()) for _ in range(4)]
        sockets.enter_context(no_descriptor_left())
        for client in clients:
            client.connect(("127.0.0.1", running.port))
            late = Peer(client)
            assert "open files" in str(refusal(late.reply()))
            assert late.is_ended()
        early.sign_up("still_served")
    running.peer().sign_up("again")
    begun = [record for record in caplog.records if "new wire connections are refused" in record.getMessage()]
    assert len(begun) == 1


def test_a_client_for_which_there_is_no_thread_is_refused_at_once(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    running = start()
    early = running.peer()
    early.sign_up("early")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more)
        late = running.peer()
        assert "threads" in str(refusal(late.reply()))
        assert late.is_ended()
    assert running.server.count == 1
    early.sign_up("still_served")
    running.peer().sign_up("again")


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let this process open no more files. The open ones stay open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(1)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Garbage and crowds


def test_a_hundred_connections_of_garbage_leave_the_server_answering(start: Start) -> None:
    running = start(frame_limit=SHORT, idle_timeout=2.0)
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    good = encode_request(actions.SEND, send_body("ann"), bytes(16))

    def garbage() -> bytes:
        size = dice.choice([1, 10, 1_000, 100_000])
        return dice.choice(
            [
                dice.randbytes(size),
                b"\x01" + dice.randbytes(size),
                good * 5 + dice.randbytes(size),
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                good[: dice.randrange(len(good))],
                bytes((1, dice.randrange(256), 0, 0, 0, 3)) + dice.randbytes(size),
            ]
        )

    def send(data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", running.port), PATIENCE) as connected:
            connected.settimeout(PATIENCE)
            try:
                connected.sendall(data)
                if len(data) % 2:
                    connected.shutdown(socket.SHUT_WR)
                while connected.recv(64 << 10):
                    pass
            except ConnectionError:
                return

    with ThreadPoolExecutor(25) as pool:
        list(pool.map(send, [garbage() for _ in range(100)]))
    wait_until(lambda: running.server.count == 0)
    peer = running.peer()
    token = peer.sign_up("ann").token
    assert peer.ask(actions.SEND, send_body("ann"), token), f"seed {seed}"


def test_a_thousand_idle_connections_are_held_then_all_closed_on_time(start: Start) -> None:
    running = start(idle_timeout=3.0)
    running.peer().sign_up("ann")
    running.close_peers()
    wait_until(lambda: running.server.count == 0)
    threads, held = connection_threads(), descriptors()
    idle = [socket.create_connection(("127.0.0.1", running.port), PATIENCE) for _ in range(1_000)]
    wait_until(lambda: running.server.count == 1_000)
    running.peer().sign_up("ben")
    assert wait_until(lambda: running.server.count == 0) < 15
    for connected in idle:
        connected.settimeout(PATIENCE)
        assert connected.recv(1) == b""
        connected.close()
    running.close_peers()
    wait_until(lambda: connection_threads() == threads)
    wait_until(lambda: descriptors() <= held)


# The drain


def test_a_drain_ends_streams_with_their_cursor_and_answers_the_requests_in_flight(start: Start) -> None:
    running = start()
    listening, sending = running.peer(), running.peer()
    ann = listening.sign_up("ann")
    listening.ask(actions.LISTEN, LISTEN, ann.token)
    assert isinstance(listening.pushed(), Opening)
    running.peer().ask(actions.SEND, send_body("ann"), ann.token)
    assert isinstance(listening.pushed(), MessageBatch)
    gate = Gate()
    running.store.before = lambda method: gate.hold() if method == "append" else None
    sending.send(actions.SEND, send_body("ann", "in flight"), ann.token)
    gate.wait_until_reached()
    drained = threading.Thread(target=running.drain, args=(PATIENCE,))
    drained.start()
    ended = listening.pushed()
    while not isinstance(ended, pushes.Ended):
        ended = listening.pushed()
    assert ended.end.reason is EndReason.DRAINING
    assert ended.end.sent_through == 1
    assert ended.error.reason == "SERVER_DRAINING"
    assert listening.is_ended()
    gate.open()
    assert success(sending.reply())
    assert sending.is_ended()
    drained.join(PATIENCE)
    assert not drained.is_alive()
    assert running.server.count == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), 1)


def test_a_drain_waits_no_longer_than_its_grace_for_a_client_that_does_not_read(start: Start) -> None:
    running = start(stuck_limit=LONG)
    deaf, other = running.peer(), running.peer()
    token = deaf.sign_up("ann").token
    for _ in range(8):
        other.ask(actions.SEND, send_body("ann", "x" * TEXT_SIZE), token)
    deliver = encode_request(actions.DELIVER, delivering.encode_deliver_request(actions.DeliverRequest()), token)
    deaf.socket.sendall(deliver * 100)
    wait_until(lambda: any(one.writing_since for one in running.server._connections))
    started = time.monotonic()
    running.drain(SHORT)
    assert time.monotonic() - started < 10
    assert running.server.count == 0


def test_a_listen_during_the_drain_is_refused(start: Start) -> None:
    running = start()
    peer: Peer = running.peer()
    token = peer.sign_up("ann").token
    running.switchboard.drain(1)
    peer.send(actions.LISTEN, LISTEN, token)
    assert refusal(peer.reply()).reason == "SERVER_DRAINING"
