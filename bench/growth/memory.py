"""A server's memory while clients send, read and acknowledge millions of messages."""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass

from bench.growth.loads import MIB, pass_messages
from bench.growth.sizes import Sizes
from bench.performance.plan import say
from bench.server_process import ServerProcess

MOST_ROWS = 11


@dataclass(frozen=True)
class Sample:
    """The memory after a number of messages, and the peak since the sample before, in MiB."""

    messages: int
    memory: float
    peak: float


@dataclass(frozen=True)
class Passing:
    """The samples. The first is from before any message."""

    samples: list[Sample]

    @property
    def warm(self) -> list[Sample]:
        """The samples after the first mailbox. Before that, a server has not loaded and allocated all that it needs."""
        return self.samples[1:]

    @property
    def ratio(self) -> float:
        """The ratio of the last sample to the first warm one."""
        return self.warm[-1].memory / self.warm[0].memory

    @property
    def distance(self) -> float:
        """The largest distance of a warm sample from their median, as a part of the median."""
        middle = statistics.median(sample.memory for sample in self.warm)
        return max(abs(sample.memory / middle - 1) for sample in self.warm)

    def rows(self) -> list[Sample]:
        """Return a few samples from first to last, each with the highest peak since the one before."""
        steps = min(MOST_ROWS - 1, len(self.warm) - 1)
        chosen = sorted({0, 1, *(1 + (len(self.warm) - 1) * step // max(1, steps) for step in range(steps + 1))})
        found = []
        for before, index in zip([-1, *chosen], chosen, strict=False):
            peak = max(sample.peak for sample in self.samples[before + 1 : index + 1])
            found.append(dataclasses.replace(self.samples[index], peak=peak))
        return found

    def record(self) -> dict[str, object]:
        """Return all values, for JSON."""
        samples = [dataclasses.asdict(sample) for sample in self.samples]
        return {"samples": samples, "ratio": self.ratio, "distance": self.distance}


def measure_memory(sizes: Sizes) -> Passing:
    """Let messages pass through one server, one mailbox after another."""
    with ServerProcess() as server:
        samples = [_sample(server, 0)]
        while samples[-1].messages < sizes.passing:
            count = min(sizes.passing_each, sizes.passing - samples[-1].messages)
            pass_messages(server, count)
            samples.append(_sample(server, samples[-1].messages + count))
            say(f"  {samples[-1].messages:,} messages: {samples[-1].memory:.0f} MiB, at most {samples[-1].peak:.0f}")
    return Passing(samples)


def _sample(server: ServerProcess, messages: int) -> Sample:
    return Sample(messages, server.resident_bytes() / MIB, server.peak_resident_bytes() / MIB)
