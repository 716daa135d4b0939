"""deliver: it shows, flushes, notes and acknowledges a batch, in this order."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from chatbooth_grpc.booth.actions import DELIVER, UnaryAction
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import CursorPastEnd, ServerUnreachable
from chatbooth_grpc.booth.model import Gap, GapReason, Opening, OutgoingMessage, Receipt, Session
from chatbooth_grpc.booth.store import NewMessage
from chatbooth_grpc.client.commands.deliver import deliver
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.sending import send
from chatbooth_grpc.client.failures.interrupts import Interrupted
from chatbooth_grpc.client.failures.session_failures import AlreadyReading
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.client.booths import SERVER, Desk, failing
from tests.client.streams import BrokenPipe, Full
from tests.contract.stores import append


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def ann(desk: Desk) -> Session:
    """Return the session saved for ann, with five waiting messages."""
    sign_up(desk.context(), "ann")
    for text in "abcde":
        send(desk.context(), "ann", text)
    desk.said()
    return desk.context().pick().session


def waiting(booth: Booth, session: Session) -> list[str]:
    """Return the texts after the session's cursor, from the store."""
    return [message.text for message in booth.deliver(session.token).messages]


def texts(desk: Desk) -> list[str]:
    """Return the texts that were printed since the last call, in human or JSON form."""
    return [line[-1] for line in desk.printed()]


def test_all_waiting_messages_are_shown_once(desk: Desk, booth: Booth, ann: Session) -> None:
    deliver(desk.context())
    assert texts(desk) == list("abcde")
    assert waiting(booth, ann) == []
    deliver(desk.context())
    assert (desk.printed(), desk.said()) == ([], "No new messages.\n")


def test_json_has_every_field(desk: Desk, ann: Session) -> None:
    deliver(desk.context(as_json=True))
    desk.printed()
    send(desk.context(), "ann", "\x1b[31m\n🍵\u202e", b"i" * 16)
    deliver(desk.context(as_json=True))
    assert desk.out.getvalue().isascii()
    [record] = desk.records()
    assert record.pop("accept_time").endswith("Z")
    assert record == {
        "type": "message",
        "sequence": 6,
        "sender": "ann",
        "sender_id": 1,
        "message_id": "69" * 16,
        "text": "\x1b[31m\n🍵\u202e",
    }


def stored_as_newer(store: SQLiteStore, booth: Booth, session: Session, kind: int, content: bytes) -> None:
    """Store content that ann sends to herself, as a server does that knows its kind."""
    message = OutgoingMessage("ann", os.urandom(16), content, kind)
    [outcome] = append(store, [NewMessage(booth.authenticated(session.token), message, bytes(16))])
    assert isinstance(outcome, Receipt)


def test_content_of_an_unknown_kind_is_shown_once_as_unknown(
    desk: Desk, store: SQLiteStore, booth: Booth, ann: Session
) -> None:
    deliver(desk.context())
    desk.printed()
    stored_as_newer(store, booth, ann, 7, b"\x1b[2J\xff")
    send(desk.context(), "ann", "next")
    deliver(desk.context())
    first, second = desk.printed()
    assert first.endswith("  ann: a message of a kind that this client does not know (kind 7); update the client")
    assert second.endswith("  ann: next")
    assert booth.deliver(ann.token).messages == []
    deliver(desk.context())
    assert desk.printed() == []


def test_json_keeps_content_of_an_unknown_kind(desk: Desk, store: SQLiteStore, booth: Booth, ann: Session) -> None:
    stored_as_newer(store, booth, ann, 255, b"\x00\xff")
    deliver(desk.context(as_json=True), after=5)
    [record] = desk.records()
    assert (record["kind"], base64.b64decode(record["content"])) == (255, b"\x00\xff")
    assert "text" not in record


def test_a_person_sees_no_control_characters(desk: Desk, ann: Session) -> None:
    send(desk.context(), "ann", "\x1b[2J\n9  2030-01-01 00:00:00  ben: fake")
    deliver(desk.context(), after=5)
    first, second = desk.printed()
    assert first.endswith(r"  ann: \x1b[2J")
    assert second == "    9  2030-01-01 00:00:00  ben: fake"


def test_more_messages_than_a_batch_are_delivered(desk: Desk, booth: Booth, ann: Session) -> None:
    for number in range(600):
        send(desk.context(as_json=True), "ann", str(number))
    desk.printed()
    deliver(desk.context(as_json=True))
    assert [record["sequence"] for record in desk.records()] == [*range(1, 606)]
    assert waiting(booth, ann) == []


def test_keep_shows_messages_and_acknowledges_none(desk: Desk, booth: Booth, ann: Session) -> None:
    for _ in range(2):
        deliver(desk.context(), keep=True)
        assert texts(desk) == list("abcde")
    assert waiting(booth, ann) == list("abcde")
    assert desk.context().pick().shown_through == 0


def test_only_the_wanted_number_is_shown_and_acknowledged(desk: Desk, booth: Booth, ann: Session) -> None:
    deliver(desk.context(), most=2)
    assert texts(desk) == ["a", "b"]
    assert waiting(booth, ann) == ["c", "d", "e"]
    deliver(desk.context(), most=9)
    assert texts(desk) == ["c", "d", "e"]


def test_after_shows_messages_again(desk: Desk, ann: Session) -> None:
    deliver(desk.context())
    desk.printed()
    deliver(desk.context(), after=3)
    assert texts(desk) == ["d", "e"]
    with pytest.raises(CursorPastEnd):
        deliver(desk.context(), after=6)


def test_messages_are_not_shown_again_after_a_kill_before_the_acknowledgement(
    desk: Desk, booth: Booth, ann: Session
) -> None:
    desk.transport.before = failing("acknowledge", Killed(), times=1)
    with pytest.raises(Killed):
        deliver(desk.context())
    desk.transport.before = lambda _action: None
    assert texts(desk) == list("abcde")
    assert waiting(booth, ann) == list("abcde")
    send(desk.context(), "ann", "f")
    deliver(desk.context())
    assert texts(desk) == ["f"]
    assert waiting(booth, ann) == []


def test_the_next_run_acknowledges_what_the_last_one_did_not(desk: Desk, booth: Booth, ann: Session) -> None:
    desk.transport.before = failing("acknowledge", Killed(), times=1)
    with pytest.raises(Killed):
        deliver(desk.context())
    desk.transport.before = lambda _action: None
    desk.said()
    deliver(desk.context())
    assert desk.said() == "No new messages.\n"
    assert waiting(booth, ann) == []


def test_losing_the_server_between_batches_loses_and_repeats_nothing(desk: Desk, booth: Booth, ann: Session) -> None:
    for number in range(300):
        send(desk.context(as_json=True), "ann", str(number))
    desk.printed()
    lost = [False]

    def before(action: str) -> None:
        lost[0] = lost[0] or (action == "deliver" and bool(desk.out.getvalue()))
        if lost[0]:
            raise ServerUnreachable(SERVER)

    desk.transport.before = before
    with pytest.raises(ServerUnreachable):
        deliver(desk.context(as_json=True))
    desk.transport.before = lambda _action: None
    first = [record["sequence"] for record in desk.records()]
    deliver(desk.context(as_json=True))
    assert first + [record["sequence"] for record in desk.records()] == [*range(1, 306)]


def test_a_broken_pipe_acknowledges_nothing_of_its_batch(desk: Desk, booth: Booth, ann: Session) -> None:
    with pytest.raises(BrokenPipeError):
        deliver(desk.context(out=BrokenPipe(whole=3)))
    assert waiting(booth, ann) == list("abcde")
    deliver(desk.context())
    assert texts(desk) == list("abcde")


def test_an_output_that_cannot_be_flushed_acknowledges_nothing(desk: Desk, booth: Booth, ann: Session) -> None:
    with pytest.raises(OSError, match="No space"):
        deliver(desk.context(out=Full()))
    assert waiting(booth, ann) == list("abcde")


def test_an_interrupt_notes_the_messages_that_were_shown_whole(desk: Desk, ann: Session) -> None:
    class Interrupted(BrokenPipe):
        def write(self, text: str) -> int:
            try:
                return super().write(text)
            except BrokenPipeError:
                raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt):
        deliver(desk.context(out=Interrupted(whole=3)))
    deliver(desk.context())
    assert texts(desk) == ["d", "e"]


def test_messages_are_not_shown_again_after_an_interrupt_that_follows_the_flush(
    desk: Desk, ann: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = desk.context()
    note = context.sessions.note_shown

    def interrupted(*arguments: Any) -> None:
        context.interrupts._arrived(2, None)
        note(*arguments)

    monkeypatch.setattr(context.sessions, "note_shown", interrupted)
    with pytest.raises(Interrupted):
        deliver(context)
    assert texts(desk) == list("abcde")
    deliver(desk.context())
    assert texts(desk) == []


@pytest.mark.parametrize("moment", ["flush", "datum"])
def test_messages_are_not_shown_again_after_an_interrupt_within_the_flush(
    desk: Desk, ann: Session, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The signal may come before the next line of the program, which notes the shown messages."""
    context = desk.context()
    put_out = getattr(context.output, moment)

    def interrupted(*arguments: Any) -> None:
        put_out(*arguments)
        context.interrupts._arrived(2, None)

    monkeypatch.setattr(context.output, moment, interrupted)
    with pytest.raises(Interrupted):
        deliver(context)
    shown = texts(desk)
    assert shown == (list("abcde") if moment == "flush" else ["a"])
    deliver(desk.context())
    assert shown + texts(desk) == list("abcde")


def test_two_commands_at_once_do_not_show_the_same_messages(desk: Desk, ann: Session) -> None:
    context = replace(desk.context(), timeout=0.0)
    with desk.context().sessions.reading("ann", 0, command="deliver"):
        with pytest.raises(AlreadyReading):
            deliver(context)
        assert "Another command, deliver (process " in desk.said()
        deliver(desk.context(), keep=True)
    assert texts(desk) == list("abcde")


def test_deliver_does_not_wait_for_a_listen(desk: Desk, ann: Session) -> None:
    with desk.context().sessions.reading("ann", 0, command="listen"):
        with pytest.raises(AlreadyReading, match=r"listen \(process \d+\), is delivering for ann .* End it first"):
            deliver(replace(desk.context(), timeout=3_600.0))
        assert desk.said() == ""


def test_deliver_waits_for_another_deliver(desk: Desk, ann: Session) -> None:
    with ExitStack() as running:
        running.enter_context(desk.context().sessions.reading("ann", 0, command="deliver"))
        context = replace(desk.context(), timeout=3_600.0)
        context.output.say = lambda words: running.close()  # type: ignore[method-assign]  # it ends when it is told of
        deliver(context)
    assert texts(desk) == list("abcde")


def with_opening(desk: Desk, monkeypatch: pytest.MonkeyPatch, change: Callable[[Opening], Opening]) -> None:
    """Let the transport change the opening of each delivery."""
    genuine = desk.transport.call

    def changed(action: UnaryAction[Any, Any], *arguments: Any) -> Any:
        reply = genuine(action, *arguments)
        return replace(reply, opening=change(reply.opening)) if action == DELIVER else reply

    monkeypatch.setattr(desk.transport, "call", changed)


def test_a_gap_is_reported(desk: Desk, ann: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    gap = Gap(1, 2, GapReason.RETENTION)
    with_opening(desk, monkeypatch, lambda opening: replace(opening, gap=gap))
    deliver(desk.context(), keep=True)
    assert "Messages 1 to 2 are missing" in desk.said()
    desk.printed()
    deliver(desk.context(as_json=True), keep=True)
    expected = {"type": "gap", "first_sequence": 1, "last_sequence": 2, "reason": "RETENTION"}
    assert desk.records()[0] == expected


def test_a_gap_of_an_unknown_reason_is_reported_without_a_reason(
    desk: Desk, ann: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    gap = Gap(1, 2, GapReason(77))
    with_opening(desk, monkeypatch, lambda opening: replace(opening, gap=gap))
    deliver(desk.context(), keep=True)
    assert desk.said() == ("Messages 1 to 2 are missing: the server gave a reason that this client does not know.\n")


def test_a_note_of_another_epoch_does_not_count(
    desk: Desk, booth: Booth, ann: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = desk.context().sessions
    sessions.note_shown("ann", booth.deliver(ann.token).opening, 5)
    with_opening(desk, monkeypatch, lambda opening: replace(opening, epoch=bytes(16)))
    deliver(desk.context(), most=3)
    assert texts(desk) == ["a", "b", "c"]
    assert "restored" in desk.said()
    kept = desk.context().pick()
    assert (kept.session.epoch, kept.shown_through) == (bytes(16), 3)


def test_a_log_that_ends_before_the_note_is_reported_and_shown_whole(desk: Desk, booth: Booth, ann: Session) -> None:
    sessions = desk.context().sessions
    sessions.note_shown("ann", booth.deliver(ann.token).opening, 9)
    deliver(desk.context())
    assert texts(desk) == list("abcde")
    assert desk.said().startswith("The server was restored from a backup.")
    assert desk.context().pick().shown_through == 5
    deliver(desk.context())
    assert desk.said() == "No new messages.\n"


def test_a_program_gets_a_restore_as_an_object(desk: Desk, booth: Booth, ann: Session) -> None:
    desk.context().sessions.note_shown("ann", booth.deliver(ann.token).opening, 9)
    deliver(desk.context(as_json=True), keep=True)
    restored, *messages = desk.records()
    assert restored == {
        "type": "restored",
        "epoch": booth.deliver(ann.token).opening.epoch.hex(),
        "shown_through": 9,
        "last_sequence": 5,
    }
    assert [record["sequence"] for record in messages] == [1, 2, 3, 4, 5]
    assert desk.context().pick().shown_through == 9, "a look notes nothing"


def test_a_gap_is_noted_like_messages(desk: Desk, ann: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    gap = Gap(1, 5, GapReason.RETENTION)
    with monkeypatch.context() as changed:
        with_opening(desk, changed, lambda opening: replace(opening, gap=gap, replaying=0))
        deliver(desk.context(), most=0)
    assert desk.context().pick().shown_through == 5
