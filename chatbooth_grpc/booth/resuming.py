"""Where a delivery starts: what it says first, so that no hole goes unnoticed."""

from __future__ import annotations

from chatbooth_grpc.booth.model import Gap, GapReason, Opening
from chatbooth_grpc.booth.store import Batch, StoredSession


def opening(epoch: bytes, session: StoredSession, start: int, batch: Batch) -> Opening:
    """Return the opening of a delivery to `session` after `start`, as of the moment when `batch` was read there."""
    replaying = batch.last_sequence - max(start, batch.removed_through)
    return Opening(epoch, session.account_id, start, replaying, gap(start, batch))


def gap(start: int, batch: Batch) -> Gap | None:
    """Return what retention removed behind `start`, None where it removed nothing."""
    if batch.removed_through <= start:
        return None
    return Gap(start + 1, batch.removed_through, GapReason.RETENTION)
