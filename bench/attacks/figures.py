"""The figures of one attack: what honest clients saw before it and meanwhile, and the server's resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.attacks.honest import Seen

MOST_RATIO = 5.0
"""How many times as long as without an attack the 99th percentile may be."""

HEADER = (
    *("attack", "wire", "sends", "errors", "missing"),
    *("send p50/p99, quiet", "meanwhile", "arrival p50/p99, quiet", "meanwhile", "visit, quiet", "meanwhile"),
    *("MiB", "threads", "stop", "ratio", ""),
)


@dataclass(frozen=True)
class Latency:
    """The median and the 99th percentile of some times, in milliseconds."""

    p50: float
    p99: float

    def __str__(self) -> str:
        return f"{self.p50:,.1f} / {self.p99:,.1f}"


@dataclass(frozen=True)
class WireFigures:
    """The figures of an honest client of one wire, before the attack and meanwhile."""

    quiet: Seen
    meanwhile: Seen

    @property
    def ratio(self) -> float:
        """How many times as long as before the 99th percentile was: of sends or of arrivals, whichever is worse."""
        pairs = (
            (self.meanwhile.sends, self.quiet.sends),
            (self.meanwhile.arrivals, self.quiet.arrivals),
        )
        return max(latency(attacked).p99 / latency(quiet).p99 for attacked, quiet in pairs)

    @property
    def is_good(self) -> bool:
        """Whether the client saw no error, no message is missing, and the 99th percentile is within the limit."""
        return not self.meanwhile.errors and not self.meanwhile.missing and self.ratio <= MOST_RATIO


@dataclass(frozen=True)
class AttackFigures:
    """The figures of one attack."""

    name: str
    wires: dict[str, WireFigures]
    memory: tuple[float, float]
    """The server's memory in MiB: before, and at most meanwhile."""
    threads: tuple[int, int]
    """The server's threads: before, and at most meanwhile."""
    stop_seconds: float
    """How long the server took to stop after the attack."""
    exit_code: int
    """The server's exit code."""

    @property
    def is_good(self) -> bool:
        """Whether both clients were served well, and the server stopped cleanly."""
        return self.exit_code == 0 and all(wire.is_good for wire in self.wires.values())


def rows(figures: AttackFigures) -> list[tuple[str, ...]]:
    """Return the rows of the table for one attack: one for each wire."""
    return [_row(figures, name, wire) for name, wire in figures.wires.items()]


def _row(figures: AttackFigures, name: str, wire: WireFigures) -> tuple[str, ...]:
    quiet, meanwhile = wire.quiet, wire.meanwhile
    is_good = wire.is_good and figures.exit_code == 0
    return (
        *(figures.name, name, f"{len(meanwhile.sends):,}", str(len(meanwhile.errors)), str(meanwhile.missing)),
        *(str(latency(each)) for each in (quiet.sends, meanwhile.sends, quiet.arrivals, meanwhile.arrivals)),
        *(f"{latency(each).p50:,.0f}" for each in (quiet.visits, meanwhile.visits)),
        " to ".join(f"{each:,.0f}" for each in figures.memory),
        " to ".join(f"{each:,}" for each in figures.threads),
        f"{figures.stop_seconds:.1f} s",
        *(f"{wire.ratio:.1f}", "OK" if is_good else "MISSED"),
    )


def as_json(figures: AttackFigures) -> dict[str, object]:
    """Return the figures for a file, with the words of every error."""
    wires = {
        name: {
            "ratio": wire.ratio,
            "is_good": wire.is_good,
            **{phase: _phase(seen) for phase, seen in (("quiet", wire.quiet), ("meanwhile", wire.meanwhile))},
        }
        for name, wire in figures.wires.items()
    }
    return {
        "attack": figures.name,
        "is_good": figures.is_good,
        "wires": wires,
        "memory_mib": figures.memory,
        "threads": figures.threads,
        "stop_seconds": figures.stop_seconds,
        "exit_code": figures.exit_code,
    }


def _phase(seen: Seen) -> dict[str, object]:
    times = {"send_ms": seen.sends, "arrival_ms": seen.arrivals, "visit_ms": seen.visits}
    figures = {name: {"count": len(each), **vars(latency(each))} for name, each in times.items()}
    return {**figures, "errors": seen.errors, "missing": seen.missing}


def latency(seconds: Sequence[float]) -> Latency:
    """Return the latency of some times. It is endless if there are none."""
    if not seconds:
        return Latency(float("inf"), float("inf"))
    ordered = sorted(seconds)
    return Latency(1_000 * ordered[len(ordered) // 2], 1_000 * ordered[len(ordered) * 99 // 100])
