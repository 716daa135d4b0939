"""The cost of connections: the time to a first reply, and the memory of an idle one."""

from __future__ import annotations

import os
import statistics
import threading
import time
from pathlib import Path

from bench.server_process import ServerProcess
from chatbooth_grpc.client.library.chat_client import ChatClient

PASSWORD = "password"  # noqa: S105
_SETTLE = 1.0


def first_reply(address: str, tries: int) -> float:
    """Return the median milliseconds from the opening of a connection to its first reply."""
    with ChatClient.connect(address) as client:
        session = client.sign_up(f"first{time.time_ns() % 10**9}", PASSWORD)
    times = []
    for _ in range(tries):
        started = time.perf_counter()
        with ChatClient.connect(address, session=session) as client:
            client.acknowledge(0)
            times.append(time.perf_counter() - started)
    return 1_000 * statistics.median(times)


def idle_memory(server: ServerProcess, address: str, connections: int) -> float:
    """Return the KiB of server memory for each idle connection that has made an authenticated call."""
    with ChatClient.connect(address) as client:
        session = client.sign_up(f"idle{time.time_ns() % 10**9}", PASSWORD)
    time.sleep(_SETTLE)
    before = server.resident_bytes()
    clients = [ChatClient.connect(address, session=session, timeout=30) for _ in range(connections)]
    for client in clients:
        client.acknowledge(0)
    time.sleep(_SETTLE)
    after = server.resident_bytes()
    for client in clients:
        client.close()
    return (after - before) / connections / 1024


def bare_thread_memory(threads: int) -> float:
    """Return the KiB of this process's memory for each bare Python thread that only waits."""
    waiting = threading.Event()
    before = _own_resident_bytes()
    started = [threading.Thread(target=waiting.wait, daemon=True) for _ in range(threads)]
    for thread in started:
        thread.start()
    time.sleep(_SETTLE)
    after = _own_resident_bytes()
    waiting.set()
    for thread in started:
        thread.join()
    return (after - before) / threads / 1024


def _own_resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
