"""The calls on blocks and sessions: most may be repeated, and a list fetches all of its pages."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.actions import EndSessionRequest, ListBlocksRequest, SetBlockRequest
from chatbooth_grpc.booth.errors import MalformedRequest, ServerUnreachable
from chatbooth_grpc.booth.model import Page, SessionEntry, SessionKind, SessionPage
from tests.client.scripted import SESSION, TOKEN, scripted_client


def test_blocking_and_unblocking_may_be_repeated() -> None:
    client, transport = scripted_client(ServerUnreachable("s"), None, None)
    client.block("ben")
    client.unblock("ben")
    assert [(call.action, call.arguments) for call in transport.calls] == [
        ("set_block", (TOKEN, SetBlockRequest("ben", True))),
        ("set_block", (TOKEN, SetBlockRequest("ben", True))),
        ("set_block", (TOKEN, SetBlockRequest("ben", False))),
    ]


def test_a_name_that_is_no_unicode_is_not_sent() -> None:
    client, transport = scripted_client()
    with pytest.raises(MalformedRequest):
        client.block("\udce9")
    assert transport.calls == []


def test_all_pages_of_blocks_are_fetched() -> None:
    client, transport = scripted_client(Page(["ben"], "more"), ServerUnreachable("s"), Page(["cy"], ""))
    assert list(client.blocks()) == ["ben", "cy"]
    requests = [call.arguments[1] for call in transport.calls]
    assert requests == [ListBlocksRequest(), *[ListBlocksRequest(page_token="more")] * 2]


def test_all_pages_of_sessions_are_fetched_and_one_is_ended_once() -> None:
    entries = [SessionEntry(number, "", SessionKind.PERSON, 1, 2, number == 1) for number in (1, 2)]
    client, transport = scripted_client(
        SessionPage(entries[:1], "more"), ServerUnreachable("s"), SessionPage(entries[1:], ""), ServerUnreachable("s")
    )
    assert list(client.sessions()) == entries
    with pytest.raises(ServerUnreachable):
        client.end_session(2)
    assert [call.action for call in transport.calls] == ["list_sessions"] * 3 + ["end_session"]
    assert transport.calls[-1].arguments == (TOKEN, EndSessionRequest(2))


def test_a_label_is_sent_with_a_log_in_and_a_sign_up() -> None:
    client, transport = scripted_client(SESSION, SESSION)
    client.log_in("ann", "password", label="phone")
    client.sign_up("ann", "password", label="desk")
    assert [call.arguments[1].label for call in transport.calls] == ["phone", "desk"]
