"""One gRPC server from its start to its drain."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import grpc

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.server.bulkhead import Bulkhead
from chatbooth_grpc.server.flags import Settings
from chatbooth_grpc.server.interceptors import (
    AuthInterceptor,
    BulkheadInterceptor,
    ErrorInterceptor,
)
from chatbooth_grpc.server.servicer import ChatServicer

_PASSWORD_ACTIONS = (
    pb.ACTION_SIGN_UP,
    pb.ACTION_LOG_IN,
    pb.ACTION_DELETE,
    pb.ACTION_CHANGE_PASSWORD,
)
_PASSWORD_CAPACITY = 128
_LIST_CAPACITY = 64
_LIST_THREADS = 2
_REQUEST_OVERHEAD = 1 << 20  # room beyond the largest text, so that one a little too long gets our own clear error


class ListenError(Exception):
    """The address cannot be listened on; the text says what to do."""


class ChatServer:
    """Serves a booth over gRPC: a pool of threads, and bulkheads for what is slow."""

    def __init__(self, booth: Booth, settings: Settings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="call")
        passwords = Bulkhead("password", (os.cpu_count() or 1) + 1, _PASSWORD_CAPACITY)
        lists = Bulkhead("list", _LIST_THREADS, _LIST_CAPACITY)
        self._bulkheads = (passwords, lists)
        slow: dict[int, tuple[str, Bulkhead]] = dict.fromkeys(_PASSWORD_ACTIONS, ("log-ins at once", passwords))
        slow[pb.ACTION_LIST] = ("lists at once", lists)
        self._server = grpc.server(
            self._pool,
            interceptors=[BulkheadInterceptor(slow), ErrorInterceptor(), AuthInterceptor()],
            options=_channel_options(settings),
            maximum_concurrent_rpcs=settings.max_calls,
        )
        pb_grpc.add_ChatServiceServicer_to_server(ChatServicer(booth), self._server)

    def start(self) -> str:
        """Listen and serve; return the address, HOST:PORT. Raises ListenError."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host.strip("[]") else self._settings.host
        try:
            port = self._server.add_insecure_port(f"{host}:{self._settings.port}")
        except RuntimeError as error:
            raise ListenError(
                f"cannot listen on {host}:{self._settings.port}: the port is taken or the address is not this "
                "machine's; stop what uses it, or choose another with --port"
            ) from error
        self._server.start()
        return f"{host}:{port}"

    def drain(self) -> None:
        """Take no more calls, let those in progress finish within the grace, and end every thread."""
        self._server.stop(self._settings.drain_grace).wait()
        for pool in (self._pool, *self._bulkheads):
            pool.shutdown(wait=True, cancel_futures=True)


def _channel_options(settings: Settings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
        ("grpc.max_receive_message_length", settings.limits.text_size + _REQUEST_OVERHEAD),
    ]
