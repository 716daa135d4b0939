"""Ids of requests: which a client may choose, and that drawn ones differ."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.request_ids import is_request_id, new_request_id


@pytest.mark.parametrize("text", ["a", "x" * 64, "1f-3A_%{}~!", "0af7651916cd43dd8448eb211c80319c"])
def test_a_client_may_choose_any_printable_id(text: str) -> None:
    assert is_request_id(text)


@pytest.mark.parametrize("text", ["", "x" * 65, "two words", "a\nb", "a\x7f", "é", "\ta"])
def test_no_other_id_is_taken(text: str) -> None:
    assert not is_request_id(text)


def test_drawn_ids_differ_and_could_be_chosen() -> None:
    drawn = {new_request_id() for _ in range(1_000)}
    assert len(drawn) == 1_000
    assert all(map(is_request_id, drawn))
