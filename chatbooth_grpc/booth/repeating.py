"""Which failures are worth another try: one table for every client and every document."""

from __future__ import annotations

from chatbooth_grpc.booth.error_reasons import UnknownResourceExhausted, concrete_errors
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    Internal,
    RateLimited,
    StoreFull,
    TooBusy,
    Unavailable,
)
from chatbooth_grpc.booth.trust_errors import NotTrusted

RETRIED = (Unavailable, DeadlineExceeded, TooBusy, RateLimited)
"""The failures after which the library tries again by itself, with backoff, within a call's timeout."""

PASSING = (*RETRIED, StoreFull, UnknownResourceExhausted, Internal, NotTrusted)
"""The failures that may pass. An outbox keeps its message, and a stream of messages ends so that the order holds."""

OUTCOME_UNKNOWN = (Unavailable, DeadlineExceeded, Internal)
"""The failures after which the call may have taken effect. After all other errors it has not."""


def reasons_of(branches: tuple[type[ChatboothError], ...]) -> list[str]:
    """Return the reasons of all errors in some branches of the tree, sorted."""
    return sorted(kind.reason for kind in concrete_errors() if issubclass(kind, branches))
