"""The attackers: loops that run until killed. python -m bench.attacks.attacker NAME …"""

from __future__ import annotations

import argparse
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from itertools import count

from bench.attacks.raw import DeafConnection, encode_resets, write_all
from bench.performance.http2 import call_headers
from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.wire.encoding import delivering, frames, pushes

_SERVICE = "/chatbooth.v1.ChatService/"
_PAUSE = 0.05
_REPLIES_BEFORE_LISTEN = 2
MESSAGE_SIZE = 4_000
"""The bytes of each text in the attacker's mailbox. A stream's window of 256 texts is about 1 MiB."""
# The first byte of tcp_info has this value for an open connection.
_ESTABLISHED = 1


def deaf_grpc(address: str, token: bytes, streams: int, connections: int, method: str) -> None:
    """Keep this many calls open, and take none of their answers. When the server ends a call, make it again."""
    path = method if method.startswith("/") else _SERVICE + method
    headers = call_headers(address, path, token)
    opened: list[DeafConnection] = []
    while True:
        opened = [each for each in opened if not each.is_over]
        while len(opened) < connections:
            opened.append(DeafConnection(address))
        for each in opened:
            try:
                for _ in range(streams // connections - len(each.open)):
                    each.call(headers, b"")
            except OSError:
                each.is_over = True
        time.sleep(_PAUSE)


def resets(address: str, token: bytes, streams: int, connections: int, method: str) -> None:  # noqa: ARG001
    """Make calls without a token and reset each at once, on one new connection after another."""
    written = encode_resets(call_headers(address, _SERVICE + method), b"", streams)

    def write() -> None:
        while True:
            with contextlib.suppress(OSError):
                write_all(address, written)

    threads = [threading.Thread(target=write) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def deaf_wire(address: str, token: bytes, streams: int, connections: int, method: str) -> None:
    """Keep connections that make many requests and read none of the replies."""
    deliver = frames.encode_request(
        actions.DELIVER, delivering.encode_deliver_request(actions.DeliverRequest(max_messages=1_000)), token
    )
    listen = frames.encode_request(actions.LISTEN, pushes.encode_listen_request(None), token)
    each_time = max(1, streams // connections)
    # The kernel buffers more than a stream's window. Unread replies fill that buffer before the stream is opened.
    requests = deliver * _REPLIES_BEFORE_LISTEN + listen if method == "Listen" else deliver * each_time
    opened: dict[int, socket.socket] = {}
    for number in count():
        each = opened.get(number % connections)
        try:
            if each is None:
                host, _, port = address.removeprefix("wire://").rpartition(":")
                each = opened[number % connections] = socket.socket()
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                each.connect((host, int(port)))
                each.sendall(requests)
            elif _has_ended(each):
                del opened[number % connections]
                each.close()
        except OSError:
            opened.pop(number % connections).close()
        if number % connections == connections - 1:
            time.sleep(_PAUSE)


def _has_ended(connected: socket.socket) -> bool:
    """Return whether the server has ended the connection, without reading from it."""
    return connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED


def mail(address: str, token: bytes, streams: int, connections: int, method: str) -> None:  # noqa: ARG001
    """Send to the attacker's own mailbox, so that the server has messages for its listeners."""
    with ChatClient.connect(address, session=Session(token, 0, method, b"")) as client:
        while True:
            client.send(method, "x" * MESSAGE_SIZE)
            time.sleep(_PAUSE)


# All attackers have the same parameters, though two of them need fewer.
ATTACKERS: dict[str, Callable[[str, bytes, int, int, str], None]] = {
    "deaf-grpc": deaf_grpc,
    "deaf-wire": deaf_wire,
    "resets": resets,
    "mail": mail,
}


def main() -> None:
    """Attack until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=ATTACKERS)
    parser.add_argument("--server", required=True)
    parser.add_argument("--token", type=bytes.fromhex, required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--method", required=True)
    parsed = parser.parse_args()
    ATTACKERS[parsed.name](parsed.server, parsed.token, parsed.streams, parsed.connections, parsed.method)


if __name__ == "__main__":
    main()
