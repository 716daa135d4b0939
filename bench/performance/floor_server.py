"""python -m bench.performance.floor_server: gRPC alone, which is the floor of chatbooth.

`Send` is the floor F: chatbooth's own generated stubs and messages on a plain `grpc.server` that always gives the same
answer. `/bench.Floor/Echo` sends every message of a bidirectional stream back.
"""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc

ECHO = "/bench.Floor/Echo"


class _Floor(pb_grpc.ChatServiceServicer):
    def Send(self, request: pb.SendRequest, context: grpc.ServicerContext) -> pb.SendResponse:  # noqa: ARG002, N802
        response = pb.SendResponse()
        response.accept_time.seconds = 1_800_000_000
        return response


def _echo(requests: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
    yield from requests


def main() -> None:
    """Print the address, and serve until a signal stops this."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=16)
    parsed = parser.parse_args()
    server = grpc.server(ThreadPoolExecutor(parsed.threads))
    pb_grpc.add_ChatServiceServicer_to_server(_Floor(), server)  # type: ignore[abstract]  # the rest is not called
    _, service, method = ECHO.split("/")
    handlers: dict[str, Any] = {method: grpc.stream_stream_rpc_method_handler(_echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    server.stop(0)


if __name__ == "__main__":
    main()
