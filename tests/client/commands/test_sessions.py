"""sessions: it prints the account's sessions, and ends one."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import InvalidLabel, SessionInvalid, SessionNotFound
from chatbooth_grpc.client.commands.parsing.shared_flags import DEFAULT_LABEL
from tests.client.booths import PASSWORD, Desk
from tests.client.commands.lines import run_line


def test_sessions_are_printed_and_ended(desk: Desk, booth: Booth) -> None:
    run_line(desk.context(), "signup ann")
    other = booth.log_in("ann", PASSWORD, label="my\u202e phone".replace("\u202e", ""))
    desk.printed()
    run_line(desk.context(as_json=True), "sessions")
    records = desk.records()
    assert [(record["label"], record["kind"], record["current"]) for record in records] == [
        (DEFAULT_LABEL, "PERSON", True),
        ("my phone", "PERSON", False),
    ]
    run_line(desk.context(), "sessions")
    lines = desk.printed()
    assert f"{records[0]['session_id']} {DEFAULT_LABEL} (this one): since" in lines[0]
    assert f"{records[1]['session_id']} my phone: since" in lines[1]
    run_line(desk.context(), f"sessions --end {records[1]['session_id']}")
    with pytest.raises(SessionInvalid):
        booth.acknowledge(other.token, 0)
    with pytest.raises(SessionNotFound):
        run_line(desk.context(), f"sessions --end {records[1]['session_id']}")


def test_a_label_is_the_persons_and_never_the_machines_name(desk: Desk) -> None:
    run_line(desk.context(), "signup ann --label desk")
    desk.printed()
    run_line(desk.context(as_json=True), "sessions")
    assert [record["label"] for record in desk.records()] == ["desk"]
    with pytest.raises(InvalidLabel):
        run_line(desk.context(), f"login ann --label {'x' * 65}")
