"""docs/wire-protocol.md, replayed byte for byte over plain sockets."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.addresses import look_up
from chatbooth_grpc.booth.actions import ACTIONS
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.wire.encoding.codes import CODES, OTHER
from chatbooth_grpc.wire.server.wire_server import WireServer, WireSettings

PAGE = Path(__file__).parents[2] / "docs" / "wire-protocol.md"
EXAMPLES = re.findall(r"```hex\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
PATIENCE = 10.0


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A wire server on a free port, with the passwords' real cost: there are few of them."""
    with SQLiteStore(tmp_path / "chatbooth.db") as store:
        switchboard = Switchboard(store)
        server = WireServer(Booth(store), switchboard, WireSettings(look_up("127.0.0.1"), 0, 1 << 20))
        host, _, port = server.start().rpartition(":")
        yield host, int(port)
        switchboard.drain(1)
        server.drain(5)


class Replay:
    """One connection a person, and the tokens that the server gave them."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.tokens: dict[str, bytes] = {}
        self._address = address
        self._connections: dict[str, socket.socket] = {}

    def connection(self, person: str) -> socket.socket:
        """Return a person's connection."""
        if person not in self._connections:
            self._connections[person] = socket.create_connection(self._address, PATIENCE)
        return self._connections[person]

    def request(self, line: str) -> bytes:
        """Return the bytes of a line, tokens put in."""
        parts = line.split()
        return b"".join(self.tokens[part[1:-1]] if part[0] == "{" else bytes.fromhex(part) for part in parts)

    def expect(self, line: str, received: bytes) -> None:
        """Check the bytes received against a line, and keep the token where the line names one."""
        position = 0
        for part in line.split():
            if part[0] == "{":
                self.tokens[part[1:-1]] = received[position : position + 16]
                position += 16
            else:
                assert part == ".." or bytes.fromhex(part) == received[position : position + 1], (line, received.hex())
                position += 1
        assert position == len(received), (line, received.hex(" "))

    def close(self) -> None:
        """End the connections."""
        for connection in self._connections.values():
            connection.close()


def receive_frame(connection: socket.socket) -> bytes:
    """Return the next frame whole, cut out by its header alone."""
    header = receive(connection, 6)
    return header + receive(connection, struct.unpack(">I", header[2:])[0])


def receive(connection: socket.socket, size: int) -> bytes:
    """Return that many bytes."""
    received = b""
    while len(received) < size:
        piece = connection.recv(size - len(received))
        assert piece, "the connection ended"
        received += piece
    return received


def person_of(line: str) -> str:
    """Return the account that sends a line: the owner of its token, or the account that signs up."""
    named = re.search(r"\{(\w+)\}", line)
    if named:
        return named[1]
    return "bobby" if "62 6f 62 62 79" in line else "alice"


def test_the_server_does_as_the_page_says(address: tuple[str, int]) -> None:
    replay = Replay(address)
    for example in EXAMPLES:
        lines = example.strip().splitlines()
        person = person_of(lines[0][2:])
        connection = replay.connection(person)
        expected: list[str] = []
        received: list[bytes] = []
        for line in lines:
            if line[0] == ">":
                connection.sendall(replay.request(line[2:]))
            else:
                expected.append(line[2:])
                received.append(receive_frame(connection))
        # The reply to DELETE and the end of the stream may come in any order.
        if expected[-1].startswith("01 0b 00 00 00 65"):
            received.sort(key=lambda frame: frame[1])
        for line, frame in zip(expected, received, strict=True):
            replay.expect(line, frame)
    replay.close()
    assert len(EXAMPLES) == 15
    assert set(replay.tokens) == {"alice", "bobby"}


def test_the_page_lists_every_code() -> None:
    table = dict(re.findall(r"\| (\d+) \| ([A-Z_]+)", PAGE.read_text(encoding="utf-8")))
    listed = {int(code): reason for code, reason in table.items()}
    for kind, code in CODES.items():
        assert listed[code] == kind.reason
    assert OTHER not in listed


def test_a_message_costs_what_the_page_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    send = next(line for line in text.splitlines() if line.startswith("> 01 03"))
    of_frame, of_token, of_text = 6, 16, 60
    fields = len(send[2:].split()) - 1 - of_frame - len(b"Hello!")
    assert of_frame + fields + of_text + of_token == 106
    push = next(line for line in text.splitlines() if line.startswith("< 01 0b 00 00 00 2a"))
    assert len(push[2:].split()) - len(b"Hello!") + of_text == 102


def test_the_page_names_every_action_by_its_number() -> None:
    rows = re.findall(
        r"^\| (\d+) \| ([A-Z_]+) \| (?:client|server|both) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {int(number): name for number, name in rows} == {number: row.name for number, row in ACTIONS.items()}
