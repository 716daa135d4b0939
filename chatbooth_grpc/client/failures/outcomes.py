"""Failures of commands that had effects, or may have had: only their words tell which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chatbooth_grpc.booth.errors import (
    ChatboothError,
)
from chatbooth_grpc.booth.repeating import OUTCOME_UNKNOWN
from chatbooth_grpc.client.failures.command_failure import CommandFailure, details_of, exit_code
from chatbooth_grpc.client.failures.exit_codes import (
    UNPRINTED,
)
from chatbooth_grpc.client.failures.interrupts import Interrupted


class Unprinted(CommandFailure):
    """The command was done, but its result could not be written to the stream where it belongs."""

    reason = "DONE_BUT_NOT_PRINTED"
    exit_code = UNPRINTED
    must_be_said = True

    def __init__(self, record: Mapping[str, object], words: str, error: OSError) -> None:
        super().__init__(f"{words} (This could not be written to {error.filename}: {error.strerror}.)")
        self._details = {name: str(value) for name, value in record.items()}

    def details(self) -> dict[str, str]:
        """Return the result that a program would have read."""
        return self._details


class SomeNotSent(CommandFailure):
    """Some messages were wrong or refused. All others were sent."""

    reason = "SOME_NOT_SENT"
    must_be_said = True

    def __init__(self, sent: int, failed: int) -> None:
        super().__init__(f"{sent:,} sent, {failed:,} not sent.")
        self._details = {"sent": str(sent), "failed": str(failed)}

    def details(self) -> dict[str, str]:
        """Return how many messages were sent, and how many were not."""
        return self._details


class QueuedButRefused(CommandFailure):
    """The server refused a message of the outbox. The message stays there, and is not sent again by itself."""

    must_be_said = True

    def __init__(self, refusal: ChatboothError, recipient: str, message_id: bytes) -> None:
        super().__init__(f"Not sent to {recipient}: {refusal} The text stays in the outbox: see the command outbox.")
        self.reason = refusal.reason
        self.exit_code = exit_code(refusal)
        self._details = {**details_of(refusal), "message_id": message_id.hex()}

    def details(self) -> dict[str, str]:
        """Return the refusal's attributes, and the message's id."""
        return self._details


class OutcomeUnknown(CommandFailure):
    """The server may or may not have done what was asked. `advice` says how to find out or to repeat it safely."""

    must_be_said = True

    def __init__(self, cause: ChatboothError | Interrupted, advice: str, details: Mapping[str, str] = {}) -> None:
        if isinstance(cause, Interrupted):
            super().__init__(f"Interrupted. {advice}")
            self.reason, self.exit_code, self._details = "INTERRUPTED", cause.exit_code, {**details}
        else:
            super().__init__(f"{cause} {advice}")
            self.reason, self.exit_code = cause.reason, exit_code(cause)
            self._details = {**details_of(cause), **details}

    def details(self) -> dict[str, str]:
        """Return the error's attributes. For a message, add its id and the command that repeats it."""
        return self._details


@contextmanager
def outcome_unknown(advice: str, details: Mapping[str, str] = {}) -> Iterator[None]:
    """Call the server inside the block. If the outcome stays unknown, the failure says `advice`.

    Raises OutcomeUnknown in place of Unavailable, DeadlineExceeded and Internal. An Interrupted carries it as its
    `open_end`.
    """
    try:
        yield
    except OUTCOME_UNKNOWN as error:
        raise OutcomeUnknown(error, advice, details) from error
    except Interrupted as interrupt:
        interrupt.open_end = OutcomeUnknown(interrupt, advice, details)
        raise
