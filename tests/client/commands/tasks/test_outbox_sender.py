"""The sender beside `listen`: it sends, reports a lasting failure once, and never stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks import outbox_sender
from chatbooth_grpc.client.commands.tasks.outbox_sender import emptying_outbox
from chatbooth_grpc.client.failures.interrupts import Interrupted
from chatbooth_grpc.client.failures.outcomes import Unprinted
from tests.client.booths import SERVER, Desk

PATIENCE = 20.0


@pytest.fixture
def ann(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return ann's desk, with a message in the outbox."""
    monkeypatch.setattr(outbox_sender, "_LOOK_INTERVAL", 0.001)
    sign_up(desk.context(), "ann")
    context = desk.context()
    with context.sessions.outbox(context.pick()) as outbox:
        outbox.put("ann", "queued", b"i" * 16)
    desk.said()
    return desk


class Looks:
    """The results of the sender's attempts, one after another."""

    def __init__(self, *met: Exception | None) -> None:
        self._met: Iterator[Exception | None] = iter(met)
        self.over = threading.Event()

    def __call__(self, *_: object) -> None:
        error = next(self._met, self)
        if error is self:
            self.over.set()
        elif isinstance(error, Exception):
            raise error


def said_at(desk: Desk, monkeypatch: pytest.MonkeyPatch, *met: Exception | None) -> list[str]:
    """Return the words that the sender prints for these results."""
    looks = Looks(*met)
    monkeypatch.setattr(outbox_sender._OutboxSender, "_send", looks)
    context = desk.context()
    saved = context.pick()
    with context.client_of(saved) as client, emptying_outbox(context, saved, client):
        assert looks.over.wait(PATIENCE)
    return desk.said().splitlines()


DENIED = PermissionError(13, "Permission denied", "/x/ann.outbox")


def test_a_failure_that_lasts_is_reported_once(ann: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["The outbox is not sent as long as this lasts: /x/ann.outbox: Permission denied"]
    assert said_at(ann, monkeypatch, DENIED, DENIED, DENIED) == words
    assert said_at(ann, monkeypatch, DENIED, None, DENIED) == words * 2


def test_the_sender_leaves_it_to_the_stream_to_report_that_the_server_is_away(
    ann: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said_at(ann, monkeypatch, ServerUnreachable(SERVER), ServerUnreachable(SERVER)) == []


def test_a_result_that_cannot_be_printed_does_not_end_the_sender(ann: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    unprinted = Unprinted({}, "Sent to ann.", OSError(28, "No space left on device", "standard output"))
    [words] = said_at(ann, monkeypatch, unprinted, None)
    assert words.startswith("chatbooth: Sent to ann. (This could not be written to standard output")


def test_the_sender_sends_queued_messages(ann: Desk) -> None:
    sent = threading.Event()
    ann.transport.before = lambda action: sent.set() if action == "send" else None
    context = ann.context()
    saved = context.pick()
    with context.client_of(saved) as client, emptying_outbox(context, saved, client):
        assert sent.wait(PATIENCE)
    assert "Sent to ann" in ann.said()


def test_an_interrupt_reports_the_messages_that_stay_queued(ann: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    # The sender makes no attempt. It would say that it tries again, before or after the words of the interrupt.
    monkeypatch.setattr(outbox_sender, "_LOOK_INTERVAL", 3_600.0)
    context = ann.context()
    saved = context.pick()
    with pytest.raises(Interrupted), context.client_of(saved) as client, emptying_outbox(context, saved, client):
        raise Interrupted(2)
    assert ann.said().startswith("Still queued: 1.")
