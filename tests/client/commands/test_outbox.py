"""outbox: it sends or drops messages if asked, then shows the queued and the refused."""

from __future__ import annotations

import pytest

from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.outbox_showing import show_outbox
from chatbooth_grpc.client.failures.command_failure import Misuse, exit_code
from chatbooth_grpc.client.failures.outcomes import SomeNotSent
from tests.client.booths import Desk
from tests.client.commands.lines import run_line

ID_OF_ANN = (b"a" * 16).hex()
ID_OF_NEMO = (b"n" * 16).hex()


@pytest.fixture
def ann(desk: Desk) -> Desk:
    """Return ann's desk, with two messages in the outbox: one to herself, and one to an unknown name."""
    sign_up(desk.context(), "ann")
    desk.said()
    context = desk.context()
    with context.sessions.outbox(context.pick()) as outbox:
        for recipient in ("ann", "nemo"):
            outbox.put(recipient, "tea?", recipient[0].encode() * 16)
    return desk


def test_it_shows_queued_messages_and_changes_nothing(ann: Desk) -> None:
    for _ in range(2):
        run_line(ann.context(), "outbox")
        assert ann.printed() == [f"{ID_OF_ANN}  to ann, waiting: tea?", f"{ID_OF_NEMO}  to nemo, waiting: tea?"]
    run_line(ann.context(as_json=True), "outbox")
    assert [(record["type"], record["text"]) for record in ann.records()] == [("waiting", "tea?")] * 2


def test_dropping_comes_before_sending(ann: Desk) -> None:
    for name in (ID_OF_ANN, ID_OF_NEMO):
        run_line(ann.context(), f"outbox --drop {name}")
        assert name not in "".join(ann.printed())
    assert ann.said().endswith("The outbox is empty.\n")


def test_it_reports_how_many_messages_were_refused(ann: Desk) -> None:
    with pytest.raises(SomeNotSent, match=r"1 sent, 1 not sent\.") as caught:
        run_line(ann.context(), "outbox --send")
    assert exit_code(caught.value) == 1
    assert ann.printed()[0].startswith((b"n" * 16).hex())
    show_outbox(ann.context(as_json=True), drop=b"n" * 16)
    assert ann.records()[-1] == {"type": "dropped", "message_id": (b"n" * 16).hex()}
    with pytest.raises(Misuse):
        show_outbox(ann.context(), drop=b"n" * 16)
