"""Latency, throughput and server CPU under load, and pipelined sends on the wire."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from bench.server_process import ServerProcess
from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.wire.encoding import frames, sending

PASSWORD = "password"  # noqa: S105
MOST_PROCESSES = 4
_START_DELAY = 3.0
_REPLY_SIZE = 15


@dataclass(frozen=True)
class Load:
    """The result of a load: latencies in milliseconds, messages a second, and CPU in ms per 1,000 messages."""

    clients: int
    p50: float
    p99: float
    rate: float
    server_cpu: float
    client_cpu: float


def closed_loop(server: ServerProcess, address: str, clients: int, seconds: float) -> Load:
    """Send one message after another from each client, for a time. The server commits each before its reply."""
    processes = min(clients, MOST_PROCESSES)
    recipient = f"sink{time.time_ns() % 10**9}"
    with ChatClient.connect(address) as client:
        client.sign_up(recipient, PASSWORD)
    start = time.time() + _START_DELAY
    command = [sys.executable, "-m", "bench.load", "--server", address, "--seconds", str(seconds)]
    command += ["--clients", str(clients // processes), "--start", str(start), "--recipient", recipient]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    time.sleep(max(0.0, start - time.time()))
    before = server.cpu_seconds()
    outputs = [process.communicate()[0] for process in running]
    used = server.cpu_seconds() - before
    results = [json.loads(output) for output in outputs]
    latencies = sorted(latency for result in results for latency in result["latencies"])
    count = len(latencies)
    return Load(
        clients,
        p50=1_000 * statistics.median(latencies),
        p99=1_000 * latencies[count * 99 // 100],
        rate=count / seconds,
        server_cpu=1e6 * used / count,
        client_cpu=1e6 * sum(result["cpu_seconds"] for result in results) / count,
    )


def pipelined(server: ServerProcess, address: str, messages: int) -> tuple[float, float]:
    """Send many messages over one wire connection without waiting. Return messages a second and CPU ms per 1,000."""
    recipient = f"sink{time.time_ns() % 10**9}"
    with ChatClient.connect(address) as client:
        client.sign_up(recipient, PASSWORD)
        token = client.sign_up(f"pipe{time.time_ns() % 10**9}", PASSWORD).token
    requests = b"".join(
        frames.encode_request(
            actions.SEND, sending.encode_outgoing(OutgoingMessage(recipient, new_message_id(), b"x" * 60)), token
        )
        for _ in range(messages)
    )
    host, _, port = address.removeprefix("wire://").rpartition(":")
    before, started = server.cpu_seconds(), time.perf_counter()
    with socket.create_connection((host, int(port))) as connected:
        writer = threading.Thread(target=connected.sendall, args=(requests,))
        writer.start()
        left = messages * _REPLY_SIZE
        while left > 0:
            left -= len(connected.recv(64 << 10))
        writer.join()
    seconds = time.perf_counter() - started
    return messages / seconds, 1e6 * (server.cpu_seconds() - before) / messages
