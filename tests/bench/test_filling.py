"""Filling a store for a benchmark: all messages are stored, or the benchmark fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.filling import fill_mailbox
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords


def test_a_mailbox_gets_as_many_messages_as_asked_for(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "store.db") as store:
        booth = Booth(store, passwords=cheap_passwords())
        ann = booth.sign_up("ann", PASSWORD)
        fill_mailbox(booth, ann.token, "ann", 2_001, b"tea?")
        delivery = booth.deliver(ann.token, after=2_000)
    assert [(message.sequence, message.text) for message in delivery.messages] == [(2_001, "tea?")]


def test_a_refused_message_fails_the_filling(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "store.db") as store:
        booth = Booth(store, passwords=cheap_passwords())
        ann = booth.sign_up("ann", PASSWORD)
        with pytest.raises(RuntimeError, match="refused"):
            fill_mailbox(booth, ann.token, "nobody", 1, b"tea?")
