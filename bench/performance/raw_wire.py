"""A raw client of the wire protocol, for benchmarks only, which sends prepared requests."""

from __future__ import annotations

from bench.performance.headers import CallFailed
from bench.performance.sends import Sends
from bench.performance.sockets import connect, receive
from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.wire.encoding import frames, pinging, pushes, sending

TEXT = b"x" * 60
_VARINT_REST = 0x7F


def sends(recipient: str, token: bytes) -> Sends:
    """Return SENDs to one recipient."""
    message_id = new_message_id()
    body = sending.encode_outgoing(OutgoingMessage(recipient, message_id, TEXT))
    return Sends(frames.encode_request(actions.SEND, body, token), message_id)


class WireConnection:
    """One connection. It sends frames, and returns the frames that matter for a measurement. It checks every status."""

    def __init__(self, address: str) -> None:
        """`address` is wire://HOST:PORT or wire+tls://HOST:PORT."""
        self._socket = connect(address)
        self._buffer = b""

    def fileno(self) -> int:
        """Return the socket's descriptor, for a selector."""
        return self._socket.fileno()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def send(self, requests: bytes) -> None:
        """Send whole frames."""
        self._socket.sendall(requests)

    def ask(self, request: bytes) -> bytes:
        """Send a request, and return its reply's body after the status. No other request may be in flight."""
        self.send(request)
        while not (received := self.receive()):
            pass
        return received[0][1][1:]

    def receive(self) -> list[tuple[int, bytes]]:
        """Wait for bytes. Return the actions and bodies of the frames that are complete now. Raises CallFailed."""
        data = receive(self._socket)
        if not data:
            raise CallFailed("the server has ended the connection")
        data = self._buffer + data
        found = []
        start, end = 0, len(data)
        while end - start >= frames.HEADER.size:
            _, action, size = frames.HEADER.unpack_from(data, start)
            body_start = start + frames.HEADER.size
            if body_start + size > end:
                break
            start = body_start + size
            body = data[body_start:start]
            if action == actions.PING:
                self.send(frames.encode_request(actions.PING, pinging.encode_ping(pinging.ANSWER, body[2:])))
                continue
            if action == actions.RESPONSE and body[0]:
                raise CallFailed(f"status {body[0]}: {body!r}")
            found.append((action, body))
        self._buffer = data[start:]
        return found


def pushed_sequences(body: bytes) -> list[int]:
    """Return the sequences of a push, without decoding its messages. The list is empty if the push is no batch."""
    sequences: list[int] = []
    if body[0] != pushes.BATCH:
        return sequences
    position = 1
    while position < len(body):
        size, position = read_varint(body, position)
        sequences.append(read_varint(body, position)[0])
        position += size
    return sequences


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number and the position after it. Protobuf's varints are the same."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & _VARINT_REST) << shift
        if byte <= _VARINT_REST:
            return value, position
        shift += 7
