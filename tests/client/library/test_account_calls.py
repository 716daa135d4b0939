"""The calls on blocks: they may be repeated, and a list fetches all of its pages."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.actions import ListBlocksRequest, SetBlockRequest
from chatbooth_grpc.booth.errors import MalformedRequest, ServerUnreachable
from chatbooth_grpc.booth.model import Page
from tests.client.scripted import TOKEN, scripted_client


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
