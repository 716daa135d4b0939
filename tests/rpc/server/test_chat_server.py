"""One server from its start to its drain, on a real port."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.attacks.http2_scripts import START
from bench.attacks.target import connect
from bench.performance.http2 import PING, encode_frame
from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.addresses import ListenError
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.rpc.actions import SERVICE_NAME
from chatbooth_grpc.rpc.server.chat_server import CALLS_PER_CONNECTION, ChatServer
from chatbooth_grpc.server.flags import parse_settings
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.spies import Argon2Spy, Gate
from tests.contract.racing import race
from tests.rpc.conftest import Start
from tests.rpc.running import PATIENCE, Running, bearer, refusal

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that holds nobody after the test."""
    gate = Gate()
    yield gate
    gate.open()


def second_server(running: Running, *flags: str) -> ChatServer:
    """A server over the same store, not started."""
    return ChatServer(Booth(running.store), Switchboard(running.store), parse_settings(flags, {}))


# Calls of one connection


def test_calls_past_the_connections_limit_wait_for_their_turn(start: Start) -> None:
    """All the Listen calls that may be open leave no room for a Send until one of them ends."""
    running = start("--max-listeners-per-account", "100")
    ann = running.sign_up("ann")
    listening = [running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann)) for _ in range(CALLS_PER_CONNECTION)]
    for stream in listening:
        next(stream)
    request = pb.SendRequest(recipient="ann", message_id=new_message_id(), text="one")
    sends = [running.stub.Send.future(request, timeout=PATIENCE, metadata=bearer(ann)) for _ in range(3)]
    with pytest.raises(grpc.FutureTimeoutError):
        sends[0].result(0.5)
    listening[0].cancel()
    assert len({send.result().accept_time.ToNanoseconds() for send in sends}) == 1


def test_every_ping_of_a_flood_is_answered(running: Running) -> None:
    """gRPC could end the connection of a client that pings often. Its work for a flood would be much larger then."""
    pings, answers = 500, b""
    with connect(running.address) as flooding:
        flooding.settimeout(PATIENCE)
        flooding.sendall(START + encode_frame(PING, 0, 0, b"are you?") * pings)
        while answers.count(b"are you?") < pings:
            data = flooding.recv(1 << 16)
            assert data, "the server has ended the connection"
            answers += data
    assert b"too_many_pings" not in answers


def test_a_plain_client_may_make_more_calls_at_once_than_a_connection_carries(running: Running) -> None:
    """gRPC's own protection against overload refuses most of these (RST_STREAM 7) where it is not switched off."""
    ann = running.sign_up("ann")
    sends: deque[grpc.Future] = deque()
    for number in range(3_000):
        request = pb.SendRequest(recipient="ann", message_id=new_message_id(), text=str(number))
        sends.append(running.stub.Send.future(request, timeout=PATIENCE, metadata=bearer(ann)))
        if len(sends) == 3 * CALLS_PER_CONNECTION:
            sends.popleft().result()
    assert [send.exception() for send in sends] == [None] * len(sends)


def test_the_library_waits_where_a_connection_has_no_room(running: Running) -> None:
    with ChatClient.connect(running.address) as client, ThreadPoolExecutor(2 * CALLS_PER_CONNECTION) as threads:
        client.sign_up("ann", "correct horse")
        sends = [threads.submit(client.send, "ann", str(number)) for number in range(3 * CALLS_PER_CONNECTION)]
        streams = [threads.submit(_sent_together, client, f"stream {number}") for number in range(8)]
        for send in sends:
            send.result(PATIENCE)
        assert [stream.result(PATIENCE) for stream in streams] == [50] * 8
        assert len(client.deliver(max_messages=1_000).messages) == 3 * CALLS_PER_CONNECTION + 8 * 50


def _sent_together(client: ChatClient, text: str) -> int:
    messages = (OutgoingMessage("ann", new_message_id(), text.encode()) for _ in range(50))
    return sum(isinstance(outcome, Receipt) for _, outcome in client.send_many(messages))


# Listening


def test_port_0_takes_a_free_one(start: Start) -> None:
    one, other = start(), start()
    assert one.address.startswith("127.0.0.1:")
    assert one.address != other.address
    assert one.sign_up("ann").account_id == other.sign_up("ann").account_id == 1  # each its own store


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_second_server_on_the_port_says_so(running: Running, host: str) -> None:
    """gRPC's default would let both share the port, and each get half of the calls."""
    port = running.address.rpartition(":")[2]
    second = second_server(running, "--insecure", "--host", host, "--port", port, "--drain-grace", "0")
    with pytest.raises(ListenError) as refused:
        second.start()
    second.drain()
    words = str(refused.value)
    assert f"{host}:{port}" in words
    assert "the port is taken" in words
    assert len(words.splitlines()) == 1
    assert running.sign_up("ann").username == "ann"


def test_an_address_of_another_machine_says_so(running: Running) -> None:
    second = second_server(running, "--host", "192.0.2.1", "--insecure", "--port", "0", "--drain-grace", "0")
    with pytest.raises(ListenError, match="not this machine's"):
        second.start()
    second.drain()


def test_ipv6_works_with_and_without_brackets(start: Start) -> None:
    for host in ("::1", "[::1]"):
        running = start("--host", host)
        assert running.address.startswith("[::1]:")
        assert running.sign_up("ann").username == "ann"


def test_localhost_is_both_families_on_one_port(start: Start) -> None:
    running = start("--host", "localhost")
    name, _, port = running.address.rpartition(":")
    assert name == "localhost"
    for host in ("127.0.0.1", "[::1]"):
        with grpc.insecure_channel(f"{host}:{port}") as channel:
            request = pb.SignUpRequest(username=f"name{len(host)}", password=PASSWORD)
            pb_grpc.ChatServiceStub(channel).SignUp(request, timeout=PATIENCE)


@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
def test_localhost_with_one_family_taken_says_so(running: Running, taken: str) -> None:
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.create_server((taken, 0), family=family) as other:
        port = str(other.getsockname()[1])
        second = second_server(running, "--host", "localhost", "--port", port, "--drain-grace", "0")
        with pytest.raises(ListenError, match=f"cannot listen on localhost:{port}: the port is taken"):
            second.start()
        second.drain()


# Limits


def test_more_calls_than_the_limit_are_refused(start: Start, gate: Gate) -> None:
    running = start("--max-calls", "16", "--threads", "2")
    ann = running.sign_up("ann")
    running.store.before = lambda method: gate.hold() if method == "after" else None
    calls = [
        running.stub.Deliver.future(pb.DeliverRequest(), metadata=bearer(ann), timeout=PATIENCE) for _ in range(40)
    ]
    ended = threading.Event()
    for call in calls:
        call.add_done_callback(lambda _: ended.set())
    assert ended.wait(PATIENCE)
    gate.open()
    codes = [call.code() for call in calls]
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert codes.count(grpc.StatusCode.OK) >= 16


@pytest.mark.parametrize("limit", [100, 3 << 20])
def test_the_text_limit_is_a_flag(start: Start, limit: int) -> None:
    running = start("--max-text-size", str(limit))
    ann = running.sign_up("ann")
    running.send(ann, "ann", "x" * limit)
    refused = refusal(running.send, ann, "ann", "x" * (limit + 1))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TEXT_TOO_LONG")
    assert f"{limit:,}" in refused.words


# Races


def test_one_of_two_sign_ups_gets_the_name(running: Running) -> None:
    outcomes: list[object] = []

    def sign_up() -> None:
        try:
            outcomes.append(running.sign_up("ann"))
        except grpc.RpcError as error:
            outcomes.append(error.code())

    race([sign_up] * 8)
    assert outcomes.count(grpc.StatusCode.ALREADY_EXISTS) == 7
    [won] = [outcome for outcome in outcomes if isinstance(outcome, pb.Session)]
    assert running.texts(won) == []


def test_one_id_sent_at_once_is_one_message(running: Running) -> None:
    ann, ben = running.sign_up("ann"), running.sign_up("ben")
    message_id = os.urandom(16)
    receipts: list[pb.SendResponse] = []
    race([lambda: receipts.append(running.send(ann, "ben", "once", message_id))] * 8)
    assert len(receipts) == 8
    assert all(receipt == receipts[0] for receipt in receipts)
    assert running.texts(ben) == ["once"]


def test_a_message_sent_while_its_recipient_goes_is_counted_or_refused(running: Running) -> None:
    ann, ben = running.sign_up("ann"), running.sign_up("ben")
    stored: list[int] = []
    removed: list[int] = []

    def send() -> None:
        try:
            for _ in range(50):
                running.send(ann, "ben", "still there?")
                stored.append(1)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.NOT_FOUND  # noqa: PT017  # on a racing thread

    def delete() -> None:
        request = pb.DeleteRequest(password="correct horse battery")
        removed.append(running.stub.Delete(request, metadata=bearer(ben), timeout=PATIENCE).messages_removed)

    race([send, send, delete])
    assert removed == [len(stored)]


# Draining


def test_a_drain_answers_the_calls_in_flight_and_ends_every_thread(tmp_path: Path, gate: Gate) -> None:
    before = set(threading.enumerate())
    running = Running(tmp_path / "chatbooth.db", "--drain-grace", "30s")
    ann = running.sign_up("ann")
    running.store.before = lambda method: gate.hold() if method == "append" else None
    request = pb.SendRequest(recipient="ann", message_id=b"i" * 16, text="in flight")
    sending = running.stub.Send.future(request, metadata=bearer(ann), timeout=PATIENCE)
    gate.wait_until_reached()
    stream = running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann), timeout=PATIENCE)
    assert next(stream).WhichOneof("event") == "opening"

    draining = threading.Thread(target=running.drain)
    draining.start()
    assert next(stream).end.reason == pb.END_REASON_DRAINING
    ended = refusal(next, stream)
    assert (ended.code, ended.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
    assert not sending.done()
    gate.open()
    assert sending.result(timeout=PATIENCE).HasField("accept_time")
    draining.join()
    assert [message[-1] for message in running.rows()["messages"]] == [b"in flight"]
    assert refusal(running.log_in, "ann").code is grpc.StatusCode.UNAVAILABLE
    running.channel.close()
    running.store.close()
    # gRPC's own threads may end later.
    ours = ("call", "password", "list", "health", "pump", "late", "store", "session")
    assert not [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith(ours)]


def test_a_drain_does_not_wait_past_its_grace_for_an_answer(start: Start, gate: Gate) -> None:
    running = start("--drain-grace", "0.2s")
    ann = running.sign_up("ann")
    running.store.before = lambda method: gate.hold() if method == "append" else None
    request = pb.SendRequest(recipient="ann", message_id=b"i" * 16, text="too slow")
    sending = running.stub.Send.future(request, metadata=bearer(ann), timeout=PATIENCE)
    gate.wait_until_reached()
    draining = threading.Thread(target=running.drain)
    draining.start()
    failure = sending.exception(timeout=PATIENCE)
    assert isinstance(failure, grpc.RpcError)
    assert failure.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
    gate.open()
    draining.join()


def test_a_drain_gives_up_the_calls_that_wait_for_a_thread(
    start: Start, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start("--drain-grace", "0.2s")
    running.sign_up("ann")
    Argon2Spy(monkeypatch).during = gate.hold
    request = pb.LogInRequest(username="ann", password="a password")
    calls = [running.stub.LogIn.future(request, timeout=PATIENCE) for _ in range(20)]
    gate.wait_until_reached()
    draining = threading.Thread(target=running.drain)
    draining.start()
    assert all(call.exception(timeout=PATIENCE) is not None for call in calls)
    gate.open()
    draining.join()


def test_health_follows_the_servers_life(start: Start, gate: Gate) -> None:
    running = start("--drain-grace", "30s")
    ann = running.sign_up("ann")
    health: Any = health_pb2_grpc.HealthStub(running.channel)
    for service in ("", SERVICE_NAME):
        checked = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
        assert checked.status == SERVING
    watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE_NAME), timeout=PATIENCE)
    assert next(watch).status == SERVING
    running.store.before = lambda method: gate.hold() if method == "after" else None
    held = running.stub.Deliver.future(pb.DeliverRequest(), metadata=bearer(ann), timeout=PATIENCE)
    gate.wait_until_reached()
    draining = threading.Thread(target=running.drain)
    draining.start()
    assert next(watch).status == NOT_SERVING
    assert list(watch) == []
    gate.open()
    assert held.result(timeout=PATIENCE).opening.epoch == ann.epoch
    draining.join()


def test_watches_that_come_and_go_do_not_freeze_the_server(running: Running) -> None:
    """The standard servicer without threads froze at this in three of three runs."""
    health: Any = health_pb2_grpc.HealthStub(running.channel)
    for _ in range(100):
        watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE_NAME), timeout=PATIENCE)
        assert next(watch).status in (SERVING, NOT_SERVING)
        watch.cancel()
    assert running.sign_up("ann").username == "ann"


def test_streams_hold_no_threads(start: Start) -> None:
    running = start("--threads", "2", "--max-listeners-per-account", "50")
    ann = running.sign_up("ann")
    streams = [running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann), timeout=PATIENCE) for _ in range(50)]
    assert {next(stream).WhichOneof("event") for stream in streams} == {"opening"}
    running.send(ann, "ann", "for all")
    assert {next(stream).batch.messages[0].text for stream in streams} == {"for all"}
    for stream in streams:
        stream.cancel()
    assert running.texts(ann) == ["for all"]


def test_a_stream_too_many_is_refused(start: Start) -> None:
    running = start("--max-listeners", "1")
    ann = running.sign_up("ann")
    first = running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann), timeout=PATIENCE)
    assert next(first).WhichOneof("event") == "opening"
    refused = refusal(list, running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann), timeout=PATIENCE))
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_BUSY")
    assert refused.retry_after


def test_connections_of_other_clients_work_in_the_same_way(running: Running) -> None:
    ann = running.sign_up("ann")
    with grpc.insecure_channel(running.address) as other:
        stub = pb_grpc.ChatServiceStub(other)
        assert stub.Deliver(pb.DeliverRequest(), metadata=bearer(ann), timeout=PATIENCE).opening.epoch == ann.epoch


def test_a_drain_that_is_cut_short_waits_for_no_call(start: Start, gate: Gate) -> None:
    running = start("--drain-grace", "1h")
    ann = running.sign_up("ann")
    running.store.before = lambda method: gate.hold() if method == "after" else None
    held = running.stub.Deliver.future(pb.DeliverRequest(), metadata=bearer(ann), timeout=PATIENCE)
    gate.wait_until_reached()
    draining = threading.Thread(target=running.drain)
    draining.start()
    running.server.cut_short()
    assert held.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
    gate.open()
    draining.join(PATIENCE)
    assert not draining.is_alive()
