"""All measurements of the comparison, in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.compare.code_size import code_lines
from bench.compare.connections import bare_thread_memory, first_reply, idle_memory
from bench.compare.counting import Traffic
from bench.compare.traffic import ActionCost, MessageCost, action_costs, message_cost, original_table
from bench.loaded import Load, closed_loop, pipelined
from bench.server_process import ServerProcess

CLIENTS = (1, 8, 64)


@dataclass(frozen=True)
class WireFigures:
    """The figures of one wire: bytes, milliseconds, messages a second, CPU ms per 1,000 messages, KiB."""

    original: list[tuple[str, Traffic]]
    actions: dict[str, ActionCost]
    message: MessageCost
    loads: list[Load]
    first_reply: float
    idle_memory: float
    code_lines: int


@dataclass(frozen=True)
class Comparison:
    """The figures of both wires, and the figures to compare them with."""

    grpc: WireFigures
    wire: WireFigures
    bare_thread: float
    pipelined_rate: float
    pipelined_cpu: float


def measure(*, seconds: float, connections: int, messages: int, say: Callable[[str], None]) -> Comparison:
    """Measure both wires, one after the other, each on its own server."""
    bare_thread = bare_thread_memory(connections)
    figures = {}
    for name in ("gRPC", "wire"):
        figures[name] = _measure_wire(name, seconds, connections, say)
    say("wire: pipelined sends")
    with ServerProcess() as server:
        pipelined(server, server.wire, messages // 10)
        rate, cpu = pipelined(server, server.wire, messages)
    return Comparison(figures["gRPC"], figures["wire"], bare_thread, rate, cpu)


def _measure_wire(name: str, seconds: float, connections: int, say: Callable[[str], None]) -> WireFigures:
    with ServerProcess() as server:
        say(f"{name}: bytes")
        address = server.grpc if name == "gRPC" else server.wire
        original = original_table(address)
        actions = action_costs(address, "alice", "bobby")
        message = message_cost(address, "carol", "david")
    with ServerProcess() as server:
        say(f"{name}: connections")
        address = server.grpc if name == "gRPC" else server.wire
        first = first_reply(address, 50)
        memory = idle_memory(server, address, connections)
    loads = []
    for clients in CLIENTS:
        say(f"{name}: {clients} clients")
        with ServerProcess() as server:
            address = server.grpc if name == "gRPC" else server.wire
            loads.append(closed_loop(server, address, clients, seconds))
    return WireFigures(original, actions, message, loads, first, memory, code_lines(name))
