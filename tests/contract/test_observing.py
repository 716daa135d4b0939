"""An observer sees the same calls over both wires, and each transaction and push."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatbooth_grpc.booth.actions import ACKNOWLEDGE, SIGN_UP, AcknowledgeRequest, LogInRequest
from chatbooth_grpc.booth.call_log import outcome_of
from chatbooth_grpc.booth.model import MessageBatch
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.recording_observer import RecordingObserver
from tests.contract.stores import Clock
from tests.contract.test_call_log import EVERY_CALL, SECONDS, WIRES, act, message
from tests.contract.transports import transport_to
from tests.waiting import wait_until

# The log has one line for a failed log-in, which is not among those of the calls.
ALL_CALLS = [*((action, outcome) for action, _, outcome in EVERY_CALL), ("DELETE", "WRONG_PASSWORD")]


@contextmanager
def observed(folder: Path, way: str) -> Iterator[tuple[Transport, RecordingObserver]]:
    """Give a transport to a server whose observer records."""
    observer, clock = RecordingObserver(), Clock()
    with (
        SQLiteStore(folder / "chatbooth.db", clock=clock, observer=observer) as store,
        transport_to(store, way, clock, observer) as transport,
    ):
        yield transport, observer


def sign_up(transport: Transport) -> bytes:
    """Make an account, and return the token of its session."""
    return transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), timeout=SECONDS).token


@WIRES
def test_each_call_is_observed_once_with_its_wire_action_and_outcome(tmp_path: Path, way: str) -> None:
    with observed(tmp_path, way) as (transport, observer):
        act(transport)
        wait_until(lambda: len(observer.calls) + len(observer.sends) == len(ALL_CALLS))
        assert {call.account_id for call, error in observer.calls if call.action == "LIST" and not error} == {1}
    seen = [(call.wire, call.action, outcome_of(error)) for call, error in observer.calls]
    sent = [(wire, "SEND", outcome) for wire, outcome in observer.sends]
    assert sorted(seen + sent) == sorted((way, action, outcome) for action, outcome in ALL_CALLS)


@pytest.mark.parametrize("way", ["grpc", "plain-grpc", "wire"])
def test_messages_that_are_sent_together_are_observed_one_by_one(tmp_path: Path, way: str) -> None:
    with observed(tmp_path, way) as (transport, observer):
        token = sign_up(transport)
        stream = transport.send_stream(token)
        stream.send([message("ann"), message("nobody")])
        assert len(stream.receive()) == 2
        stream.close()
        wait_until(lambda: len(observer.sends) == 2)
    wire = "wire" if way == "wire" else "grpc"
    assert observer.sends == [(wire, "OK"), (wire, "RECIPIENT_NOT_FOUND")]
    assert [call.action for call, _ in observer.calls] == ["SIGN_UP"]
    calls = {each.call for appends, _ in observer.transactions for each in appends}
    assert {call.wire for call in calls if call} == {wire}


@WIRES
def test_a_transaction_is_observed_with_its_messages_before_the_answer(tmp_path: Path, way: str) -> None:
    with observed(tmp_path, way) as (transport, observer):
        token = sign_up(transport)
        transport.send(token, message("ann"), timeout=SECONDS)
        [(appends, committed)] = [each for each in observer.transactions if each[0]]
    assert committed
    [append] = appends
    assert [new.outgoing.message_id for new in append.messages] == [b"i" * 16]
    assert append.queued_time > 0
    assert append.call is not None
    assert (append.call.wire, append.call.action) == (way, "SEND")


def test_a_bug_of_an_observer_fails_no_send(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with observed(tmp_path, "grpc") as (transport, observer):
        token = sign_up(transport)
        observer.is_broken = True
        transport.send(token, message("ann"), timeout=SECONDS)
        observer.is_broken = False
    assert "a transaction was not observed" in [record.getMessage() for record in caplog.records]


@WIRES
def test_a_push_is_observed_with_the_time_of_its_commit_if_the_stream_was_open(tmp_path: Path, way: str) -> None:
    with observed(tmp_path, way) as (transport, observer):
        token = sign_up(transport)
        transport.send(token, message("ann"), timeout=SECONDS)
        stream = transport.listen(token, None)
        events = iter(stream)
        while not isinstance(next(events), MessageBatch):
            pass
        wait_until(lambda: len(observer.pushes) == 1)
        [(_, _, hinted)] = observer.pushes
        assert hinted is None
        transport.send(token, message("ann")._replace(message_id=b"j" * 16), timeout=SECONDS)
        while not isinstance(next(events), MessageBatch):
            pass
        stream.cancel()
        transport.call(ACKNOWLEDGE, token, AcknowledgeRequest(2), timeout=SECONDS)
        wait_until(lambda: len(observer.pushes) == 2)
        session, pushed, hinted = observer.pushes[-1]
        assert (session.username, [each.sequence for each in pushed]) == ("ann", [2])
        assert hinted is not None
        assert [(session.username, through) for session, through in observer.acknowledgements] == [("ann", 2)]
