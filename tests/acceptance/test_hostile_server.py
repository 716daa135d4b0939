"""A server that answers with any bytes: no reply ends in a traceback or steers a terminal."""

from __future__ import annotations

import io
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import RecipientNotFound, UnknownError
from chatbooth_grpc.booth.model import Delivery, Gap, GapReason, Message, Opening, Page, Receipt, Removal, Session
from chatbooth_grpc.client.__main__ import main
from chatbooth_grpc.client.failures import exit_codes
from chatbooth_grpc.client.state.session_directory import SessionDirectory
from chatbooth_grpc.client.state.session_file import SavedSession
from chatbooth_grpc.wire.encoding import accounts, delivering, lists, sending, sessions
from chatbooth_grpc.wire.encoding.codes import encode_error
from chatbooth_grpc.wire.encoding.frames import FrameDecoder, encode_frame
from tests.acceptance.processes import PASSWORD

CODES = {value for name, value in vars(exit_codes).items() if name.isupper()}
ROUNDS = 40
EVIL = "\x1b]0;x\x07../../\u202e"

SESSION = Session(b"t" * 16, 7, "ann", b"e" * 16)
OPENING = Opening(b"e" * 16, 7, 0, 1, Gap(1, 2, GapReason.RETENTION))
MESSAGE = Message(3, EVIL, 8, b"m" * 16, 1 << 62, EVIL.encode())

COMMANDS = [
    ["login", "ann"],
    ["signup", "ann"],
    ["whoami"],
    ["list"],
    ["send", "ben", "hi"],
    ["send", "--queue", "ben", "hi"],
    ["outbox", "--send"],
    ["deliver"],
    ["passwd"],
    ["logout"],
    ["delete", "--yes"],
]

WIRE_REPLIES = [
    b"\0" + sessions.encode_session(SESSION),
    b"\0" + sessions.encode_session(Session(b"t" * 16, 1 << 60, EVIL, b"e" * 16)),
    b"\0" + lists.encode_page(Page([EVIL, "b" * 500], "")),
    b"\0" + sending.encode_receipt(Receipt(1 << 62)),
    b"\0" + delivering.encode_delivery(Delivery(OPENING, [MESSAGE], more=False)),
    b"\0" + accounts.encode_removal(Removal(1, 1)),
    b"\0",
    b"",
    encode_error(RecipientNotFound(EVIL)),
    encode_error(UnknownError(EVIL, EVIL)),
]

GRPC_REPLIES = [
    pb.LogInResponse(session=pb.Session(token=b"short", username="ann", epoch=b"x")).SerializeToString(),
    pb.LogInResponse(
        session=pb.Session(token=b"t" * 16, account_id=7, username=EVIL, epoch=b"e" * 16)
    ).SerializeToString(),
    pb.ListResponse(usernames=[EVIL, "b" * 500]).SerializeToString(),
    pb.SendResponse().SerializeToString(),
    b"",
]


def mutated(replies: list[bytes], chance: random.Random) -> bytes:
    """Return one of the replies, unchanged or with some bytes changed, cut off or added."""
    reply = bytearray(chance.choice(replies))
    for _ in range(chance.choice([0, 0, 1, 2, 5])):
        place = chance.randrange(len(reply) + 1)
        reply[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(reply)


@contextmanager
def wire_server(reply: Callable[[], bytes]) -> Iterator[str]:
    """Answer every frame of every connection with a reply. Yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            decoder = FrameDecoder(1 << 20, from_client=True)
            with connection:
                while data := connection.recv(65_536):
                    for _ in decoder.feed(data):
                        connection.sendall(encode_frame(actions.RESPONSE, reply()))

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=_quietly, args=(serve, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"wire://127.0.0.1:{listener.getsockname()[1]}"


def _quietly(serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
    try:
        serve(connection)
    except OSError:
        return


class AnyMethod(grpc.GenericRpcHandler):
    """Answers each call with a reply, whatever the call is."""

    def __init__(self, reply: Callable[[], bytes]) -> None:
        self._reply = reply

    def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: self._reply())


@contextmanager
def grpc_server(reply: Callable[[], bytes]) -> Iterator[str]:
    """Answer every call with a reply. Yield the address."""
    server = grpc.server(ThreadPoolExecutor(4), handlers=[AnyMethod(reply)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("serving", "replies"), [(wire_server, WIRE_REPLIES), (grpc_server, GRPC_REPLIES)], ids=["wire", "grpc"]
)
def test_no_reply_ends_in_a_traceback(
    serving: Callable[[Callable[[], bytes]], AbstractContextManager[str]],
    replies: list[bytes],
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chance = random.Random(" ".join(command))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("CHATBOOTH_PASSWORD", PASSWORD)
    monkeypatch.setenv("CHATBOOTH_NEW_PASSWORD", PASSWORD)
    with serving(lambda: mutated(replies, chance)) as address:
        for round_number in range(ROUNDS):
            SessionDirectory(tmp_path / "chatbooth", address).save(SavedSession(address, SESSION))
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
            flags = ["--server", address, "--as", "ann", "--timeout", "0.3", *(["--json"] if round_number % 2 else [])]
            assert main([*flags, *command]) in CODES
            said = capsys.readouterr()
            assert "Traceback" not in said.err
            assert "\x1b" not in said.out + said.err
            if round_number % 2:
                assert all(isinstance(json.loads(line), dict) for line in said.out.splitlines())
    assert [path for path in tmp_path.iterdir() if path.name != "chatbooth"] == []
