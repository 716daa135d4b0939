"""The comparison as a table for people: docs/comparison.md."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from bench.compare.counting import Traffic
from bench.compare.measuring import Comparison, WireFigures
from bench.pages import write_between

ELSEWHERE = {
    "MQTT": 154,
    "the original's wire": 161,
    "IRC": 227,
    "XMPP": 363,
    "the original's gRPC": 646,
}
"""The bytes of the same message in other services, for orientation. They were measured once, not by this command."""


def write_report(comparison: Comparison, page: Path) -> None:
    """Put the figures into the page, between its marks. The text around them stays."""
    write_between(page, "figures", figures_table(comparison))


def figures_table(comparison: Comparison) -> str:
    """Return every figure, as Markdown."""
    grpc, wire = comparison.grpc, comparison.wire
    parts = [
        _machine(),
        _original_table(grpc, wire),
        _bytes_table(grpc, wire),
        _load_table(comparison),
        _costs_table(comparison),
    ]
    return "\n".join(parts)


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("grpcio", "protobuf", "apsw"))
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    when = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    return (
        f"Measured on {when}: {os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}, {packages}. Server and clients share the cores; trust the ratios.\n"
    )


def _original_table(grpc: WireFigures, wire: WireFigures) -> str:
    rows = [
        "### The original's table: start, create user `test`, list, quit\n",
        "| step | wire: packets | largest | mean | gRPC: packets | largest | mean |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for (step, on_wire), (_, on_grpc) in zip(wire.original, grpc.original, strict=True):
        rows.append(f"| {step} | {_packets(on_wire)} | {_packets(on_grpc)} |")
    whole = [Traffic(_joined(figures, "to_server"), _joined(figures, "to_client")) for figures in (wire, grpc)]
    rows.append(f"| **all** | {_packets(whole[0])} | {_packets(whole[1])} |\n")
    return "\n".join(rows)


def _joined(figures: WireFigures, way: str) -> list[int]:
    return [size for _, traffic in figures.original for size in getattr(traffic, way)]


def _packets(traffic: Traffic) -> str:
    sizes = traffic.packets
    return f"{len(sizes)} | {max(sizes)} B | {sum(sizes) / len(sizes):.0f} B" if sizes else "0 | - | -"


def _bytes_table(grpc: WireFigures, wire: WireFigures) -> str:
    rows = [
        "### Bytes of TCP payload for an action, both ways\n",
        "| action | wire: first | steady | gRPC: first | steady |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, cost in wire.actions.items():
        other = grpc.actions[name]
        rows.append(f"| {name} | {cost.first} | {cost.steady} | {other.first} | {other.steady} |")
    rows += [
        "\nOne message of 60 bytes of text between five-letter names, steady:\n",
        "| | send | reply | push | all |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, message in (("wire", wire.message), ("gRPC", grpc.message)):
        rows.append(f"| {name} | {message.send} | {message.reply} | {message.push} | **{message.total}** |")
    rows += [f"| {name} (for orientation) | | | | {total} |" for name, total in ELSEWHERE.items()]
    return "\n".join(rows) + "\n"


def _load_table(comparison: Comparison) -> str:
    rows = [
        "### Durable sends under closed-loop load\n",
        (
            "| clients | wire: p50 | p99 | sends/s | CPU per 1,000 "
            "| gRPC: p50 | p99 | sends/s | CPU per 1,000 | rate ratio |"
        ),
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for on_wire, on_grpc in zip(comparison.wire.loads, comparison.grpc.loads, strict=True):
        cells = [
            f"{load.p50:.2f} ms | {load.p99:.2f} ms | {load.rate:,.0f} | {load.server_cpu:.0f} ms"
            for load in (on_wire, on_grpc)
        ]
        rows.append(f"| {on_wire.clients} | {cells[0]} | {cells[1]} | {on_wire.rate / on_grpc.rate:.2f} |")
    unary = max(load.rate for load in comparison.grpc.loads)
    rows.append(
        f"\nPipelined on one wire connection: **{comparison.pipelined_rate:,.0f}** sends/s, "
        f"{comparison.pipelined_rate / unary:.1f}\u00d7 gRPC's best unary rate, at {comparison.pipelined_cpu:.0f} ms "
        "of server CPU per 1,000.\n"
    )
    return "\n".join(rows)


def _costs_table(comparison: Comparison) -> str:
    grpc, wire = comparison.grpc, comparison.wire
    rows = ["### What else it costs\n", "| | wire | gRPC | gRPC / wire |", "|---|--:|--:|--:|"]

    def row(name: str, on_wire: float, on_grpc: float, unit: str) -> None:
        figures = (f"{on_wire:.2f}", f"{on_grpc:.2f}") if unit else (f"{on_wire:,.0f}", f"{on_grpc:,.0f}")
        rows.append(f"| {name} | {figures[0]}{unit} | {figures[1]}{unit} | {on_grpc / on_wire:.1f} |")

    row("time to the first reply on a new connection", wire.first_reply, grpc.first_reply, " ms")
    row("server memory for an idle logged-in connection", wire.idle_memory, grpc.idle_memory, " KiB")
    row("lines of code beyond what both share", wire.code_lines, grpc.code_lines, "")
    note = (
        f"\nA bare Python thread that waits costs {comparison.bare_thread:.1f} KiB here. gRPC's lines include the "
        ".proto and the flags and logs that both servers use.\n"
    )
    return "\n".join((*rows, note))
