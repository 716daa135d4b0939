"""The limit of blocks: rows of deleted accounts do not count for it."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.errors import LimitReached
from chatbooth_grpc.store.sqlite import blocks
from tests.contract.stores import SQLiteHome, delete, sign_up


def test_an_account_blocks_a_bounded_number_of_others(home: SQLiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_BLOCKS", 3)
    with home.open() as store:
        ann = sign_up(store, "ann")
        others = {name: sign_up(store, name) for name in ("bob", "cy", "dee", "eve", "fay")}
        for name in ("bob", "cy", "dee", "bob"):
            store.set_block(ann, name, is_blocked=True)
        with pytest.raises(LimitReached) as refused:
            store.set_block(ann, "eve", is_blocked=True)
        assert (refused.value.limit, refused.value.things) == (3, "blocks")
        delete(store, others["cy"])
        store.set_block(ann, "eve", is_blocked=True)
        assert store.blocked_usernames(ann, "", 9) == b"bob\ndee\neve"
        with pytest.raises(LimitReached):
            store.set_block(ann, "fay", is_blocked=True)
