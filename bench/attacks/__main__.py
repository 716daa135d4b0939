"""python -m bench.attacks: attack a server, and print the latencies of an honest client."""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.attacks.attacker import MESSAGE_SIZE
from bench.attacks.honest import PASSWORD
from bench.server_process import ServerProcess
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.client.library.chat_client import ChatClient

_GATHERING = 1.5
"""How long an attacker attacks before the honest client begins, in seconds."""


@dataclass(frozen=True)
class Attack:
    """One attack: its attacker, the calls that it keeps open, and the state of the attacker's mailbox."""

    attacker: str
    method: str
    streams: int
    connections: int
    waiting: int = 0
    """How many messages wait in the attacker's mailbox."""
    mails: bool = False
    """Whether the attacker's mailbox keeps growing."""

    @property
    def is_wire(self) -> bool:
        """Whether it attacks the wire protocol's port."""
        return self.attacker == "deaf-wire"


ATTACKS = {
    "listens": Attack("deaf-grpc", "Listen", 400, 8, waiting=50, mails=True),
    "many-listens": Attack("deaf-grpc", "Listen", 5_000, 50, waiting=50, mails=True),
    "wire-listens": Attack("deaf-wire", "Listen", 400, 400, waiting=1_000, mails=True),
    "delivers": Attack("deaf-grpc", "Deliver", 3_000, 60, waiting=1_000),
    "health": Attack("deaf-grpc", "/grpc.health.v1.Health/Check", 3_000, 60),
    "watches": Attack("deaf-grpc", "/grpc.health.v1.Health/Watch", 3_000, 60),
    "wire-delivers": Attack("deaf-wire", "Deliver", 4_000, 200, waiting=1_000),
    "resets": Attack("resets", "Send", 20_000, 1),
    "many-resets": Attack("resets", "Send", 20_000, 10),
}


def main() -> int:
    """Run the attacks that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ATTACKS)} (default: all)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load (default: %(default)s)")
    parser.add_argument("--flags", default="", help="the server's, separated by spaces")
    parsed = parser.parse_args()
    if unknown := set(parsed.names) - set(ATTACKS):
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    for name in parsed.names or ATTACKS:
        _run(name, ATTACKS[name], parsed.seconds, parsed.flags.split())
    return 0


def _run(name: str, attack: Attack, seconds: float, flags: list[str]) -> None:
    with ServerProcess(*flags) as server:
        attacked, other = (server.wire, server.grpc) if attack.is_wire else (server.grpc, server.wire)
        token, username = _prepare(server.wire, attack.waiting)
        _say(f"{name}: quiet", _honest(attacked, seconds), server.resident_bytes())
        with contextlib.ExitStack() as attackers:
            attackers.enter_context(_attacker(attack.attacker, attacked, token, attack, attack.method))
            if attack.mails:
                attackers.enter_context(_attacker("mail", server.wire, token, attack, username))
            time.sleep(_GATHERING)
            # This resets the peak.
            server.peak_resident_bytes()
            same = _begin(attacked, seconds)
            across = _begin(other, seconds)
            _say(f"{name}: attacked", _end(same), server.peak_resident_bytes())
            _say(f"{name}: the other wire", _end(across), server.peak_resident_bytes())
        time.sleep(_GATHERING)
        _say(f"{name}: after", _honest(attacked, seconds / 4), server.resident_bytes())


def _prepare(address: str, waiting: int) -> tuple[bytes, str]:
    """Make the attacker's account, and fill its mailbox."""
    with ChatClient.connect(address) as client:
        session = client.sign_up("attacker", PASSWORD)
        messages = (OutgoingMessage("attacker", new_message_id(), b"x" * MESSAGE_SIZE) for _ in range(waiting))
        for _, outcome in client.send_many(messages):
            assert not isinstance(outcome, Exception)  # noqa: S101  # a bench that could not begin
    return session.token, session.username


@contextlib.contextmanager
def _attacker(name: str, address: str, token: bytes, attack: Attack, method: str) -> Iterator[None]:
    """Run an attacker during the block. Raises RuntimeError if it stopped by itself, which voids the figures."""
    command = [sys.executable, "-m", "bench.attacks.attacker", name, "--server", address, "--token", token.hex()]
    command += ["--streams", str(attack.streams), "--connections", str(attack.connections), "--method", method]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield
        has_stopped = process.poll() is not None
    finally:
        process.kill()
        _, error = process.communicate()
    if has_stopped:
        raise RuntimeError(f"the attacker {name} stopped: {_last_line(error)}")


def _honest(address: str, seconds: float) -> str:
    return _end(_begin(address, seconds))


def _begin(address: str, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.attacks.honest", "--server", address, "--seconds", str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _end(process: subprocess.Popen[str]) -> str:
    """Wait for an honest client, and return its result in words."""
    out, error = process.communicate()
    if process.returncode:
        return f"the honest client failed: {_last_line(error)}"
    seen = json.loads(out)
    missing = len(seen["sends"]) - seen["failures"] - len(seen["arrivals"])
    return (
        f"{len(seen['sends']):5} sends, {seen['failures']} failed, {_three(seen['sends'])} ms; "
        f"{missing} did not arrive, arrivals {_three(seen['arrivals'])} ms"
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _say(name: str, seen: str, memory: int) -> None:
    print(f"{name:28} {seen}; server {memory / 2**20:,.0f} MiB", flush=True)


def _three(latencies: list[float]) -> str:
    """Return the median, the 99th percentile and the longest latency, in milliseconds."""
    if not latencies:
        return "none"
    ordered = sorted(latencies)
    chosen = (ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1])
    return " / ".join(f"{1_000 * each:,.1f}" for each in chosen)


if __name__ == "__main__":
    sys.exit(main())
