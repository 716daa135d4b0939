"""Attackers that keep calls open over gRPC, and take none of their answers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from bench.attacks.raw import DeafConnection
from bench.attacks.target import Attacker, Target
from bench.performance.http2 import call_headers
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.library.chat_client import ChatClient

_PAUSE = 0.05
_PER_CONNECTION = 100
MESSAGE_SIZE = 4_000
"""The bytes of each text in the attacker's mailbox. A stream's window of 256 texts is about 1 MiB."""


def deaf_calls(path: str, each: int = _PER_CONNECTION) -> Attacker:
    """Return an attacker that keeps calls of a method open, `each` on a connection, and makes those that end again."""

    def attack(target: Target, size: int) -> Iterator[None]:
        headers = call_headers(target.grpc, path, target.token)
        opened: list[DeafConnection] = []
        while True:
            opened = [one for one in opened if not one.is_over]
            # The server may drop the packets of an attacker.
            with contextlib.suppress(OSError):
                while len(opened) * each < size:
                    opened.append(DeafConnection(target.grpc))
            for one in opened:
                one.fill(headers, each)
            yield
            time.sleep(_PAUSE)

    return attack


def with_mail(attacker: Attacker) -> Attacker:
    """Return an attacker whose mailbox grows meanwhile, so that the server has messages for its streams."""

    def attack(target: Target, size: int) -> Iterator[None]:
        threading.Thread(target=_mail, args=(target,), daemon=True).start()
        yield from attacker(target, size)

    return attack


def _mail(target: Target) -> None:
    with ChatClient.connect(f"wire://{target.wire}", session=Session(target.token, 0, target.username, b"")) as client:
        while True:
            client.send(target.username, "x" * MESSAGE_SIZE)
            time.sleep(_PAUSE)
