"""listen: it shows each message once, reports a lost connection once, and ends at --max."""

from __future__ import annotations

import threading

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import ServerUnreachable, SessionInvalid
from chatbooth_grpc.booth.model import Event, Gap, GapReason, MessageBatch, Opening, Session
from chatbooth_grpc.client.commands.listen import listen
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.sending import send
from chatbooth_grpc.client.failures.session_failures import AlreadyReading
from tests.client.booths import SERVER, Desk
from tests.client.commands.lines import run_line
from tests.client.scripted import ScriptedEvents

LOST = ServerUnreachable(SERVER)


@pytest.fixture
def ann(desk: Desk) -> Session:
    """Return the session saved for ann, with five waiting messages."""
    sign_up(desk.context(), "ann")
    for text in "abcde":
        send(desk.context(), "ann", text)
    desk.said()
    return desk.context().pick().session


def opening(session: Session, after: int, gap: Gap | None = None) -> Opening:
    """Return the opening of a stream that resumes after a sequence."""
    return Opening(session.epoch, session.account_id, after, 5 - (gap.last if gap else after), gap)


def batch(booth: Booth, session: Session, first: int, last: int) -> MessageBatch:
    """Return the waiting messages of these sequences."""
    return MessageBatch(booth.deliver(session.token, 0, first - 1, last - first + 1).messages)


def connections(desk: Desk, *scripts: list[Event | Exception]) -> None:
    """Let each call of Listen return one list of events."""
    desk.transport.streams = [ScriptedEvents(script) for script in scripts]


def texts(desk: Desk) -> list[str]:
    """Return the texts that were printed since the last call."""
    return [line[-1] for line in desk.printed()]


def test_it_shows_waiting_messages_and_ends_after_max(desk: Desk, booth: Booth, ann: Session) -> None:
    # A listen that continues past the fourth message ends with an error.
    connections(desk, [opening(ann, 0), batch(booth, ann, 1, 2), batch(booth, ann, 3, 5), SessionInvalid()])
    run_line(desk.context(), "listen --max 4")
    assert texts(desk) == ["a", "b", "c", "d"]
    assert desk.said() == f"Connected to {SERVER}; messages waiting: 5. Stop with Ctrl-C.\n"
    assert [message.text for message in booth.deliver(ann.token).messages] == ["e"]
    assert desk.context().pick().shown_through == 4


def test_a_lost_connection_is_reported_once_and_no_message_is_shown_twice(
    desk: Desk, booth: Booth, ann: Session
) -> None:
    lost: list[Event | Exception] = [LOST]
    connections(
        desk, [opening(ann, 0), batch(booth, ann, 1, 2), LOST], lost, [opening(ann, 1), batch(booth, ann, 2, 5)]
    )
    listen(desk.context(), most=5)
    assert texts(desk) == list("abcde")
    assert [words.split(";")[0].split("(")[0].strip() for words in desk.said().splitlines()] == [
        f"Connected to {SERVER}",
        "Connection lost, reconnecting…",
        "Connected again",
    ]


def test_a_gap_is_reported_in_its_place(desk: Desk, booth: Booth, ann: Session) -> None:
    gap = Gap(1, 3, GapReason.RETENTION)
    connections(desk, [opening(ann, 0, gap), batch(booth, ann, 4, 5)])
    listen(desk.context(as_json=True), most=2)
    missing, *messages = desk.records()
    assert missing == {"type": "gap", "first_sequence": 1, "last_sequence": 3, "reason": "RETENTION"}
    assert [record["text"] for record in messages] == ["d", "e"]


def test_two_listen_commands_do_not_show_the_same_messages(desk: Desk, ann: Session) -> None:
    context = desk.context()
    with context.sessions.reading("ann", 1.0, command="listen"), pytest.raises(AlreadyReading):
        listen(desk.context())


def test_it_sends_queued_messages(desk: Desk, booth: Booth, ann: Session) -> None:
    sent = threading.Event()
    context = desk.context()
    with context.sessions.outbox(context.pick()) as outbox:
        outbox.put("ann", "queued")

    class UntilSent(ScriptedEvents):
        """Brings the last message after the queued one was sent."""

        def __iter__(self):  # type: ignore[no-untyped-def]
            yield opening(ann, 4)
            if not sent.wait(20):
                raise SessionInvalid
            yield batch(booth, ann, 5, 5)

    desk.transport.before = lambda action: sent.set() if action == "send" else None
    desk.transport.streams = [UntilSent([])]
    listen(context, most=1)
    assert "Sent to ann" in desk.said()
