"""Exit codes: one for each branch of the error tree, as --help lists them."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth import error_reasons, errors
from chatbooth_grpc.client.failures.command_failure import exit_code

EXPECTED = {
    "INVALID_USERNAME": 2,
    "TEXT_TOO_LONG": 2,
    "INVALID_PATTERN": 2,
    "SESSION_INVALID": 3,
    "WRONG_CREDENTIALS": 3,
    "WRONG_PASSWORD": 3,
    "SERVER_UNREACHABLE": 4,
    "STORE_UNAVAILABLE": 4,
    "DEADLINE_EXCEEDED": 4,
    "RECIPIENT_NOT_FOUND": 5,
    "USERNAME_TAKEN": 1,
    "MESSAGE_ID_REUSED": 1,
    "CURSOR_PAST_END": 1,
    "TOO_BUSY": 1,
    "STORE_FULL": 1,
    "INTERNAL": 1,
}


@pytest.mark.parametrize(("reason", "code"), EXPECTED.items())
def test_each_error_has_its_exit_code(reason: str, code: int) -> None:
    [kind] = [kind for kind in error_reasons.concrete_errors() if kind.reason == reason]
    assert exit_code(kind.__new__(kind)) == code


def test_an_unexpected_error_exits_with_the_code_for_failed() -> None:
    assert exit_code(errors.UnknownError("NEW", "words")) == 1
    assert exit_code(OSError()) == 1
