"""The loads of every axis, which run against servers of different sizes in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.growth.figures import Figure
from bench.growth.list_load import PAGE_SIZE, list_load
from bench.growth.stores import Store
from bench.performance.deliver_load import deliver_load
from bench.performance.live import live_pairs
from bench.performance.outcome import Duration, Outcome
from bench.performance.pipelined_load import IN_FLIGHT
from bench.performance.plan import Plan, say
from bench.performance.processes import in_own_process
from bench.performance.rows import short
from bench.performance.unary import send
from bench.performance.wire import pipelined
from bench.server_process import ServerProcess
from chatbooth_grpc.client.library.chat_client import ChatClient

MIB = 1 << 20
_PASSING = 200_000
_WARM_UP = 0.25
_NO_END = 600.0


@dataclass(frozen=True)
class Subject:
    """A server of one size, and the store that it serves."""

    server: ServerProcess
    store: Store


@dataclass(frozen=True)
class Load:
    """A load that gives one or more figures: their names and units, and the function to run against a server."""

    figures: tuple[tuple[str, str], ...]
    run: Callable[[Plan, Subject], Sequence[float]]


def pass_messages(server: ServerProcess, messages: int, warm_up: float = 0.0) -> tuple[Outcome, Outcome]:
    """Send this number of messages to a new mailbox over the wire, deliver them over gRPC, and measure both."""
    sent, recipient = pipelined(server, Duration(warm_up, _NO_END), messages)
    delivered = in_own_process(deliver_load, server.grpc, server.pid, token=recipient.token, messages=messages)
    return sent, delivered


def _list(plan: Plan, subject: Subject) -> list[float]:
    server, store = subject.server, subject.store
    outcome = in_own_process(
        list_load, server.grpc, server.pid, plan.duration, token=store.caller.token, prefix=store.late_prefix
    )
    return [1_000 * outcome.p50]


def _lone(plan: Plan, subject: Subject) -> list[float]:
    return [1_000 * send(plan, subject.server, 1).p50]


def _live(plan: Plan, subject: Subject) -> list[float]:
    return [1_000 * live_pairs(plan, subject.server, "unary", 1).p50]


def _unary(plan: Plan, subject: Subject) -> list[float]:
    return [send(plan, subject.server, 64).rate]


def _passing(plan: Plan, subject: Subject) -> list[float]:
    messages = max(10 * IN_FLIGHT, plan.scaled(_PASSING))
    return [outcome.rate for outcome in pass_messages(subject.server, messages, min(_WARM_UP, plan.duration.warm_up))]


LOADS = (
    Load(((f"List, {PAGE_SIZE} by prefix, p50", " ms"),), _list),
    Load((("lone Send, p50", " ms"),), _lone),
    Load((("live, sender to listener, p50", " ms"),), _live),
    Load((("unary Send, 64 in flight", "/s"),), _unary),
    Load((("pipelined on the wire", "/s"), ("Deliver over gRPC", "/s")), _passing),
)
"""Loads that leave few messages in the store come first."""


def measure(plan: Plan, subjects: Mapping[int, Subject]) -> list[Figure]:
    """Run each load against each server in turn, once for every repeat."""
    before = _memory(subjects, "server memory, before the loads")
    figures = []
    for load in LOADS:
        taken: list[dict[int, list[float]]] = [{size: [] for size in subjects} for _ in load.figures]
        for _ in range(plan.repeats):
            for size, subject in subjects.items():
                for own, value in zip(taken, load.run(plan, subject), strict=True):
                    own[size].append(value)
        figures += [Figure(name, unit, own) for (name, unit), own in zip(load.figures, taken, strict=True)]
        for figure in figures[-len(load.figures) :]:
            tell(figure)
    return [*figures, before, _memory(subjects, "server memory, after them")]


def measure_starts(plan: Plan, stores: Mapping[int, Store]) -> Figure:
    """Start a server on each store itself, in turn."""
    taken: dict[int, list[float]] = {size: [] for size in stores}
    for _ in range(plan.repeats):
        for size, store in stores.items():
            taken[size].append(1_000 * _start_time(store))
    figure = Figure("start to the first answered call", " ms", taken)
    tell(figure)
    return figure


def _start_time(store: Store) -> float:
    began = time.perf_counter()
    with (
        ServerProcess(store=store.path, in_place=True) as server,
        ChatClient.connect(server.grpc, session=store.caller, timeout=30) as client,
    ):
        client.acknowledge(0)
        return time.perf_counter() - began


def _memory(subjects: Mapping[int, Subject], name: str) -> Figure:
    return Figure(name, " MiB", {size: [subject.server.resident_bytes() / MIB] for size, subject in subjects.items()})


def tell(figure: Figure) -> None:
    """Print a figure."""
    medians = [f"{short(statistics.median(taken))}{figure.unit}" for taken in figure.repeats.values()]
    say(f"  {figure.name}: {', '.join(medians)}")
