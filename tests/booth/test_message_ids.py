"""Message ids are UUIDv7, and are written as hex digits."""

from __future__ import annotations

import uuid

import pytest

from chatbooth_grpc.booth.message_ids import decode_message_id, new_message_id


def test_ids_are_uuid_version_7_and_grow() -> None:
    ids = [new_message_id() for _ in range(1_000)]
    assert ids == sorted(set(ids))
    assert {uuid.UUID(bytes=message_id).version for message_id in ids} == {7}


@pytest.mark.parametrize("text", ["0193a000000070008000000000AA00aa", "0193A000-0000-7000-8000-00000000aaaa"])
def test_an_id_is_read_as_it_is_written(text: str) -> None:
    assert decode_message_id(text) == uuid.UUID(text).bytes


@pytest.mark.parametrize("text", ["", "00", "0" * 32, "a" * 31, "a" * 33, "g" * 32, "aa " * 16, "²" * 32, "é" * 16])
def test_an_ill_formed_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        decode_message_id(text)
