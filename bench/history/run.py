"""One run: senders and receivers through a proxy, faults in rounds, quiet, the verdict."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.history.checker import Verdict, check
from bench.history.clients import Filler, Receiver, Sender, stored_messages
from bench.history.faults import FaultyProxy, Server, faults
from bench.history.recording import History, Restore, Seen
from bench.history.restoring import Restoring
from chatbooth_grpc.client.library.chat_client import ChatClient

PASSWORD = "correct-horse"  # noqa: S105
_CALM = 60.0
"""How long receivers may take to catch up at the end, in seconds."""


@dataclass(frozen=True)
class Plan:
    """The parameters of a run. If `seconds` is None, the rounds decide its length."""

    fault: str
    rounds: int
    senders: int
    receivers: int
    seed: int
    seconds: float | None = None
    wire: bool = False
    source: Path = Path(__file__).parents[2]
    keeps_epoch: bool = False


@dataclass(frozen=True)
class Outcome:
    """The figures of a run, and its verdict."""

    verdict: Verdict
    faults: Counter[str]
    ways: Counter[str]
    acknowledged: int
    shown: int
    seconds: float


def run(plan: Plan, folder: Path) -> Outcome:
    """Run a plan, with the store and the outboxes in `folder`."""
    started = time.monotonic()
    dice = random.Random(plan.seed)  # noqa: S311  # to be repeatable
    server = Server(folder, plan.source, wire=plan.wire)
    proxy = FaultyProxy(server.port, dice)
    try:
        address = f"wire://{proxy.address}" if plan.wire else proxy.address
        restoring = Restoring(server, proxy, _own(dice), folder, keeps_epoch=plan.keeps_epoch)
        cast = _Cast(plan, address, dice, folder)
        # A clean stop brings all accounts into the store's file, where each copy has them.
        server.restart(signal.SIGTERM)
        cast.start()
        restoring.regrow = lambda: cast.regrow(server.address)
        happened = _rounds(plan, faults(plan.fault, server, proxy, dice, restoring), dice, started)
        history = cast.finish(restoring.restores)
    finally:
        proxy.close()
        server.end()
    shown = sum(len(log) for log in history.shown.values())
    acknowledged = sum(len(own) for own in history.sent.values())
    return Outcome(check(history), happened, restoring.ways, acknowledged, shown, time.monotonic() - started)


class _Cast:
    """The senders and the receivers of a run."""

    def __init__(self, plan: Plan, address: str, dice: random.Random, folder: Path) -> None:
        self._address = address
        with ChatClient.connect(address, timeout=60) as client:
            self._mailboxes = [client.sign_up(f"receiver{number}", PASSWORD) for number in range(plan.receivers)]
            sessions = [client.sign_up(f"sender{number}", PASSWORD) for number in range(plan.senders)]
            self._filler = Filler(client.sign_up("filler", PASSWORD))
        names = [session.username for session in self._mailboxes]
        self._receivers = [Receiver(address, session, _own(dice)) for session in self._mailboxes]
        self._senders = [
            Sender(address, session, names, _own(dice), folder / f"{number}.outbox" if number % 4 == 0 else None)
            for number, session in enumerate(sessions)
        ]

    def start(self) -> None:
        """Start all senders and receivers."""
        for thread in (*self._receivers, *self._senders):
            thread.start()

    def regrow(self, address: str) -> None:
        """Let each mailbox grow past the messages that its receiver was shown."""
        self._filler.fill(address, self._receivers)

    def finish(self, restores: list[Restore]) -> History:
        """Wait for the calls in flight, and return the records of all clients."""
        for sender in self._senders:
            sender.stop()
        for sender in self._senders:
            sender.join(_CALM)
            if sender.failure is not None:
                raise sender.failure
            if sender.is_alive():
                raise RuntimeError(f"{sender.name} still waits for an answer, though the server is there")
        stored = {session.username: stored_messages(self._address, session) for session in self._mailboxes}
        _catch_up(self._receivers, stored)
        sent = {sender.username: sender.sent for sender in self._senders}
        history = History(
            sent={**sent, self._filler.username: self._filler.sent},
            shown={receiver.username: list(receiver.shown) for receiver in self._receivers},
            stored=stored,
            gaps={receiver.username: receiver.gaps for receiver in self._receivers},
            restores=restores,
            told={receiver.username: receiver.told for receiver in self._receivers},
        )
        for receiver in self._receivers:
            receiver.stop()
        return history


def _own(dice: random.Random) -> random.Random:
    return random.Random(dice.random())  # noqa: S311


def _rounds(plan: Plan, possible: dict[str, Callable[[], None]], dice: random.Random, started: float) -> Counter[str]:
    happened: Counter[str] = Counter()
    while plan.seconds is not None or sum(happened.values()) < plan.rounds:
        if plan.seconds is not None and time.monotonic() - started > plan.seconds:
            break
        time.sleep(0.1 + 0.5 * dice.random())
        name = dice.choice(sorted(possible))
        possible[name]()
        happened[name] += 1
    return happened


def _catch_up(receivers: list[Receiver], stored: dict[str, list[Seen]]) -> None:
    """Wait until each receiver was shown the last message of its mailbox, but at most `_CALM` seconds."""
    deadline = time.monotonic() + _CALM
    for receiver in receivers:
        last = [one.identity for one in stored[receiver.username][-1:]]
        while [one.identity for one in receiver.shown[-1:]] != last and time.monotonic() < deadline:
            if receiver.failure is not None:
                raise receiver.failure
            time.sleep(0.02)
