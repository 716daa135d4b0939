"""python -m bench.starting: how long commands take, beside the import of gRPC alone."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.server_process import ServerProcess

_FLOOR = "import grpc"
_CLIENT = ("-m", "chatbooth_grpc.client")
_SENDER, _RECIPIENT = "ann", "bob"
_PASSWORD = "a long password"  # noqa: S105


@dataclass
class Figure:
    """The time of a command: its median in milliseconds, and the median of its ratios to the floor of the same turn."""

    milliseconds: float
    ratio: float
    target: str = ""
    reached: bool | None = None


def main() -> int:
    """Run all commands in turns. Print the medians, and whether the targets are reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.starting", description=__doc__)
    parser.add_argument("--repeats", type=int, default=21, help="of each, in turns (default: %(default)s)")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chatbooth-starting-") as folder, ServerProcess() as server:
        environment = _environment(Path(folder))
        for address in (server.grpc, server.wire):
            _log_in(address, environment)
        taken = _in_turns(_programs(server), environment, parsed.repeats)
    print(_table({name: _figure(name, taken) for name in taken}))
    return 0


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment with sessions and bytecode in `folder`. The commands are compiled, as after a first use."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CHATBOOTH_", "PYTHON"))}
    return {
        **inherited,
        "CHATBOOTH_PASSWORD": _PASSWORD,
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "XDG_STATE_HOME": str(folder / "state"),
    }


def _log_in(address: str, environment: Mapping[str, str]) -> None:
    is_first = not Path(environment["XDG_STATE_HOME"]).exists()
    for username in (_SENDER, _RECIPIENT):
        _run((*_CLIENT, "--server", address, "signup" if is_first else "login", username), environment)


def _programs(server: ServerProcess) -> dict[str, Sequence[str]]:
    def send(address: str) -> Sequence[str]:
        return (*_CLIENT, "--server", address, "--as", _SENDER, "send", _RECIPIENT, "hello")

    return {
        "python": ("-c", ""),
        _FLOOR: ("-c", _FLOOR),
        "--help": (*_CLIENT, "--help"),
        "send --help": (*_CLIENT, "send", "--help"),
        "send, gRPC": send(server.grpc),
        "send, wire": send(server.wire),
    }


def _in_turns(
    programs: Mapping[str, Sequence[str]], environment: Mapping[str, str], repeats: int
) -> dict[str, list[float]]:
    """Return the milliseconds of each run. The first run of each command compiles it, so it does not count."""
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(1 + repeats):
        for name, arguments in programs.items():
            started = time.perf_counter()
            _run(arguments, environment)
            taken[name].append(1e3 * (time.perf_counter() - started))
    return {name: times[1:] for name, times in taken.items()}


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True, timeout=60)


def _figure(name: str, taken: Mapping[str, list[float]]) -> Figure:
    median = statistics.median(taken[name])
    ratio = statistics.median(time / floor for time, floor in zip(taken[name], taken[_FLOOR], strict=True))
    if name.endswith("--help"):
        return Figure(median, ratio, "≤ 150 ms", median <= 150)
    if name.startswith("send"):
        return Figure(median, ratio, "≤ 2", ratio <= 2)
    return Figure(median, ratio)


def _table(figures: Mapping[str, Figure]) -> str:
    words = {True: "yes", False: "**no**", None: ""}
    lines = [f"| a process of its own | median | ratio to `{_FLOOR}` | target | reached |", "|---|--:|--:|--:|:-:|"]
    lines += [
        f"| `{name}` | {figure.milliseconds:.0f} ms | {figure.ratio:.2f} | {figure.target} | {words[figure.reached]} |"
        for name, figure in figures.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
