"""The SQLite store as a whole: it is killed, closed twice, and read while it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from chatbooth_grpc.booth.errors import StoreUnavailable
from chatbooth_grpc.booth.store import Store, StoredSession
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.racing import race
from tests.contract.stores import (
    PLENTY,
    SQLiteHome,
    is_gap_free,
    log_in,
    mailbox,
    names_of,
    new_message,
    new_token_hash,
    send,
    send_texts,
    sign_up,
    stored_account,
    texts,
)
from tests.store import crashing_sender

ROOT = Path(__file__).parents[3]


def send_until_killed(path: Path, messages: int) -> list[str]:
    """Run a sender on a store and kill it after some acknowledgements. Return all ids that it printed."""
    command = [sys.executable, "-m", crashing_sender.__name__, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdout is not None
        try:
            printed = list(islice(sender.stdout, messages))
        finally:
            sender.kill()
        printed += list(sender.stdout)
    assert len(printed) >= messages, "the sender ended by itself"
    return [line.strip() for line in printed]


def test_whatever_was_acknowledged_outlives_a_kill(home: SQLiteHome) -> None:
    acknowledged: list[str] = []
    for messages in (1, 100, 700):
        acknowledged += send_until_killed(home.path, messages)
        with home.open() as store:
            recipient = log_in(store, crashing_sender.RECIPIENT)
            stored = mailbox(store, recipient)
        assert is_gap_free(stored)
        ids = [message.message_id.hex() for message in stored]
        assert len(set(ids)) == len(ids)
        assert set(acknowledged) <= set(ids)


def test_a_closed_store_answers_unavailable(home: SQLiteHome) -> None:
    store = home.open()
    ann = sign_up(store, "ann")
    account = stored_account(store, "ann")
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.create_account("bob", "hash", new_token_hash()),
        lambda: store.account("ann"),
        lambda: store.usernames("", "", PLENTY),
        lambda: store.replace_password_hash(account, "better"),
        lambda: store.change_password(ann, account, "new"),
        lambda: store.delete_account(ann, account, 0),
        lambda: store.create_session(account, new_token_hash()),
        lambda: store.session(new_token_hash()),
        lambda: store.touch_session(ann),
        lambda: store.end_session(ann),
        lambda: send(store, new_message(ann, "ann")),
        lambda: store.after(ann, 0, 1, 1),
        lambda: store.acknowledge(ann, 0),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            call()


def test_closing_twice_releases_nothing_of_others(home: SQLiteHome) -> None:
    store = home.open()
    store.close()
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
    store.close()
    for descriptor in others:
        assert os.fstat(descriptor)
        os.close(descriptor)


def test_a_store_closes_with_its_context(home: SQLiteHome) -> None:
    with home.open() as store:
        sign_up(store, "ann")
    with pytest.raises(StoreUnavailable):
        store.account("ann")
    with home.open() as store:
        assert store.account("ann") is not None


def test_a_closed_store_leaves_one_file_that_is_all_of_it(home: SQLiteHome, tmp_path: Path) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", "hello")
        mailbox(store, ann)
    copy = tmp_path / "copy.db"
    copy.write_bytes(home.path.read_bytes())
    with SQLiteStore(copy) as store:
        assert texts(store, ann) == ["hello"]


def test_readers_are_answered_or_refused_while_the_store_closes(home: SQLiteHome) -> None:
    for _ in range(5):
        store = home.open()
        ann = sign_up(store, "ann") if store.account("ann") is None else log_in(store, "ann")

        def read_until_closed(store: Store = store, ann: StoredSession = ann) -> None:
            for _ in range(10_000):
                assert names_of(store) == ["ann"]
                mailbox(store, ann)

        outcomes = race([*[read_until_closed] * 4, store.close])
        assert [type(outcome) for outcome in outcomes[:-1]] == [StoreUnavailable] * 4
    with home.open() as store:
        assert names_of(store) == ["ann"]


def test_a_slow_reader_sees_one_moment_and_holds_no_writer_up(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", *"abc")
        with store._reader() as connection:
            connection.execute("BEGIN")
            count = "SELECT count(*) FROM messages"
            assert connection.execute(count).get == 3
            send_texts(store, ann, "ann", *"def")
            assert connection.execute(count).get == 3
            connection.execute("ROLLBACK")
        assert texts(store, ann) == list("abcdef")
