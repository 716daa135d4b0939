"""The wire protocol's two ends move bytes through the byte stream alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

WIRE = Path(__file__).parents[3] / "chatbooth_grpc" / "wire"

SOCKET_METHODS = {
    *("send", "sendall", "sendto", "sendmsg", "sendfile", "recv", "recv_into", "recvfrom", "recvfrom_into"),
    *("recvmsg", "recvmsg_into", "shutdown", "makefile", "detach", "dup"),
}
"""How bytes get past a stream by its socket. No method of the streams has such a name."""

DESCRIPTOR_FUNCTIONS = {
    "os": {"read", "write", "readv", "writev", "pread", "pwrite", "sendfile", "splice", "fdopen", "dup", "dup2"},
    "socket": {"fromfd", "dup", "send_fds", "recv_fds"},
}
"""How bytes get past a stream by its descriptor."""

STRANGERS = {"ctypes", "fcntl", "ssl", "asyncio", "socketserver", "mmap"}

PIPE = {"server/waker.py": {"os.read", "os.write"}, "server/proxy_header.py": {"proxied.recv"}}
"""The pipe that wakes a thread has no bytes of a client. The header of a proxy comes before the stream."""

WAITING = {"server/frame_writer.py", "server/shared_reader.py", "server/listening.py"}
"""Those that wait for a stream or a listening socket by its number."""


OUTSIDE = [path for path in sorted(WIRE.rglob("*.py")) if path.parent.name != "streams"]
"""The sources of the wire protocol that are no implementation of the seam."""


def breaches(source: str) -> set[str]:
    """Return how a source reads, writes or ends a connection without its stream."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found |= _breaches_of(node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = {f"{module}.{alias.name}".strip(".") for alias in node.names}
            found |= {name for name in names if name.partition(".")[0] in STRANGERS}
            found |= {name for name in names if name.rpartition(".")[2] in DESCRIPTOR_FUNCTIONS.get(module, ())}
    return found


def _breaches_of(node: ast.Attribute) -> set[str]:
    owner = node.value.id if isinstance(node.value, ast.Name) else ""
    if node.attr in SOCKET_METHODS or node.attr in DESCRIPTOR_FUNCTIONS.get(owner, ()):
        return {f"{owner}.{node.attr}"}
    return {"fileno"} if node.attr == "fileno" else set()


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(WIRE)))
def test_nothing_gets_past_the_byte_stream(path: Path) -> None:
    name = path.relative_to(WIRE).as_posix()
    allowed = PIPE.get(name, set()) | ({"fileno"} if name in WAITING else set())
    assert breaches(path.read_text(encoding="utf-8")) <= allowed


def test_every_exception_is_needed() -> None:
    for name in (*PIPE, *WAITING):
        assert breaches((WIRE / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "stream._socket.send(b'')",
        "def f(client): client.sendall(b'')",
        "received = self._socket.recv",
        "client.shutdown(2)",
        "import os\nos.write(3, b'')",
        "from os import write",
        "import ctypes",
        "from ctypes import PyDLL",
        "number = client.fileno()",
        "from socket import fromfd",
    ],
)
def test_a_breach_is_found(source: str) -> None:
    assert breaches(source)
