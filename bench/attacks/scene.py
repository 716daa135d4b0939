"""A server that is attacked, with the accounts of the attack, and its attacker."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.attacks.attacker import FULL_STRENGTH
from bench.attacks.catalogue import Attack
from bench.attacks.open_calls import MESSAGE_SIZE
from bench.attacks.target import PASSWORD, VICTIM, Target
from bench.listing import make_accounts
from bench.server_process import ServerProcess
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.client.library.chat_client import ChatClient

_FLAGS = (
    *("--trusted-addresses", "none", "--sends-per-account", "1000/s:20000"),
    *("--max-listeners-per-account", "32"),
)
"""The limits by address act on every client. The others are the server's defaults."""


@dataclass(frozen=True)
class Scene:
    """A server, and what honest clients and attackers know of it."""

    server: ServerProcess
    target: Target
    addresses: dict[str, str]
    """The addresses for honest clients, by wire."""


@contextlib.contextmanager
def open_scene(attack: Attack) -> Iterator[Scene]:
    """Start the server that an attack needs, and make the accounts."""
    with tempfile.TemporaryDirectory(prefix="chatbooth-attack-") as folder:
        store = Path(folder) / "store.db"
        if attack.accounts:
            make_accounts(store, attack.accounts)
        flags = (*_FLAGS, *attack.flags, *(("--tls", "auto") if attack.tls else ()))
        with ServerProcess(*flags, store=store if attack.accounts else None) as server:
            yield _prepared(server, attack)


def _prepared(server: ServerProcess, attack: Attack) -> Scene:
    addresses = {"grpc": server.grpc, "wire": server.wire}
    grpc, wire = (each.rpartition("/")[2] for each in addresses.values())
    token = _make_accounts(server, attack.waiting)
    metrics = server.logged(r"metrics url=http://(\S+)/metrics")
    return Scene(server, Target(grpc, wire, metrics, token, "attacker"), addresses)


def _make_accounts(server: ServerProcess, waiting: int) -> bytes:
    """Make the attacker's account, fill its mailbox, and make the victim's. Return the attacker's token."""
    with ChatClient.connect(server.wire, security=server.security) as client:
        client.sign_up(VICTIM, PASSWORD)
        token = client.sign_up("attacker", PASSWORD).token
        messages = (OutgoingMessage("attacker", new_message_id(), b"x" * MESSAGE_SIZE) for _ in range(waiting))
        failed = [outcome for _, outcome in client.send_many(messages) if isinstance(outcome, Exception)]
    if failed:
        raise RuntimeError(f"the attacker's mailbox could not be filled: {failed[0]}")
    return token


@contextlib.contextmanager
def attacking(name: str, target: Target, size: int) -> Iterator[None]:
    """Run an attacker during the block, which begins when the attack has its full strength.

    Raises RuntimeError if the attacker stopped by itself, because nothing was shown then.
    """
    known = json.dumps({**target._asdict(), "token": target.token.hex()})
    command = [sys.executable, "-m", "bench.attacks.attacker", name, "--size", str(size), "--target", known]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    try:
        is_attacking = process.stdout.readline().strip() == FULL_STRENGTH
        if is_attacking:
            yield
            is_attacking = process.poll() is None
    finally:
        process.kill()
        _, error = process.communicate()
    if not is_attacking:
        raise RuntimeError(f"the attacker {name} stopped: {(error.strip().splitlines() or ['it said nothing'])[-1]}")
