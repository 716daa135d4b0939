"""The opening of a delivery: where it starts and what is missing there."""

from __future__ import annotations

from chatbooth_grpc.booth.model import Gap, GapReason, Opening
from chatbooth_grpc.booth.store import Batch, StoredSession


def opening(epoch: bytes, session: StoredSession, start: int, batch: Batch) -> Opening:
    """Return the opening of a delivery to `session` after the sequence `start`, from which `batch` was read."""
    replaying = batch.last_sequence - max(start, batch.removed_through)
    return Opening(epoch, session.account_id, start, replaying, gap(start, batch))


def gap(start: int, batch: Batch) -> Gap | None:
    """Return the messages after `start` that retention has removed. None means that it has removed none."""
    if batch.removed_through <= start:
        return None
    return Gap(start + 1, batch.removed_through, GapReason.RETENTION)
