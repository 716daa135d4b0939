"""A load on the store by itself, without a server: messages a second, and commit times."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.performance.outcome import Duration, Outcome, Tally
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.sending import wait_for
from chatbooth_grpc.booth.store import NewMessage, StoredSession
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore

_RECIPIENT = "sink"


def store_load(duration: Duration, *, batch: int, threads: int = 1) -> Outcome:
    """Append batches from each thread, one after another, for a time. A latency is that of a whole batch."""
    with (
        tempfile.TemporaryDirectory(prefix="chatbooth-bench-") as folder,
        SQLiteStore(Path(folder) / "store.db") as store,
    ):
        store.create_account(_RECIPIENT, "no password", os.urandom(32))
        session = store.create_account("sender", "no password", os.urandom(32))
        outcome = _appended(store, session, duration, batch, threads)
    # This process is the measured one, so there is no generator.
    return replace(outcome, count=outcome.count * batch, generator_cpu=0.0)


def _appended(store: SQLiteStore, session: StoredSession, duration: Duration, batch: int, threads: int) -> Outcome:
    tally = Tally(os.getpid(), duration)
    is_over, lock = threading.Event(), threading.Lock()

    def append() -> None:
        while not is_over.is_set():
            messages = [_new_message(session) for _ in range(batch)]
            began = time.perf_counter()
            receipts = wait_for(partial(store.append_later, messages))
            with lock:
                tally.add([time.perf_counter() - began])
            if not all(isinstance(receipt, Receipt) for receipt in receipts):
                raise RuntimeError("the store refused a message")

    running = [threading.Thread(target=append) for _ in range(threads)]
    for thread in running:
        thread.start()
    while not _is_over(tally, lock):
        time.sleep(0.01)
    with lock:
        outcome = tally.finish()
    if threads == 1:
        # The thread makes the messages in between. That time does not count.
        outcome = replace(outcome, seconds=sum(tally.latencies[: outcome.count]))
    is_over.set()
    for thread in running:
        thread.join()
    return outcome


def _is_over(tally: Tally, lock: threading.Lock) -> bool:
    with lock:
        return tally.is_over()


def _new_message(session: StoredSession) -> NewMessage:
    return NewMessage(session, OutgoingMessage(_RECIPIENT, new_message_id(), b"x" * 60), bytes(16))
