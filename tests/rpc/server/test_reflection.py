"""Reflection: a client without the .proto can call, and its streams keep no other call away."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2 as reflected
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from chatbooth_grpc.rpc.actions import METHODS, SERVICE_NAME
from chatbooth_grpc.rpc.server.chat_server import REFLECTION_METHOD
from tests.rpc.running import PATIENCE, Running, refusal

BUF = shutil.which("buf", path=str(Path(sys.executable).parent))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path / "s.db", "--reflection") as running:
        yield running


def test_the_services_and_their_methods_are_described(server: Running) -> None:
    database = ProtoReflectionDescriptorDatabase(server.channel)
    services = set(database.get_services())
    assert services == {SERVICE_NAME, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    described = database.FindFileContainingSymbol(SERVICE_NAME)
    [service] = [each for each in described.service if each.name == "ChatService"]
    assert {f"/{SERVICE_NAME}/{method.name}" for method in service.method} == set(METHODS)


def test_without_the_flag_nothing_is_described(tmp_path: Path) -> None:
    with Running(tmp_path / "s.db") as server:
        call: Any = server.channel.stream_stream(REFLECTION_METHOD)
        assert refusal(next, call(iter([b""]), timeout=PATIENCE)).code is grpc.StatusCode.UNIMPLEMENTED


def open_stream(server: Running, requests: SimpleQueue[reflected.ServerReflectionRequest | None]) -> Any:
    """Open a stream of reflection that stays open until the queue gives None."""
    stub: Any = ServerReflectionStub(server.channel)
    return stub.ServerReflectionInfo(iter(requests.get, None), timeout=PATIENCE)


def test_idle_streams_are_few_and_keep_no_other_call_away(server: Running) -> None:
    requests: list[SimpleQueue[reflected.ServerReflectionRequest | None]] = []
    # A stream that nobody refers to is cancelled.
    streams: list[Any] = []
    for _ in range(4):
        requests.append(SimpleQueue())
        requests[-1].put(reflected.ServerReflectionRequest(list_services=""))
        streams.append(open_stream(server, requests[-1]))
        next(streams[-1])
    further: SimpleQueue[reflected.ServerReflectionRequest | None] = SimpleQueue()
    refused = refusal(next, open_stream(server, further))
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_BUSY")
    assert refused.attributes["limit"] == "reflection streams at once"
    ann = server.sign_up("ann")
    server.send(ann, "ann", "hello")
    assert server.texts(ann) == ["hello"]
    for each in [*requests, further]:
        each.put(None)


def test_one_address_leaves_streams_for_others(tmp_path: Path) -> None:
    with Running(tmp_path / "s.db", "--reflection", "--trusted-addresses", "none") as server:
        requests: list[SimpleQueue[reflected.ServerReflectionRequest | None]] = [SimpleQueue() for _ in range(2)]
        streams = [open_stream(server, queue) for queue in requests]
        for queue, stream in zip(requests, streams, strict=True):
            queue.put(reflected.ServerReflectionRequest(list_services=""))
            next(stream)
        refused = refusal(next, open_stream(server, SimpleQueue()))
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_BUSY")
        assert refused.attributes["limit"] == "2 reflection streams at once from one address"
        for queue in requests:
            queue.put(None)
        assert [list(stream) for stream in streams] == [[], []]
        again = SimpleQueue[reflected.ServerReflectionRequest | None]()
        again.put(reflected.ServerReflectionRequest(list_services=""))
        again.put(None)
        assert len(list(open_stream(server, again))) == 1


@pytest.mark.skipif(BUF is None, reason="buf is not installed")
def test_buf_curl_calls_without_the_proto(server: Running, tmp_path: Path) -> None:
    assert BUF is not None
    url = f"http://{server.address}/{SERVICE_NAME}/SignUp"
    data = json.dumps({"username": "ann", "password": "a long password"})
    flags = ["--protocol", "grpc", "--http2-prior-knowledge", "--reflect-protocol", "grpc-v1alpha"]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    answered = subprocess.run(
        [BUF, "curl", *flags, "--data", data, url],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert answered.returncode == 0, answered.stderr
    assert json.loads(answered.stdout)["session"]["username"] == "ann"
