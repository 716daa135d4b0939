"""A process of closed-loop senders, which prints their latencies and rates as JSON."""

from __future__ import annotations

import argparse
import json
import os
import resource
import threading
import time

from chatbooth_grpc.client.library.chat_client import ChatClient

TEXT = "x" * 60
PASSWORD = "password"  # noqa: S105


def main() -> None:
    """Send with `--clients` threads, each on its own connection, for `--seconds`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--start", type=float, required=True, help="the time to start at, as time.time() gives it")
    parser.add_argument("--recipient", required=True)
    parsed = parser.parse_args()
    latencies: list[list[float]] = [[] for _ in range(parsed.clients)]

    def send(client: ChatClient, own: list[float]) -> None:
        client.send(parsed.recipient, TEXT)
        time.sleep(max(0.0, parsed.start - time.time()))
        end = time.monotonic() + parsed.seconds
        while (before := time.perf_counter()) and time.monotonic() < end:
            client.send(parsed.recipient, TEXT)
            own.append(time.perf_counter() - before)

    clients = [ChatClient.connect(parsed.server, timeout=60) for _ in range(parsed.clients)]
    session = clients[0].sign_up(f"load{os.getpid()}", PASSWORD)
    for client in clients:
        client.session = session
    threads = [threading.Thread(target=send, args=pair) for pair in zip(clients, latencies, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = resource.getrusage(resource.RUSAGE_SELF)
    everything = [latency for own in latencies for latency in own]
    print(json.dumps({"latencies": everything, "cpu_seconds": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    main()
