"""Group commit: callers share an fsync, and get no answer before it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import apsw
import pytest

from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, Internal, StoreFull, StoreUnavailable
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import NewMessage, StoredSession
from chatbooth_grpc.store.engine import Outcomes
from chatbooth_grpc.store.group_commit import GroupCommit
from chatbooth_grpc.store.sqlite.appending import Appender
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.recording_observer import RecordingObserver
from tests.contract.racing import race
from tests.contract.stores import (
    SQLiteHome,
    append,
    is_gap_free,
    mailbox,
    names_of,
    new_message,
    send,
    send_texts,
    sign_up,
    texts,
)
from tests.deadlines import deadline_in
from tests.store.disk_actions import Counting, Failing, Gate
from tests.store.memory_engine import MemoryEngine
from tests.store.power_loss import Disk
from tests.waiting import wait_until

OpenOnDisk = Callable[[], SQLiteStore]

SENDERS = 32
MANY = 10_000


@contextmanager
def held(store: SQLiteStore) -> Iterator[None]:
    """Keep the writer busy, so that all work handed over meanwhile is one transaction afterwards."""
    is_at_work, is_over = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        is_at_work.set()
        is_over.wait()

    store._writer.run_later(hold)
    assert is_at_work.wait(20)
    try:
        yield
    finally:
        is_over.set()


def wait_until_queued(store: SQLiteStore, count: int) -> None:
    wait_until(lambda: store._writer._queue.qsize() >= count)


def test_many_callers_share_few_syncs(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    syncs = Counting()
    with open_on_disk() as store:
        ann = sign_up(store, "ann")

        def send_ten() -> None:
            for number in range(10):
                send_texts(store, ann, "ann", str(number))

        slow_disk = disk.before("sync", lambda _name: time.sleep(0.002))
        with slow_disk, disk.before("sync", syncs):
            race([send_ten] * SENDERS)
        assert len(mailbox(store, ann)) == SENDERS * 10
    assert 10 <= syncs.calls <= SENDERS * 10 / 4


def test_callers_that_came_during_a_commit_share_the_next(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    syncs = Counting()
    with open_on_disk() as store, ThreadPoolExecutor(SENDERS) as threads, Gate() as gate:
        ann = sign_up(store, "ann")
        messages = [new_message(ann, "ann", str(number)) for number in range(SENDERS)]
        with disk.before("sync", syncs), disk.before("sync", gate):
            first = threads.submit(send, store, messages[0])
            gate.reached.wait()
            late = [threads.submit(send, store, message) for message in messages[1:]]
            wait_until_queued(store, len(late))
            gate.open()
            assert all(isinstance(sent.result(), Receipt) for sent in [first, *late])
        assert syncs.calls == 2
        assert is_gap_free(mailbox(store, ann))


def test_a_lone_caller_has_a_sync_of_its_own(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    syncs = Counting()
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        with disk.before("sync", syncs):
            for number in range(1, 6):
                send_texts(store, ann, "ann", "a", "b", "c")
                assert syncs.calls == number


def test_nobody_is_answered_before_the_sync(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        sends = [partial(send, store, new_message(ann, "ann", str(number))) for number in range(SENDERS)]
        with disk.before("sync", Failing(apsw.SQLITE_IOERR_FSYNC)):
            outcomes = race(sends)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * SENDERS


def test_nobody_can_read_a_message_that_is_not_yet_synced(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    with open_on_disk() as store, ThreadPoolExecutor(1) as threads, Gate() as gate:
        ann = sign_up(store, "ann")
        with disk.before("sync", gate):
            sent = threads.submit(send, store, new_message(ann, "ann", "tea?"))
            gate.reached.wait()
            assert texts(store, ann) == []
            assert not sent.done()
            gate.open()
            sent.result()
        assert texts(store, ann) == ["tea?"]


@pytest.mark.parametrize(
    ("store_wait", "deadline", "error"), [(0.05, None, StoreUnavailable), (60, 0.05, DeadlineExceeded)]
)
def test_a_wait_for_a_stuck_disk_ends(
    home: SQLiteHome, disk: Disk, store_wait: float, deadline: float | None, error: type[Exception]
) -> None:
    with SQLiteStore(home.path, clock=home.clock, vfs=disk.name, store_wait=store_wait) as store:
        ann = sign_up(store, "ann")
        begun, queued = (new_message(ann, "ann", text) for text in ("begun", "queued"))
        with Gate() as gate, disk.before("sync", gate):
            for message in (begun, queued):
                with deadline_in(deadline), pytest.raises(error):
                    send(store, message)
        store.touch_session(ann)
        assert texts(store, ann) == ["begun"], "what nobody waited for any more was not begun"
        send(store, begun)
        send(store, queued)
        assert texts(store, ann) == ["begun", "queued"]


def test_a_call_whose_deadline_has_passed_does_nothing(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        with deadline_in(0), pytest.raises(DeadlineExceeded):
            send(store, new_message(ann, "ann"))
        assert texts(store, ann) == []


def test_closing_finishes_the_work_that_has_begun_and_refuses_the_rest(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    store = open_on_disk()
    ann = sign_up(store, "ann")
    acknowledged: list[str] = []

    def send_until_closed(thread: int) -> str:
        for number in range(MANY):
            try:
                send_texts(store, ann, "ann", f"{thread} {number}")
            except StoreUnavailable:
                return f"{thread} {number}"
            acknowledged.append(f"{thread} {number}")
        raise AssertionError("the store did not close")

    with ThreadPoolExecutor(9) as threads, Gate() as gate, disk.before("sync", gate):
        senders = [threads.submit(send_until_closed, thread) for thread in range(8)]
        gate.reached.wait()
        closing = threads.submit(store.close)
        gate.open()
        closing.result()
        for sender in senders:
            sender.result()
    with open_on_disk() as store:
        assert is_gap_free(mailbox(store, ann))
        assert sorted(texts(store, ann)) == sorted(acknowledged), "what was refused was not stored"
        assert acknowledged


def test_a_bug_in_one_callers_work_fails_alone(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        too_short = b"t"  # which the schema refuses
        outcomes = race(
            [
                *(partial(send, store, new_message(ann, "ann", str(number))) for number in range(8)),
                *(partial(sign_up, store, f"user{number}", too_short) for number in range(4)),
            ]
        )
        assert all(isinstance(outcome, Receipt) for outcome in outcomes[:8])
        assert [type(outcome).__name__ for outcome in outcomes[8:]] == ["Internal"] * 4
        assert sorted(texts(store, ann)) == sorted(map(str, range(8)))
        assert names_of(store) == ["ann"], "nothing of the others is left"


def test_a_transaction_that_failed_midway_is_undone_and_the_next_succeeds(home: SQLiteHome) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        message = new_message(ann, "ann", "tea?")
        meddler = apsw.Connection(str(home.path))
        meddler.execute("ALTER TABLE messages RENAME TO hidden")
        with pytest.raises(StoreUnavailable):
            send(store, message)
        meddler.execute("ALTER TABLE hidden RENAME TO messages")
        meddler.close()
        assert texts(store, ann) == []
        send(store, message)
        assert texts(store, ann) == ["tea?"]
        assert is_gap_free(mailbox(store, ann))


def test_an_append_that_fails_by_a_bug_fails_alone(home: SQLiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Appends run without savepoints. So the transaction is rolled back, and each job gets its own."""
    with home.open() as store, ThreadPoolExecutor(SENDERS) as threads:
        ann = sign_up(store, "ann")
        append_all = Appender.append

        def spoiled(appender: Appender, messages: Sequence[NewMessage]) -> object:
            # When this returns, the writer has written.
            outcomes = append_all(appender, messages)
            if any(new.outgoing.content == b"spoiled" for new in messages):
                raise LookupError("a defect, made for this test")
            return outcomes

        monkeypatch.setattr(store._engine, "append", partial(spoiled, store._engine._appender))
        with held(store):
            good = [threads.submit(send, store, new_message(ann, "ann", str(number))) for number in range(8)]
            bad = threads.submit(append, store, [new_message(ann, "ann", "spoiled")])
            more = [threads.submit(send, store, new_message(ann, "ann", str(number))) for number in range(8, 16)]
            wait_until_queued(store, 17)
        assert all(isinstance(sent.result(), Receipt) for sent in [*good, *more])
        assert isinstance(bad.exception(), Internal)
        assert is_gap_free(mailbox(store, ann))
        assert sorted(texts(store, ann)) == sorted(map(str, range(16)))


def test_other_work_that_is_undone_leaves_the_appends_before_it_alone(home: SQLiteHome) -> None:
    """The counter of their mailbox is written late, and outside the part that is rolled back."""
    with home.open() as store, ThreadPoolExecutor(SENDERS) as threads:
        ann = sign_up(store, "ann")
        futures: list[Future[object]] = []
        with held(store):
            for number in range(9):
                message = new_message(ann, "ann", str(number))
                futures.append(
                    threads.submit(partial(send, store, message) if number % 3 else partial(sign_up, store, "ann"))
                )
                wait_until_queued(store, number + 1)
        outcomes = [future.exception() for future in futures]
        assert [type(outcome).__name__ for outcome in outcomes] == ["UsernameTaken", "NoneType", "NoneType"] * 3
        assert is_gap_free(mailbox(store, ann))
        assert texts(store, ann) == ["1", "2", "4", "5", "7", "8"]


def test_a_commit_over_many_mailboxes_writes_no_file_beside_the_store(
    disk: Disk, open_on_disk: OpenOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To undo a statement, SQLite keeps a copy of each page that the statement changes."""
    opened: list[str | None] = []
    xopen = Disk.xOpen

    def noted(disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        opened.append(name if name is None or isinstance(name, str) else name.filename())
        return xopen(disk, name, flags)

    monkeypatch.setattr(Disk, "xOpen", noted)
    with open_on_disk() as store:
        sessions = [sign_up(store, f"name{number}") for number in range(60)]
        for _ in range(30):
            messages = [new_message(one, f"name{number}", "x" * 900) for number, one in enumerate(sessions)]
            outcomes = append(store, messages)
            assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert opened
    assert None not in opened


def test_an_observer_learns_which_transactions_were_written() -> None:
    engine, observer = MemoryEngine(), RecordingObserver()
    commit: GroupCommit[list[str]] = GroupCommit(engine, 5.0, observer)
    commit.run(lambda rows: rows.append("one"))
    engine.failing = {"commit"}
    with pytest.raises(StoreFull):
        commit.run(lambda rows: rows.append("two"))
    commit.close()
    assert observer.transactions == [([], True), ([], False)]


class BadWatcher(MemoryEngine):
    """An engine whose watchers have a bug, and which has a bug of its own at messages that say "spoiled"."""

    def append(self, messages: Sequence[NewMessage]) -> Outcomes:
        if any(new.outgoing.content == b"spoiled" for new in messages):
            raise LookupError("a defect, made for this test")
        return super().append(messages)

    def announce(self, *, committed: bool, is_idle: bool) -> None:
        super().announce(committed=committed, is_idle=is_idle)
        raise LookupError("a defect of a watcher, made for this test")


def test_a_bug_in_a_watcher_ends_no_writer() -> None:
    engine, opened, is_over = BadWatcher(), threading.Event(), threading.Event()
    commit: GroupCommit[list[str]] = GroupCommit(engine, 5.0)

    def hold(_: list[str]) -> None:
        opened.set()
        is_over.wait()

    commit.run_later(hold)
    assert opened.wait(20)
    # These two share a transaction, which the spoiled one undoes. Each then has a transaction of its own.
    told: list[Receipt | ChatboothError] = []
    session = StoredSession(1, 1, "ann", 1, 0, 0)
    for text in ("tea?", "spoiled"):
        commit.append_later([new_message(session, "ann", text)], told.extend)
    is_over.set()
    commit.run(lambda rows: rows.append("the writer works"))
    commit.close()
    assert engine.stored == ["tea?", "the writer works"]
    assert [type(outcome) for outcome in told] == [Receipt, Internal]
    assert engine.calls.count("announce False") == 2


def test_the_store_does_not_move_while_a_commit_hangs(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    with open_on_disk() as store, ThreadPoolExecutor(1) as threads, Gate() as gate:
        ann = sign_up(store, "ann")
        assert store.is_moving(60)
        with disk.before("sync", gate):
            sent = threads.submit(send, store, new_message(ann, "ann"))
            gate.reached.wait()
            wait_until(lambda: not store.is_moving(1))
            assert store.is_moving(60)
            gate.open()
            assert isinstance(sent.result(), Receipt)
        wait_until(lambda: store.is_moving(1))


def test_the_store_does_not_move_while_a_callback_hangs(open_on_disk: OpenOnDisk) -> None:
    is_over = threading.Event()

    def hang(_: object) -> None:
        is_over.wait()

    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        with held(store):
            # The writer itself calls back only a few. The settler calls back these nine.
            for _ in range(9):
                store.append_later([new_message(ann, "ann")], hang)
        wait_until(lambda: not store.is_moving(1))
        is_over.set()
        wait_until(lambda: store.is_moving(1))


def test_a_failing_disk_moves(disk: Disk, open_on_disk: OpenOnDisk) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        with disk.before("write", Failing(apsw.SQLITE_FULL)), pytest.raises(StoreFull):
            send(store, new_message(ann, "ann"))
        assert store.is_moving(60)


def test_a_closed_store_does_not_move(open_on_disk: OpenOnDisk) -> None:
    with open_on_disk() as store:
        pass
    assert not store.is_moving(60)
