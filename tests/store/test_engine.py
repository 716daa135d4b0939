"""The group commit over an engine that is no database: it knows nothing of SQLite."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import partial
from queue import SimpleQueue

import pytest

from chatbooth_grpc.booth.call_log import Call, calling
from chatbooth_grpc.booth.errors import Internal, StoreFull, UsernameTaken
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.store import NewMessage, StoredSession
from chatbooth_grpc.store import group_commit
from chatbooth_grpc.store.engine import Engine
from chatbooth_grpc.store.failures import failed_writing
from chatbooth_grpc.store.group_commit import GroupCommit
from tests.store.memory_engine import MemoryEngine, Rows
from tests.waiting import wait_until

ANN = StoredSession(1, 1, "ann", 1, 0, 0)


def append(writer: GroupCommit[Rows], text: str) -> Sequence[object]:
    """Append a message, and wait for its outcomes."""
    told: SimpleQueue[Sequence[object]] = SimpleQueue()
    message = NewMessage(ANN, OutgoingMessage("ann", b"i" * 16, text.encode()), b"d" * 16)
    writer.append_later([message], told.put)
    return told.get(timeout=30)


@pytest.fixture
def engine() -> MemoryEngine:
    """The engine under test."""
    return MemoryEngine()


@pytest.fixture
def writer(engine: MemoryEngine) -> Iterator[GroupCommit[Rows]]:
    """A group commit over the engine."""
    seam: Engine[Rows] = engine
    writer = GroupCommit(seam, 30.0)
    yield writer
    writer.close()


def test_work_gets_the_engines_transaction_and_is_committed(writer: GroupCommit[Rows], engine: MemoryEngine) -> None:
    assert writer.run(lambda rows: rows.append("one")) is None
    assert append(writer, "two") == [Receipt(0)]
    writer.close()
    assert engine.stored == ["one", "two"]
    one_transaction = ["begin", "commit", "end True", "announce True"]
    assert engine.calls == [*one_transaction, "begin", "append", *one_transaction[1:], "close"]


@pytest.mark.parametrize(("defect", "error"), [(UsernameTaken("ann"), UsernameTaken), (LookupError(), Internal)])
def test_work_that_raises_is_undone_alone(
    writer: GroupCommit[Rows], engine: MemoryEngine, defect: Exception, error: type[Exception]
) -> None:
    def fail(rows: Rows) -> None:
        rows.append("half")
        raise defect

    with pytest.raises(error):
        writer.run(fail)
    writer.run(lambda rows: rows.append("whole"))
    assert engine.stored == ["whole"]
    assert "roll back" not in engine.calls


@pytest.mark.parametrize("call", ["begin", "commit"])
def test_a_failure_of_the_engine_is_answered_in_its_words(
    writer: GroupCommit[Rows], engine: MemoryEngine, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    engine.failing.add(call)
    with pytest.raises(StoreFull):
        writer.run(lambda rows: rows.append("lost"))
    engine.failing.clear()
    writer.run(lambda rows: rows.append("kept"))
    writer.close()
    assert engine.stored == ["kept"]
    assert engine.calls[engine.calls.index("roll back") :][:3] == ["roll back", "end False", "announce False"]
    [record] = [each for each in caplog.records if "cannot be written" in each.message]
    assert vars(record)["cause"] == f"{call} fails"


def test_an_append_that_the_engine_fails_is_not_tried_again(writer: GroupCommit[Rows], engine: MemoryEngine) -> None:
    engine.failing.add("append")
    assert [type(outcome) for outcome in append(writer, "lost")] == [StoreFull]
    assert engine.calls.count("append") == 1


def test_a_rollback_that_fails_too_leaves_the_writer_alive(writer: GroupCommit[Rows], engine: MemoryEngine) -> None:
    engine.failing.update({"commit", "roll back"})
    with pytest.raises(StoreFull):
        writer.run(lambda rows: rows.append("lost"))
    engine.failing.clear()
    writer.run(lambda rows: rows.append("kept"))
    assert engine.stored == ["kept"]


def test_an_announcement_says_whether_work_waits(writer: GroupCommit[Rows], engine: MemoryEngine) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(_rows: Rows) -> None:
        begun.set()
        assert go_on.wait(60)

    writer.run_later(wait)
    assert begun.wait(60)
    # This one is committed after the first.
    writer.run_later(lambda rows: rows.append("two"))
    go_on.set()
    writer.close()
    assert engine.idle[0] is False
    writer_of_one = GroupCommit(lone := MemoryEngine(), wait=60)
    writer_of_one.run(lambda rows: rows.append("one"))
    wait_until(lambda: bool(lone.idle))
    assert lone.idle == [True]
    writer_of_one.close()


def test_a_database_that_works_again_is_noticed_though_nobody_calls(
    engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(group_commit, "failed_writing", partial(failed_writing, quiet=0))
    monkeypatch.setattr(group_commit, "_OVERDUE_CHECK", 0.01)
    monkeypatch.setattr(group_commit, "_PROBE_INTERVAL", 0.02)
    said: SimpleQueue[bool] = SimpleQueue()

    def note() -> None:
        said.put(failing.is_failing)

    failing = GroupCommit[Rows](engine, 30.0, changed=note)
    assert failing.run(lambda rows: rows.append("one")) is None
    engine.failing = {"commit"}
    with pytest.raises(StoreFull):
        failing.run(lambda rows: rows.append("two"))
    wait_until(lambda: engine.calls.count("probe") >= 3)
    assert failing.is_failing
    engine.failing = set()
    wait_until(lambda: not failing.is_failing)
    calls = engine.calls.count("probe")
    # The settler looks again and again, and no longer tries.
    looked = failing._looked
    wait_until(lambda: failing._looked > looked + 0.1)
    assert engine.calls.count("probe") == calls
    failing.close()
    assert engine.stored == ["one", "probe"]
    states = [said.get() for _ in range(said.qsize())]
    assert states == [True] * (len(states) - 1) + [False]
    end = caplog.records[-1]
    assert end.getMessage() == "the store can be written again"
    # The server's own tries are no calls.
    assert vars(end)["refused"] == 1


def test_a_database_that_cannot_be_written_is_tried_once_in_each_interval(
    engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_OVERDUE_CHECK", 0.01)
    monkeypatch.setattr(group_commit, "_PROBE_INTERVAL", 3_600.0)
    writer = GroupCommit[Rows](engine, 30.0)
    engine.failing = {"commit"}
    with pytest.raises(StoreFull):
        writer.run(lambda rows: rows.append("two"))
    wait_until(lambda: "probe" in engine.calls)
    looked = writer._looked
    wait_until(lambda: writer._looked > looked + 0.1)
    writer.close()
    assert engine.calls.count("probe") == 1


def test_a_bug_in_work_for_a_call_is_logged_under_the_id_of_the_call(
    writer: GroupCommit[Rows], engine: MemoryEngine, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise LookupError("made for this test")

    call = Call("DELETE", lambda: "192.0.2.7:5")
    with calling(call), pytest.raises(Internal):
        writer.run(fail)
    append_call = Call("SEND", lambda: "192.0.2.7:6")
    engine.defective = True
    with calling(append_call):
        [outcome] = append(writer, "one")
    assert isinstance(outcome, Internal)
    assert [vars(record)["request_id"] for record in caplog.records] == [call.request_id, append_call.request_id]
