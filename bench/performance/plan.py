"""The plan of a measurement: repeats that take turns, each on its own server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.performance.outcome import Duration, Outcome

FLOOR_SERVER = "bench.performance.floor_server"


@dataclass(frozen=True)
class Plan:
    """The parameters of every measurement. `scale` shrinks the numbers of messages and listeners."""

    repeats: int = 5
    duration: Duration = field(default_factory=Duration)
    scale: float = 1.0

    def scaled(self, number: int) -> int:
        """Return a number of messages or listeners, shrunk by the plan's scale."""
        return max(1, round(number * self.scale))

    def take_turns(self, runs: Mapping[str, Callable[[], Outcome]]) -> dict[str, list[Outcome]]:
        """Run each in turn, once for every repeat, so that other work of the machine slows all of them alike."""
        outcomes: dict[str, list[Outcome]] = {name: [] for name in runs}
        for repeat in range(self.repeats):
            for name, run in runs.items():
                outcome = run()
                outcomes[name].append(outcome)
                latency = f", p50 {1_000 * outcome.p50:.2f} ms" if outcome.p50 else ""
                say(f"  {repeat + 1}/{self.repeats} {name}: {outcome.rate:,.0f}/s{latency}")
        return outcomes


def say(words: str) -> None:
    """Print the progress for the person who waits."""
    print(words, file=sys.stderr, flush=True)
