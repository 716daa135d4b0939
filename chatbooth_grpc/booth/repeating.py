"""Which failures are worth another try: one table for the library, the outbox, the wires and the documents."""

from __future__ import annotations

from chatbooth_grpc.booth.error_reasons import concrete_errors
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    Internal,
    ResourceExhausted,
    TooBusy,
    Unavailable,
)

RETRIED = (Unavailable, DeadlineExceeded, TooBusy)
"""What the library tries again by itself, with backoff, within a call's timeout."""

PASSING = (*RETRIED, ResourceExhausted, Internal)
"""What may pass later: an outbox keeps the message, and a stream of messages ends so that their order holds."""

OUTCOME_UNKNOWN = (Unavailable, DeadlineExceeded, Internal)
"""After these the call may have taken effect. After other errors it has not."""


def reasons_of(branches: tuple[type[ChatboothError], ...]) -> list[str]:
    """Return the reasons of all errors in some branches of the tree, sorted."""
    return sorted(kind.reason for kind in concrete_errors() if issubclass(kind, branches))
