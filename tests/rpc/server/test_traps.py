"""The traps that froze other gRPC servers, sprung on this one: it answers all the same."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.grpcio import call_pool, incomplete_calls, stream_call
from tests.rpc.conftest import BOTH_GRPCIOS, Start
from tests.rpc.other_address import from_address
from tests.rpc.running import Running, bearer, refusal
from tests.waiting import wait_until

DEADLINE = 10.0


def health_of(running: Running) -> Any:
    stub: Any = health_pb2_grpc.HealthStub(running.channel)
    return stub


def _without_request(running: Running, method: str) -> Any:
    """A method as one that streams requests: its call sends headers first, and a request when it likes."""
    channel: Any = running.channel
    return channel.stream_unary(f"/chatbooth.v1.ChatService/{method}")


def answers(running: Running) -> bool:
    """Say whether an ordinary call on a new connection is answered within its deadline."""
    with grpc.insecure_channel(running.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/chatbooth.v1.ChatService/Deliver")
        try:
            call(b"", timeout=DEADLINE)
        except grpc.RpcError as error:
            return error.code() is grpc.StatusCode.UNAUTHENTICATED
    return False


def test_watching_health_and_going_away_freezes_nothing(running: Running) -> None:
    for number in range(100):
        watch = health_of(running).Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
        if number % 3 == 0:
            next(watch)
        watch.cancel()
    assert answers(running)


def test_health_says_when_the_server_goes_and_does_not_hold_it_up(running: Running) -> None:
    check = health_pb2.HealthCheckRequest(service="chatbooth.v1.ChatService")
    assert health_of(running).Check(check, timeout=DEADLINE).status == health_pb2.HealthCheckResponse.SERVING
    watches = [health_of(running).Watch(check) for _ in range(5)]
    assert all(next(watch).status == health_pb2.HealthCheckResponse.SERVING for watch in watches)
    started = time.monotonic()
    running.drain()
    assert time.monotonic() - started < 0.8 * running.settings.drain_grace
    for watch in watches:
        assert [answer.status for answer in watch] == [health_pb2.HealthCheckResponse.NOT_SERVING]


def test_watches_beyond_the_limit_are_refused(running: Running) -> None:
    watches = [health_of(running).Watch(health_pb2.HealthCheckRequest()) for _ in range(16)]
    for watch in watches:
        next(watch)
    with pytest.raises(grpc.RpcError, match="health watches at once"):
        next(health_of(running).Watch(health_pb2.HealthCheckRequest()))
    for watch in watches:
        watch.cancel()


def test_calls_without_a_request_hold_no_thread_and_end(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start("--threads", "4")
    never = threading.Event()

    def nothing() -> Iterator[bytes]:
        never.wait()
        yield from ()

    paths = ("Send", "Deliver", "LogIn", "List", "Listen")
    half_sent: list[Any] = [_without_request(running, path).future(nothing()) for path in paths for _ in range(5)]
    assert answers(running)
    monkeypatch.setattr(incomplete_calls, "REQUEST_LIMIT", 0.1)
    for call in half_sent:
        assert call.exception(timeout=DEADLINE) is not None
    never.set()
    assert answers(running)


def test_a_thousand_connections_that_say_nothing_are_no_burden(running: Running) -> None:
    host, _, port = running.address.rpartition(":")
    silent = [socket.create_connection((host, int(port)), DEADLINE) for _ in range(1_000)]
    assert answers(running)
    for connection in silent:
        connection.close()


def test_a_second_server_does_not_share_the_port(running: Running, start: Start) -> None:
    port = running.address.rpartition(":")[2]
    from chatbooth_grpc.addresses import ListenError

    with pytest.raises(ListenError, match="cannot listen"):
        start("--port", port)


def test_listeners_that_come_and_go_while_messages_flow(running: Running) -> None:
    session = running.sign_up("ann")
    stop = threading.Event()

    def press() -> None:
        while not stop.is_set():
            running.send(session, "ann", "text")

    senders = [threading.Thread(target=press) for _ in range(2)]
    for sender in senders:
        sender.start()
    for number in range(60):
        stream = running.stub.Listen(pb.ListenRequest(), metadata=bearer(session))
        if number % 2:
            next(stream)
        stream.cancel()
    stop.set()
    for sender in senders:
        sender.join()
    assert answers(running)
    stream = running.stub.Listen(pb.ListenRequest(), metadata=bearer(session))
    assert next(stream).opening.replaying > 0
    stream.cancel()


def test_one_that_never_reads_harms_no_other(running: Running) -> None:
    ann = running.sign_up("ann")
    deaf = running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann))  # and never read
    reading = running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann))
    next(reading)
    last = 0
    for number in range(40):
        running.send(ann, "ann", "x" * (200 << 10))
        while last <= number:
            last = next(reading).batch.messages[-1].sequence
        running.stub.Acknowledge(pb.AcknowledgeRequest(through=last), metadata=bearer(ann), timeout=DEADLINE)
    assert last == 40
    deaf.cancel()
    reading.cancel()


def test_too_many_calls_at_once_are_refused_clearly(start: Start) -> None:
    running = start("--max-calls", "16", "--threads", "1")
    call = _without_request(running, "Send")
    never = threading.Event()

    def nothing() -> Iterator[bytes]:
        never.wait()
        yield from ()

    held: list[Any] = [call.future(nothing()) for _ in range(20)]
    wait_until(lambda: sum(one.done() for one in held) == 4)
    refused = [one for one in held if one.done()]
    assert {one.code() for one in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    never.set()
    for one in held:
        one.cancel()


def test_every_call_goes_through_the_pool(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that gRPC ran as any pool would, because it no longer looks as expected, would hold a thread half-sent."""
    received: list[object] = []
    begin = stream_call.start_receiving

    def noted(rpc_event: Any, *rest: Any) -> None:
        received.append(rpc_event)
        begin(rpc_event, *rest)

    monkeypatch.setattr(call_pool, "start_receiving", noted)
    running = start()
    session = running.sign_up("ann")
    through = pb.AcknowledgeRequest(through=0)
    calls: list[Callable[[], object]] = [
        lambda: running.log_in("ann"),
        lambda: running.send(session, "ann", "text"),
        lambda: running.deliver(session),
        lambda: running.stub.List(pb.ListRequest(), metadata=bearer(session), timeout=DEADLINE),
        lambda: running.stub.Acknowledge(through, metadata=bearer(session), timeout=DEADLINE),
        lambda: next(running.stub.Listen(pb.ListenRequest(), metadata=bearer(session))),
        lambda: health_of(running).Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE),
        lambda: next(health_of(running).Watch(health_pb2.HealthCheckRequest())),
    ]
    for number, call in enumerate(calls, 2):  # sign-up was the first
        call()
        assert len(received) == number


def test_a_drain_waits_no_longer_than_its_grace_for_calls_without_a_request(start: Start) -> None:
    running = start("--drain-grace", "0.5s")
    never = threading.Event()

    def nothing() -> Iterator[bytes]:
        never.wait()
        yield from ()

    half_sent: list[Any] = [_without_request(running, "Send").future(nothing()) for _ in range(20)]
    assert answers(running)
    started = time.monotonic()
    running.drain()
    assert time.monotonic() - started < DEADLINE
    assert all(call.exception(timeout=DEADLINE) is not None for call in half_sent)
    never.set()


def _listeners(running: Running) -> int:
    return running.server._switchboard.count


def test_storms_of_listeners_leave_no_listener(running: Running) -> None:
    """Traps 2 and 3: writers, wakes, cancellations and drains of the connection meet on the same streams."""
    session = running.sign_up("ann")
    stop = threading.Event()

    def press() -> None:
        while not stop.is_set():
            running.send(session, "ann", "text")

    def come_and_go(number: int) -> None:
        chance = random.Random(number)
        with grpc.insecure_channel(running.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            stub = pb_grpc.ChatServiceStub(channel)
            for _ in range(40):
                streams = [
                    stub.Listen(pb.ListenRequest(), metadata=bearer(session), timeout=60)
                    for _ in range(chance.randint(1, 5))
                ]
                for stream in streams:
                    # There is always a message, so an opening and a batch come.
                    for _ in range(chance.randint(0, 2)):
                        next(stream)
                    stream.cancel()
            left = stub.Listen(pb.ListenRequest(), metadata=bearer(session))
            # This stream ends with its connection.
            next(left)

    running.send(session, "ann", "text")
    with ThreadPoolExecutor(6) as threads:
        senders = [threads.submit(press) for _ in range(2)]
        try:
            list(threads.map(come_and_go, range(4)))
        finally:
            stop.set()
        for sender in senders:
            sender.result()
    wait_until(lambda: _listeners(running) == 0)
    assert answers(running)
    stream = running.stub.Listen(pb.ListenRequest(), metadata=bearer(session))
    last = next(stream).opening.replaying
    expected = iter(range(1, last + 1))
    while last:
        batch = next(stream).batch.messages
        assert [message.sequence for message in batch] == [next(expected) for _ in batch]
        running.stub.Acknowledge(pb.AcknowledgeRequest(through=batch[-1].sequence), metadata=bearer(session))
        last -= len(batch)
    stream.cancel()


def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have a server that is started from now on cut off a client that takes nothing for so long."""
    defaults = {**(Unread.__init__.__kwdefaults__ or {}), "stuck_limit": seconds}
    monkeypatch.setattr(Unread.__init__, "__kwdefaults__", defaults)


def test_one_that_acknowledges_but_never_reads_is_cut_off(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, 0.5)
    running = start()
    ann = running.sign_up("ann")
    with grpc.insecure_channel(running.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        deaf = pb_grpc.ChatServiceStub(channel).Listen(pb.ListenRequest(), metadata=bearer(ann))
        reading = running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann))
        next(reading)
        wait_until(lambda: _listeners(running) == 2)
        last = 0
        # This is far more than gRPC and the kernel buffer.
        for number in range(150):
            running.send(ann, "ann", "x" * (200 << 10))
            while last <= number:
                last = next(reading).batch.messages[-1].sequence
            running.stub.Acknowledge(pb.AcknowledgeRequest(through=last), metadata=bearer(ann), timeout=DEADLINE)
            if _listeners(running) == 1:
                break
        wait_until(lambda: _listeners(running) == 1)
        with pytest.raises(grpc.RpcError) as ended:
            list(deaf)
        assert ended.value.code() is grpc.StatusCode.CANCELLED
    running.send(ann, "ann", "and on")
    assert next(reading).batch.messages[0].text == "and on"
    reading.cancel()


@BOTH_GRPCIOS
def test_one_address_leaves_health_watches_for_others(start: Start) -> None:
    running = start("--trusted-addresses", "none")
    check = health_pb2.HealthCheckRequest()
    watches = [health_of(running).Watch(check) for _ in range(4)]
    for watch in watches:
        next(watch)
    refused = refusal(next, health_of(running).Watch(check, timeout=DEADLINE))
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_BUSY")
    assert refused.attributes["limit"] == "4 health watches at once from one address"
    other = [("grpc.use_local_subchannel_pool", 1)]
    with from_address("127.0.0.3", running.address) as address, grpc.insecure_channel(address, other) as channel:
        honest: Any = health_pb2_grpc.HealthStub(channel)
        assert next(honest.Watch(check, timeout=DEADLINE)).status == health_pb2.HealthCheckResponse.SERVING
    watches[0].cancel()
    # Its place is free again once the server has noticed.
    wait_until(lambda: watch_opens(running))


def watch_opens(running: Running) -> bool:
    watch = health_of(running).Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
    try:
        next(watch)
    except grpc.RpcError:
        return False
    watch.cancel()
    return True
