"""python -m bench.attacks: attack a server, and print what honest clients see."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.attacks.catalogue import ATTACKS
from bench.attacks.figures import HEADER, AttackFigures, WireFigures, as_json, rows
from bench.attacks.honest import Seen
from bench.attacks.scene import Scene, attacking, open_scene
from bench.pages import write_between
from bench.performance.processes import busy_cores
from bench.performance.report import measured_on
from bench.server_process import ServerProcess

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
_SAMPLE = 0.1
_GATHERING = 1.5
"""How long an attacker attacks before the honest clients begin, in seconds. Limits have acted by then."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the attacks that were named, or all. Return 1 if an honest client was not served well in one of them."""
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ATTACKS)} (default: all)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each attack (default: %(default)s)")
    parser.add_argument("--quiet", type=float, default=3.0, help="seconds before each attack (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures and the words of the errors here")
    parsed = parser.parse_args(arguments)
    if unknown := set(parsed.names) - set(ATTACKS):
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    heading = measured_on(busy_cores())
    lines = [_line(HEADER), _line(["---"] * len(HEADER))]
    print(f"{heading}\n\n" + "\n".join(lines), flush=True)
    done = []
    for name in parsed.names or ATTACKS:
        done.append(_run(name, parsed.quiet, parsed.seconds))
        lines += (new := [_line(row) for row in rows(done[-1])])
        print("\n".join(new), flush=True)
        if parsed.json:
            parsed.json.write_text(json.dumps([as_json(each) for each in done], indent=1))
        if parsed.write:
            write_between(PAGE, "attacks", "\n".join((heading, "", *lines, "")))
    return int(not all(each.is_good for each in done))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _run(name: str, quiet_seconds: float, seconds: float) -> AttackFigures:
    attack = ATTACKS[name]
    with open_scene(attack) as scene:
        server = scene.server
        with ExitStack() as closing:
            clients = {
                wire: closing.enter_context(_HonestProcess(scene, wire, address))
                for wire, address in scene.addresses.items()
            }
            quiet = _phase(clients, quiet_seconds)
            before = server.resident_bytes(), server.threads()
            # This resets the peak.
            server.peak_resident_bytes()
            with _ThreadSampler(server) as threads, attacking(name, scene.target, attack.size):
                time.sleep(_GATHERING)
                meanwhile = _phase(clients, seconds)
                memory = server.peak_resident_bytes()
        began = time.monotonic()
        exit_code = server.stop()
        stop_seconds = time.monotonic() - began
    return AttackFigures(
        name,
        {wire: WireFigures(quiet[wire], meanwhile[wire]) for wire in clients},
        memory=(before[0] / 2**20, memory / 2**20),
        threads=(before[1], threads.most),
        stop_seconds=stop_seconds,
        exit_code=exit_code,
    )


def _phase(clients: dict[str, _HonestProcess], seconds: float) -> dict[str, Seen]:
    """Let all clients work at the same time."""
    for client in clients.values():
        client.begin(seconds)
    return {wire: client.end() for wire, client in clients.items()}


class _HonestProcess:
    """An honest client in a process of its own."""

    def __init__(self, scene: Scene, wire: str, address: str) -> None:
        command = [sys.executable, "-m", "bench.attacks.honest", "--server", address, "--name", f"honest-{wire}"]
        trust = ["--trust", scene.server.security.trust] if scene.server.security.trust else []
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([*command, *trust], stdin=pipe, stdout=pipe, text=True)
        # It says that it is ready.
        self._line()

    def begin(self, seconds: float) -> None:
        """Let it work for a time."""
        assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
        print(seconds, file=self._process.stdin, flush=True)

    def end(self) -> Seen:
        """Wait until it has worked, and return what it saw."""
        return Seen(**json.loads(self._line()))

    def _line(self) -> str:
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("an honest client has ended")
        return line

    def __enter__(self) -> _HonestProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


class _ThreadSampler:
    """Notes the most threads that a server has during a block."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._is_over = threading.Event()
        self._sampling = threading.Thread(target=self._sample)
        self.most = 0

    def _sample(self) -> None:
        while not self._is_over.wait(_SAMPLE):
            self.most = max(self.most, self._server.threads())

    def __enter__(self) -> _ThreadSampler:
        self._sampling.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._sampling.join()


if __name__ == "__main__":
    sys.exit(main())
