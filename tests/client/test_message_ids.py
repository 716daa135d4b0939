"""Message ids are UUIDv7."""

from __future__ import annotations

import uuid

from chatbooth_grpc.client.message_ids import new_message_id


def test_ids_are_uuid_version_7_and_grow() -> None:
    ids = [new_message_id() for _ in range(1_000)]
    assert ids == sorted(set(ids))
    assert {uuid.UUID(bytes=message_id).version for message_id in ids} == {7}
