"""The axes along which one number grows: stored messages, accounts, or live streams."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.growth.figures import Axis, Figure
from bench.growth.idle_streams import IdleStreams
from bench.growth.loads import MIB, Subject, measure, measure_starts
from bench.growth.sizes import BASE_ACCOUNTS, Sizes
from bench.growth.stores import (
    TEXT,
    Store,
    add_sessions,
    count_messages,
    file_parts,
    make_growing_stores,
    make_store,
)
from bench.performance.plan import Plan, say
from bench.performance.rows import short
from bench.server_process import ServerProcess


def measure_messages(plan: Plan, sizes: Sizes) -> Axis:
    """Measure with more and more messages stored, and measure the bytes of the file for each message."""
    with _folder() as folder, ExitStack() as running:
        say("  filling the stores")
        stores = make_growing_stores(folder, BASE_ACCOUNTS, sizes.messages)
        files = _file_sizes(stores)
        notes = _note_on_file(stores)
        figures = [measure_starts(plan, stores), *measure(plan, _started(running, stores))]
        figures += [*_file_figures(files, "message"), _stored_in_the_end(stores)]
    return Axis("messages", "messages stored", figures, notes)


def measure_accounts(plan: Plan, sizes: Sizes) -> Axis:
    """Measure with more and more accounts, none of which has a message."""
    with _folder() as folder, ExitStack() as running:
        say("  making the accounts")
        stores = {size: make_store(folder / f"accounts-{size}.db", size) for size in sizes.accounts}
        files = _file_sizes(stores)
        figures = [measure_starts(plan, stores), *measure(plan, _started(running, stores))]
        figures += [*_file_figures(files, "account"), _stored_in_the_end(stores)]
    return Axis("accounts", "accounts", figures)


def measure_listeners(plan: Plan, sizes: Sizes) -> Axis:
    """Measure with more and more live streams open. Each belongs to another account, and nobody sends to them."""
    with _folder() as folder, ExitStack() as running:
        base = make_store(folder / "base.db", BASE_ACCOUNTS)
        tokens = add_sessions(base.path, sizes.listeners[-1])
        stores = {size: _copied(base, folder / f"listeners-{size}.db") for size in sizes.listeners}
        subjects = _started(running, stores)
        notes = [_opened(running, subject.server, tokens[:size]) for size, subject in subjects.items()]
        figures = [*measure(plan, subjects), _stored_in_the_end(stores)]
    return Axis("listeners", "listeners", figures, notes[-1:])


def _opened(running: ExitStack, server: ServerProcess, tokens: Sequence[bytes]) -> str:
    """Open a stream for each token, until the end of the block. Return a sentence about their cost."""
    say(f"  opening {len(tokens):,} streams")
    memory, threads = server.resident_bytes(), server.threads()
    running.enter_context(IdleStreams(server.grpc, tokens))
    each = (server.resident_bytes() - memory) / 1024 / max(1, len(tokens))
    return (
        f"Opening {len(tokens):,} listeners took {short(each)} KiB of the server's memory for each, and "
        f"{server.threads() - threads} threads more in all."
    )


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chatbooth-bench-") as folder:
        yield Path(folder)


def _started(running: ExitStack, stores: Mapping[int, Store]) -> dict[int, Subject]:
    """Start a server on each store itself. All of them run at the same time, until the end of the block."""
    return {
        size: Subject(running.enter_context(ServerProcess(store=store.path, in_place=True)), store)
        for size, store in stores.items()
    }


def _copied(store: Store, path: Path) -> Store:
    shutil.copy(store.path, path)
    return dataclasses.replace(store, path=path)


def _stored_in_the_end(stores: Mapping[int, Store]) -> Figure:
    taken: dict[int, list[float]] = {size: [count_messages(store.path)] for size, store in stores.items()}
    return Figure("messages in the end", "", taken, is_compared=False)


def _file_sizes(stores: Mapping[int, Store]) -> dict[int, int]:
    return {size: store.path.stat().st_size for size, store in stores.items()}


def _file_figures(files: Mapping[int, int], each: str) -> list[Figure]:
    """Return the files' sizes before the loads, and how much each is larger than the smallest."""
    (first, smallest), *others = files.items()
    whole = {size: [taken / MIB] for size, taken in files.items()}
    growth = {size: [(taken - smallest) / (size - first)] for size, taken in others}
    return [
        Figure("file", " MiB", whole, is_compared=False),
        Figure(f"file, bytes for each {each} more", "", growth),
    ]


def _note_on_file(stores: Mapping[int, Store]) -> list[str]:
    *_, last = stores
    words = f"For each of its {last:,} messages of {len(TEXT)} bytes, the largest file holds:"
    parts = file_parts(stores[last].path)
    lines = ["| bytes a message | in rows | in pages |", "|---|--:|--:|"]
    lines += [f"| {name} | {rows / last:.1f} | {pages / last:.1f} |" for name, (rows, pages) in parts.items()]
    return [words, "\n".join(lines)]
