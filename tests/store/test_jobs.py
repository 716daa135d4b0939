"""Whether a job may begin, and the outcome of each of its messages."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.errors import Internal, StoreUnavailable
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.store import NewMessage, StoredSession
from chatbooth_grpc.store.engine import Outcomes
from chatbooth_grpc.store.jobs import AppendJob, Job

ANN = StoredSession(1, 1, "ann", 1, 0, 0)
LATER = 10.0
RECEIPT = Receipt(5)


def append_job(*lanes: Lane | None) -> AppendJob:
    messages = [NewMessage(ANN, OutgoingMessage("ben", b"\x01" * 16, b"hello"), b"digest", lane) for lane in lanes]
    job = AppendJob(messages, lambda _: None)
    job.deadline = LATER
    return job


def failed_lane(error: Internal) -> Lane:
    lane = Lane()
    lane.fail(error)
    return lane


@pytest.mark.parametrize(("now", "may_begin"), [(LATER - 1, True), (LATER, False)])
def test_a_job_begins_only_before_its_deadline(now: float, may_begin: bool) -> None:
    job = Job(lambda _: None, LATER)
    assert job.admit(now) is may_begin
    assert isinstance(job.error, StoreUnavailable) is not may_begin


def test_a_job_that_is_retried_has_no_error_of_an_earlier_transaction() -> None:
    job = Job(lambda _: None, LATER)
    job.fail(Internal())
    assert job.admit(0.0)
    assert job.error is None


def test_an_append_after_its_deadline_fails_its_lanes() -> None:
    lane = Lane()
    job = append_job(lane, None)
    assert not job.admit(LATER)
    assert [type(outcome) for outcome in job.result] == [StoreUnavailable, StoreUnavailable]
    assert job.result[0] is lane.error


def test_only_the_messages_of_sound_lanes_are_appended_and_each_gets_its_own_outcome() -> None:
    error = Internal()
    job = append_job(failed_lane(error), Lane(), None)
    assert job.admit(0.0)
    assert job.fit == job.messages[1:]
    outcomes: Outcomes = [RECEIPT, Receipt(6)]
    job.note(iter(outcomes))
    assert job.result == [error, *outcomes]


def test_a_job_takes_only_the_outcomes_of_its_own_messages() -> None:
    first, second = append_job(None, None), append_job(None)
    assert first.admit(0.0)
    assert second.admit(0.0)
    outcomes = iter([Receipt(1), Receipt(2), Receipt(3)])
    first.note(outcomes)
    second.note(outcomes)
    assert (first.result, second.result) == ([Receipt(1), Receipt(2)], [Receipt(3)])
