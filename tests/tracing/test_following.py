"""Following: a message is found until it is acknowledged, and memory is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.tracing import following as module
from chatbooth_grpc.tracing.following import LONGEST, MOST_IN_A_MAILBOX, MOST_MESSAGES, MOST_PUSHES, Following, Push
from tests.seconds import Seconds

PHONE = StoredSession(1, 1, "ann", 1, 0, 0)
LAPTOP = StoredSession(2, 1, "ann", 1, 0, 0)
SENDER = 7


def context(name: str) -> Any:
    """Return something that stands for the context of a span."""
    return cast(Any, name)


def message(sequence: int) -> Message:
    return Message(sequence, "ben", SENDER, b"%016d" % sequence, 0, b"hello")


def found(following: Following, sequence: int, recipient: str = "ann", sender_id: int = SENDER) -> object:
    """Return what stands for the span of a message's Send. None: it is not followed."""
    return following.find(recipient, sender_id, message(sequence).message_id)


def names(pushes: Sequence[Push]) -> list[object]:
    """Return what stands for the spans of pushes."""
    return [push.context for push in pushes]


def add(following: Following, sequence: int, recipient: str = "ann") -> None:
    following.add(recipient, SENDER, message(sequence).message_id, context(f"send {sequence}"))


def test_a_message_is_found_by_its_recipient_sender_and_id() -> None:
    following = Following()
    add(following, 1)
    assert following.has("ann")
    assert found(following, 1) == "send 1"
    assert found(following, 1, "ben") is None
    assert found(following, 1, sender_id=SENDER + 1) is None
    assert found(following, 2) is None


def test_a_repeat_does_not_replace_the_send_that_stored_the_message() -> None:
    following = Following()
    add(following, 1)
    following.add("ann", SENDER, message(1).message_id, context("repeat"))
    assert found(following, 1) == "send 1"
    assert len(following) == 1


def test_an_acknowledgement_returns_the_pushes_of_its_session_up_to_it_and_ends_the_following() -> None:
    following = Following()
    for sequence in (1, 2, 3):
        add(following, sequence)
        assert following.note_push(PHONE, message(sequence), context(f"push {sequence}")) == []
    assert following.acknowledge(LAPTOP, 3) == []
    assert names(following.acknowledge(PHONE, 2)) == ["push 1", "push 2"]
    assert following.acknowledge(PHONE, 2) == []
    assert names(following.acknowledge(PHONE, 3)) == ["push 3"]
    assert len(following) == 0
    assert not following.has("ann")


def test_a_client_may_acknowledge_before_its_push_is_noted() -> None:
    following = Following()
    add(following, 1)
    assert following.acknowledge(PHONE, 1) == []
    assert following.note_push(LAPTOP, message(1), context("to the laptop")) == []
    assert names(following.note_push(PHONE, message(1), context("push"))) == ["push"]
    assert len(following) == 0
    assert following.note_push(PHONE, message(1), context("again")) == []


def test_a_message_that_nobody_acknowledges_leaves_by_its_age() -> None:
    clock = Seconds()
    following = Following(clock)
    add(following, 1)
    clock.now += LONGEST
    add(following, 2)
    assert len(following) == 2
    clock.now += 1
    add(following, 3)
    assert [found(following, each) for each in (1, 2)] == [None, "send 2"]


def test_the_oldest_message_of_a_full_mailbox_leaves() -> None:
    following = Following()
    for sequence in range(MOST_IN_A_MAILBOX + 1):
        add(following, sequence)
    assert len(following) == MOST_IN_A_MAILBOX
    assert found(following, 0) is None
    assert found(following, 1) == "send 1"


def test_the_messages_of_all_mailboxes_are_bounded() -> None:
    following = Following()
    for number in range(MOST_MESSAGES + 10):
        add(following, number, f"user-{number}")
    assert len(following) == MOST_MESSAGES
    assert not following.has("user-9")
    assert following.has("user-10")


def test_the_pushes_of_a_message_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PUSHES", 2)
    following = Following()
    add(following, 1)
    for number in range(5):
        following.note_push(PHONE, message(1), context(f"push {number}"))
    assert len(following.acknowledge(PHONE, 1)) == 2
    assert MOST_PUSHES < MOST_MESSAGES
