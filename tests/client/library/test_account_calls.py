"""The calls on blocks and sessions: most may be repeated, and a list fetches all of its pages."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.actions import CreateTokenRequest, EndSessionRequest, ListBlocksRequest, SetBlockRequest
from chatbooth_grpc.booth.errors import MalformedRequest, ServerUnreachable
from chatbooth_grpc.booth.model import NewToken, Page, SessionEntry, SessionKind, SessionPage
from chatbooth_grpc.booth.tokens import TokenLimits
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


def test_a_token_is_asked_for_again_with_the_same_secret() -> None:
    made = NewToken(SESSION, 3, 0)
    client, transport = scripted_client(ServerUnreachable("s"), made, made)
    assert client.create_token("alerts", may_read=True, recipient="ben", lifetime=60) == made
    first, second = [call.arguments[1] for call in transport.calls]
    assert first == second == CreateTokenRequest(first.secret, "alerts", TokenLimits(True, True, "ben"), 60)
    client.create_token("sender", may_send=True)
    third = transport.calls[-1].arguments[1]
    assert (third.limits, third.lifetime) == (TokenLimits(may_send=True), 0)
    assert len(third.secret) == 16
    assert third.secret != first.secret


@pytest.mark.parametrize("lifetime", [-1, 36_500 * 86_400 + 1])
def test_a_lifetime_out_of_range_is_not_sent(lifetime: int) -> None:
    client, transport = scripted_client()
    with pytest.raises(ValueError, match="lifetime"):
        client.create_token("alerts", may_read=True, lifetime=lifetime)
    assert transport.calls == []


def test_a_label_is_sent_with_a_log_in_and_a_sign_up() -> None:
    client, transport = scripted_client(SESSION, SESSION)
    client.log_in("ann", "password", label="phone")
    client.sign_up("ann", "password", label="desk")
    assert [call.arguments[1].label for call in transport.calls] == ["phone", "desk"]
