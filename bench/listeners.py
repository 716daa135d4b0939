"""python -m bench.listeners: the cost of open Listen streams, and the live latency."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.loaded import closed_loop
from bench.server_process import ServerProcess
from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.client.library.chat_client import ChatClient

PASSWORD = "password"  # noqa: S105
_SETTLE = 2.0
_SESSIONS = 50
# gRPC refuses calls while a thousand or more of them wait for the server.
_AT_ONCE = 200


def main() -> int:
    """Measure with listeners and without, and print figures and ratios."""
    parser = argparse.ArgumentParser(prog="python -m bench.listeners", description=__doc__)
    parser.add_argument("--listeners", type=int, default=5_000, help="(default: %(default)s)")
    parser.add_argument("--connections", type=int, default=50, help="that they share (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each load (default: %(default)s)")
    parser.add_argument("--messages", type=int, default=1_000, help="whose arrival is timed (default: %(default)s)")
    parsed = parser.parse_args()
    with ServerProcess() as server:
        arrival, no_op = _arrival(server, parsed.messages)
        print(
            f"arrival of a message: p50 {arrival:.2f} ms, no-op call: p50 {no_op:.2f} ms: {arrival / no_op:.2f}\u00d7"
        )
    with ServerProcess() as server:
        _fill_pool(server)
        before = closed_loop(server, server.grpc, 1, parsed.seconds)
        memory, threads = server.resident_bytes(), server.threads()
        channels, streams = _open(server, parsed.listeners, parsed.connections)
        time.sleep(_SETTLE)
        each = (server.resident_bytes() - memory) / parsed.listeners / 1024
        more = server.threads() - threads
        after = closed_loop(server, server.grpc, 1, parsed.seconds)
        print(f"{len(streams):,} listeners on {len(channels)} connections: {each:.1f} KiB each, {more} threads more")
        print(
            f"a lone Send: p50 {before.p50:.2f} ms without, {after.p50:.2f} ms with: {after.p50 / before.p50:.2f}\u00d7"
        )
        for channel in channels:
            channel.close()
    return 0


def _fill_pool(server: ServerProcess) -> None:
    """Make calls until the pool of calls has started all its threads. A Send alone would start none."""
    with ChatClient.connect(server.grpc, timeout=60) as client, ThreadPoolExecutor(64) as callers:
        client.sign_up("caller", PASSWORD)
        for delivered in [callers.submit(client.deliver) for _ in range(5_000)]:
            delivered.result()


def _open(server: ServerProcess, listeners: int, connections: int) -> tuple[list[grpc.Channel], list[Any]]:
    """Open the streams for a few accounts, and wait for the opening of each stream."""
    with ChatClient.connect(server.grpc) as client:
        sessions = [client.sign_up(f"listener{number}", PASSWORD) for number in range(_SESSIONS)]
    metadata = [_bearer(session.token) for session in sessions]
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(server.grpc, options=options) for _ in range(connections)]
    stubs = [pb_grpc.ChatServiceStub(channel) for channel in channels]
    streams: list[Any] = []
    while len(streams) < listeners:
        opened = [
            stubs[number % connections].Listen(pb.ListenRequest(), metadata=metadata[number % _SESSIONS])
            for number in range(len(streams), min(listeners, len(streams) + _AT_ONCE))
        ]
        for stream in opened:
            next(stream)
        streams += opened
    return channels, streams


def _arrival(server: ServerProcess, messages: int) -> tuple[float, float]:
    """Return two p50s in milliseconds: from the send of a message to its arrival, and of a no-op unary call."""
    arrivals, no_ops = [], []
    with ChatClient.connect(server.grpc) as client, grpc.insecure_channel(server.grpc) as channel:
        session = client.sign_up("both", PASSWORD)
        stub, health = pb_grpc.ChatServiceStub(channel), health_pb2_grpc.HealthStub(channel)
        check: Any = health.Check  # type: ignore[attr-defined]  # its types are not installed
        stream = stub.Listen(pb.ListenRequest(), metadata=_bearer(session.token))
        next(stream)
        for number in range(1, messages + 1):
            started = time.perf_counter()
            client.send("both", "x" * 60)
            next(stream)
            arrivals.append(time.perf_counter() - started)
            if number % 100 == 0:
                client.acknowledge(number)
            started = time.perf_counter()
            check(health_pb2.HealthCheckRequest(), timeout=10)
            no_ops.append(time.perf_counter() - started)
        stream.cancel()
    return 1_000 * statistics.median(arrivals), 1_000 * statistics.median(no_ops)


def _bearer(token: bytes) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token.hex()}"),)


if __name__ == "__main__":
    sys.exit(main())
