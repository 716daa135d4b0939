"""python -m tests.contract.fuzz: compare all ways at random, and send garbled bytes.

A case is a random sequence of actions on the booth, over gRPC and over the wire. Every outcome must be the same.
Between cases, a wire server of its own gets streams of requests with bytes changed, cut out or added. It must
answer each connection in frames and end it, and go on answering.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.wire.encoding import pinging
from chatbooth_grpc.wire.encoding.frames import FrameDecoder, encode_request
from tests.contract.actor import PASSWORD, Actor, number_id
from tests.contract.stores import Clock
from tests.contract.transports import WAYS, transport_by
from tests.waiting import wait_until
from tests.wire.running import PATIENCE, Running, send_body

PASSWORDS = (PASSWORD, "another password", "short", "")
TOKENS = (b"", bytes(16), b"short")
TEXTS = ("", "a", "b", "\u4f60\u597d", "\x00\x1b[2J", "x" * 5_000)
STEPS_PER_CASE = 40
STREAMS_PER_CASE = 4

Step = tuple[Any, ...]


class Difference(Exception):
    """The ways had different outcomes."""


def random_steps(dice: random.Random, prefix: str) -> list[Step]:
    """Return the steps of a case. Its names have a prefix of its own, so that cases do not touch each other."""
    names = [prefix + name for name in ("ann", "ben", "cy")]
    anyone = [*names, names[0].upper(), prefix + "nobody", "No One", ""]

    def number() -> int:
        return dice.choice((0, 1, 2, 3, 5, 300, (1 << 64) - 1))

    def send_content() -> Step:
        kind, content = dice.choice((2, 7, 255)), dice.randbytes(dice.randrange(9))
        return ("send_content", dice.choice(anyone), dice.choice(anyone), number_id(dice.randrange(6)), kind, content)

    def send() -> Step:
        return ("send", dice.choice(anyone), dice.choice(anyone), number_id(dice.randrange(6)), dice.choice(TEXTS))

    def create_token() -> Step:
        limits = TokenLimits(dice.random() < 0.5, dice.random() < 0.5, dice.choice(["", "", *anyone]))
        label = dice.choice(names) + dice.choice(("", "-bot", "\n"))
        secret, lifetime = dice.choice((*TOKENS, prefix.encode().ljust(16, b"\x02"))), dice.choice((0, 999, 1 << 63))
        return ("create_token", dice.choice(anyone), secret, label, limits, lifetime)

    makers: list[Callable[[], Step]] = [
        lambda: ("sign_up", dice.choice(anyone), dice.choice(PASSWORDS)),
        lambda: ("log_in", dice.choice(anyone), dice.choice(PASSWORDS)),
        lambda: (
            dice.choice(("sign_up_with", "log_in_with")),
            dice.choice(anyone),
            dice.choice(PASSWORDS),
            dice.choice((*TOKENS, prefix.encode().ljust(16, b"\x01"))),
        ),
        send_content,
        lambda: ("log_out", dice.choice(anyone)),
        lambda: ("change_password", dice.choice(anyone), dice.choice(PASSWORDS), dice.choice(PASSWORDS)),
        lambda: ("delete", dice.choice(names), dice.choice(PASSWORDS)),
        lambda: (
            "list",
            dice.choice(anyone),
            dice.choice(("", "n", "b.*y", "(", "^")),
            prefix,
            dice.randrange(4),
            dice.choice((None, None, "", "!", "YWJj")),
        ),
        lambda: ("acknowledge", dice.choice(anyone), number()),
        lambda: ("deliver", dice.choice(anyone), number(), dice.choice((None, number())), number() % (1 << 32)),
    ]

    def send_batches() -> Step:
        batches = [[send()[2:] for _ in range(dice.randrange(1, 4))] for _ in range(dice.randrange(1, 4))]
        return ("send_batches", dice.choice(anyone), *batches)

    makers += [
        send_batches,
        lambda: ("set_block", dice.choice(anyone), dice.choice(anyone), dice.random() < 0.5),
        lambda: ("list_blocks", dice.choice(anyone), dice.randrange(4), dice.choice((None, "", "!"))),
        create_token,
    ]
    weights = [2, 3, 2, 1, 1, 1, 1, 3, 4, 6, 3, 2, 1, 2]
    count = dice.randrange(STEPS_PER_CASE)
    steps = [send() if dice.random() < 0.4 else dice.choices(makers, weights)[0]() for _ in range(count)]
    return [*(("sign_up", name, PASSWORD) for name in names), *steps]


def mutated(dice: random.Random, stream: bytes) -> bytes:
    """Return the stream with a few bytes changed, cut out or added."""
    garbled = bytearray(stream)
    for _ in range(dice.randrange(1, 6)):
        place = dice.randrange(len(garbled) + 1)
        match dice.randrange(4):
            case 0 if place < len(garbled):
                garbled[place] = dice.randrange(256)
            case 1:
                del garbled[place : place + dice.randrange(1, 40)]
            case 2:
                garbled[place:place] = dice.randbytes(dice.randrange(1, 40))
            case _:
                del garbled[place:]
    return bytes(garbled)


def valid_stream(dice: random.Random, token: bytes) -> bytes:
    """Return some well-formed requests, one after another."""
    requests = [
        lambda: encode_request(actions.SEND, send_body("ann", dice.choice(TEXTS)), token),
        lambda: encode_request(actions.LIST, dice.randbytes(dice.randrange(6)), token),
        lambda: encode_request(actions.DELIVER, dice.randbytes(dice.randrange(8)), token),
        lambda: encode_request(actions.LISTEN, dice.choice((b"", b"\x00", b"\x01\x05")), token),
        lambda: encode_request(actions.ACKNOWLEDGE, bytes((dice.randrange(4),)), token),
        lambda: encode_request(actions.PING, pinging.encode_ping(pinging.ASK, b"hello")),
        lambda: encode_request(dice.randrange(14, 256), dice.randbytes(9), token),
        lambda: encode_request(actions.LOG_IN, dice.randbytes(dice.randrange(30))),
    ]
    return b"".join(dice.choice(requests)() for _ in range(dice.randrange(1, 8)))


def talk(port: int, dice: random.Random, data: bytes) -> int:
    """Send bytes in pieces, then end the sending. Return how many frames came from the server."""
    decoder = FrameDecoder(1 << 30, from_client=False)
    count = 0
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connected:
        try:
            while data:
                size = dice.randrange(1, len(data) + 1)
                connected.sendall(data[:size])
                data = data[size:]
            connected.shutdown(socket.SHUT_WR)
            while answer := connected.recv(64 << 10):
                count += sum(1 for _ in decoder.feed(answer))
        except OSError:
            # The server ended the connection while this was sending.
            return count
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run cases until the time is over. Print their number, or the first difference and how to repeat it."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parsed = parser.parse_args(arguments)
    cases = steps = streams = answers = 0
    end = time.monotonic() + parsed.seconds
    said = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as open_ways:
        clock = Clock()
        ways = {way: open_ways.enter_context(transport_by(way, Path(folder) / way, clock)) for way in WAYS}
        running = open_ways.enter_context(Running(Path(folder) / "garbled.db", frame_limit=0.5, idle_timeout=2.0))
        token = running.peer().sign_up("ann").token
        while time.monotonic() < end:
            dice = random.Random(f"{parsed.seed}-{cases}")
            actors = {way: Actor(transport) for way, transport in ways.items()}
            for step in random_steps(dice, f"c{cases}."):
                outcomes = {way: actor.do(*step) for way, actor in actors.items()}
                if any(outcome != outcomes["booth"] for outcome in outcomes.values()):
                    raise Difference(f"seed {parsed.seed}, case {cases}, {step}: {outcomes}")
                steps += 1
            if dice.random() < 0.02:
                clock.advance(dice.choice((1, 86_400, 40 * 86_400)))
            for _ in range(STREAMS_PER_CASE):
                answers += talk(running.port, dice, mutated(dice, valid_stream(dice, token)))
                streams += 1
            if cases % 100 == 0:
                wait_until(lambda: running.server.count <= 1)
                running.close_peers()
                token = running.peer().sign_up(f"ann{cases}").token
                connections = [thread for thread in threading.enumerate() if thread.name == "wire-connection"]
                # One serves the garbled requests, one the compared client, and one may be ending.
                assert len(connections) <= 3, connections
            cases += 1
            if time.monotonic() - said > 60:
                said = time.monotonic()
                print(f"{cases:,} cases, {steps:,} steps, {streams:,} garbled streams", file=sys.stderr, flush=True)
        running.close_peers()
    print(
        f"seed {parsed.seed}: {cases:,} cases, {steps:,} steps on each of {len(WAYS)} ways, no difference; "
        f"{streams:,} garbled streams, {answers:,} frames in answer"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
