"""The tally: what is counted under which labels, and that no client can make more labels."""

from __future__ import annotations

import time

import pytest

from chatbooth_grpc.booth.actions import ACTIONS
from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.errors import InvalidUsername, RateLimited, TooBusy, WrongCredentials, WrongPassword
from chatbooth_grpc.booth.model import Message, OutgoingMessage, Receipt
from chatbooth_grpc.booth.store import NewMessage, StoredSession
from chatbooth_grpc.metrics.tally import MESSAGES, MOST_LIMITS, OTHER_LIMITS, SECONDS, Histogram, Tally
from chatbooth_grpc.store.jobs import AppendJob

ANN = StoredSession(1, 1, "ann", 1, 0, 0)


def call(action: str, wire: str = "grpc") -> Call:
    return Call(action, lambda: "127.0.0.1:1", wire)


def append(count: int, queued_time: float) -> AppendJob:
    """Return a job of `count` messages."""
    new = NewMessage(ANN, OutgoingMessage("ann", b"i" * 16, b"hello"), b"d" * 16)
    job = AppendJob([new] * count, lambda _: None)
    job.queued_time = queued_time
    return job


def test_calls_are_counted_by_wire_action_and_outcome() -> None:
    tally = Tally()
    tally.call_ended(call("LIST"), None)
    tally.call_ended(call("LIST"), None)
    tally.call_ended(call("LIST", "wire"), TooBusy("lists at once"))
    assert tally.calls == {("grpc", "LIST", "OK"): 2, ("wire", "LIST", "TOO_BUSY"): 1}
    assert sum(tally.durations["grpc", "LIST"].counts) == 2
    tally.call_ended(call("LIST"), RateLimited("requests of one address"))
    assert tally.throttled == {"lists at once": 1, "requests of one address": 1}


def test_a_client_that_invents_actions_gets_one_label() -> None:
    tally = Tally()
    for number in range(1_000):
        tally.call_ended(call(str(number), "wire"), None)
    assert tally.calls == {("wire", "UNKNOWN", "OK"): 1_000}
    assert len(tally.durations) == 1
    assert "UNKNOWN" not in {row.name for row in ACTIONS.values()}


def test_messages_that_came_together_are_counted_one_by_one() -> None:
    tally = Tally()
    sends = call("SEND", "wire")
    sends.started = time.monotonic() - 1
    tally.sends_ended(sends, [Receipt(0), TooBusy("sends"), Receipt(0)])
    assert tally.calls == {("wire", "SEND", "OK"): 2, ("wire", "SEND", "TOO_BUSY"): 1}
    assert tally.durations["wire", "SEND"].sum >= 3
    assert tally.throttled == {"sends": 1}


def test_only_a_wrong_name_or_password_is_a_failed_log_in() -> None:
    tally = Tally()
    tally.call_ended(call("LOG_IN"), WrongCredentials())
    tally.call_ended(call("LOG_IN"), InvalidUsername())
    tally.call_ended(call("DELETE", "wire"), WrongPassword())
    tally.call_ended(call("SIGN_UP"), InvalidUsername())
    tally.call_ended(call("LOG_IN"), TooBusy("log-ins at once"))
    assert tally.failed_log_ins == {"grpc": 2, "wire": 1}


def test_the_number_of_limits_is_bounded() -> None:
    tally = Tally()
    for number in range(MOST_LIMITS + 10):
        tally.connection_refused(f"limit {number}")
    tally.connection_refused("limit 0")
    assert len(tally.throttled) == MOST_LIMITS + 1
    assert (tally.throttled[OTHER_LIMITS], tally.throttled["limit 0"]) == (10, 2)


def test_a_transaction_is_counted_with_its_messages_and_their_wait() -> None:
    tally = Tally()
    tally.transaction_ended([append(3, 90.0), append(2, 91.0)], 91.5, committed=True)
    tally.transaction_ended([], 91.5, committed=True)
    tally.transaction_ended([append(1, 90.0)], 91.5, committed=False)
    assert (sum(tally.commits.counts), tally.failed_transactions) == (2, 1)
    assert (sum(tally.commit_sizes.counts), tally.commit_sizes.sum) == (1, 5)
    assert tally.commit_sizes.counts[MESSAGES.index(8)] == 1
    assert tally.queue_waits.sum == pytest.approx(1.5)


def test_only_a_push_that_a_commit_woke_has_a_delay() -> None:
    tally = Tally()
    message = Message(1, "ann", 1, b"i" * 16, 0, b"hello")
    tally.pushed(ANN, [message, message], None)
    tally.pushed(ANN, [message], 0.0)
    assert tally.pushed_messages == 3
    assert sum(tally.delivery_delays.counts) == 1


def test_a_value_on_the_bound_of_a_bucket_is_in_it_and_a_larger_one_in_the_next() -> None:
    histogram = Histogram(SECONDS)
    for value in (0.001, 0.0011, 99.0):
        histogram.add(value)
    buckets = dict(histogram.buckets())
    assert (buckets["0.0005"], buckets["0.001"], buckets["0.0025"], buckets["10.0"], buckets["+Inf"]) == (0, 1, 2, 2, 3)
    assert histogram.sum == pytest.approx(99.0021)
