"""A server that is killed or drained, and the clients that resume at the next one."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.errors import DeadlineExceeded, ServerUnreachable
from chatbooth_grpc.client.library.chat_client import ChatClient
from tests.acceptance.watched_server import PATIENCE, WatchedServer, listening, signed_up
from tests.waiting import wait_until

GRACE = 5.0
"""The time that a server has to drain, in seconds."""


def test_a_killed_server_is_reported_at_once(tmp_path: Path) -> None:
    first = WatchedServer(tmp_path)
    session = signed_up(first.addresses["grpc"])
    with ChatClient.connect(first.addresses["grpc"], session=session, timeout=1.0) as client:
        first.process.kill()
        first.process.wait(PATIENCE)
        with pytest.raises((ServerUnreachable, DeadlineExceeded)):
            client.send("ann", "anyone?")


@pytest.mark.parametrize("wire", ["grpc", "wire"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_client_resumes_at_the_next_server(tmp_path: Path, wire: str, number: signal.Signals) -> None:
    """One client sends all the time. Messages from before, during and after the restart come once and in order."""
    server = WatchedServer(tmp_path, "--drain-grace", f"{GRACE}s")
    address = server.addresses[wire]
    session = signed_up(address)
    sent: list[int] = []
    stop = threading.Event()

    def send() -> None:
        with ChatClient.connect(address, session=session, timeout=PATIENCE) as sender:
            while not stop.is_set():
                # The client tries again, with the same id.
                sender.send("ann", str(len(sent)))
                sent.append(len(sent))

    with listening(address, session) as client:
        assert client.stdout is not None
        received: list[int] = []
        reader = threading.Thread(target=_read_numbers, args=(client.stdout, received))
        sender = threading.Thread(target=send)
        reader.start()
        sender.start()

        def wait_for_more() -> None:
            enough = len(sent) + 50
            wait_until(lambda: len(sent) >= enough)

        for _ in range(2):
            wait_for_more()
            started = time.monotonic()
            server.process.send_signal(number)
            assert server.process.wait(PATIENCE) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
            assert time.monotonic() - started < GRACE + 5.0
            server = WatchedServer(tmp_path, "--drain-grace", f"{GRACE}s", *server.ports)
        wait_for_more()
        stop.set()
        sender.join(PATIENCE)
        wait_until(lambda: len(received) >= len(sent))
        client.kill()
        reader.join(PATIENCE)
    assert received == sent
    server.stop()


def _read_numbers(lines: Iterable[str], received: list[int]) -> None:
    """Note the numbers that a listening process prints as the texts of messages."""
    for line in lines:
        received.extend(int(number) for number in re.findall(r"content=b'(\d+)'", line))


def test_every_client_is_told_of_a_drain_which_ends_within_its_grace(tmp_path: Path) -> None:
    server = WatchedServer(tmp_path, "--drain-grace", f"{GRACE}s")
    address = server.addresses["grpc"]
    session = signed_up(address)
    with grpc.insecure_channel(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        metadata = (("authorization", f"Bearer {session.token.hex()}"),)
        stub = pb_grpc.ChatServiceStub(channel)
        stream = stub.Listen(pb.ListenRequest(), metadata=metadata, timeout=PATIENCE)
        assert next(stream).WhichOneof("event") == "opening"
        request = pb.SendRequest(recipient="ann", message_id=os.urandom(16), text="one")
        stub.Send(request, metadata=metadata, timeout=PATIENCE)
        assert next(stream).batch.messages[0].sequence == 1
        started = time.monotonic()
        server.process.terminate()
        assert [answer.status for answer in watch] == [health_pb2.HealthCheckResponse.NOT_SERVING]
        end = next(stream).end
        assert (end.reason, end.sent_through) == (pb.END_REASON_DRAINING, 1)
        with pytest.raises(grpc.RpcError) as ended:
            next(stream)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        status = rpc_status.from_call(cast(grpc.Call, ended.value))
        info = error_details_pb2.ErrorInfo()
        assert status is not None
        assert any(detail.Unpack(info) for detail in status.details)
        assert info.reason == "SERVER_DRAINING"
        assert server.process.wait(PATIENCE) == 0
        assert time.monotonic() - started < GRACE
