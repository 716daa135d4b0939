"""The error tree: stable reasons, typed attributes, and words for a person."""

from __future__ import annotations

import dataclasses
import re
from typing import get_type_hints

import pytest

from chatbooth_grpc.booth import error_tree, errors
from chatbooth_grpc.booth.error_reasons import BRANCHES, concrete_errors
from chatbooth_grpc.booth.errors import ChatboothError, SessionInvalid

CONCRETE = sorted(concrete_errors(), key=lambda kind: kind.__name__)


INTERNALS = re.compile(
    r"sql|apsw|argon2|grpc|protobuf|python|traceback|exception|thread|mailbox_id|session_id|hash|None|<|/",
    re.IGNORECASE,
)


def plain(kind: type[ChatboothError]) -> ChatboothError:
    """One error of a kind, with plain attributes."""
    examples: dict[type, object] = {str: "username", int: 8, float: 1.0}
    types = get_type_hints(kind)
    assert dataclasses.is_dataclass(kind)
    return kind(**{field.name: examples[types[field.name]] for field in dataclasses.fields(kind)})


def test_reasons_are_unique_and_upper_snake() -> None:
    reasons = [kind.reason for kind in CONCRETE]
    assert len(reasons) == len(set(reasons)) > 15
    assert all(re.fullmatch(r"[A-Z]+(_[A-Z]+)*", reason) for reason in reasons)
    assert ChatboothError.reason not in reasons


def test_every_branch_stands_in_the_drawn_tree() -> None:
    drawn = re.findall(r"[├└]── (\w+)", error_tree.__doc__ or "")
    assert drawn == [branch.__name__ for branch in BRANCHES]


def test_every_error_has_one_import() -> None:
    every = {kind.__name__ for kind in [ChatboothError, errors.UnknownError, *CONCRETE, *BRANCHES]}
    assert every <= vars(errors).keys()


def test_every_leaf_hangs_on_one_branch() -> None:
    for kind in CONCRETE:
        assert len([branch for branch in BRANCHES if issubclass(kind, branch)]) == 1, kind


def test_invalid_arguments_name_a_field_and_passing_errors_say_when_to_retry() -> None:
    for kind in CONCRETE:
        error = plain(kind)
        if isinstance(error, errors.InvalidArgument):
            assert isinstance(error.field, str)
        if isinstance(error, (errors.ResourceExhausted, errors.Unavailable)):
            assert error.retry_after > 0


PROBLEMS = ("", "MISSING", "NOT_BEARER", "WRONG_SIZE", "NOT_HEX", "BASE64", "HEX", "NOT_BYTES", "IN_USE")
PLAIN = [plain(kind) for kind in CONCRETE] + [SessionInvalid(problem) for problem in PROBLEMS]


@pytest.mark.parametrize("error", PLAIN, ids=lambda error: f"{error.reason}-{getattr(error, 'problem', '')}")
def test_words_are_for_people(error: ChatboothError) -> None:
    words = str(error)
    assert not INTERNALS.search(words)
    assert type(error).__name__ not in words
    assert error.reason not in words
    assert len(words.splitlines()) == 1
    assert words[0].isupper()
    assert words.endswith(".")


def test_an_ended_session_differs_from_every_fault_of_a_token() -> None:
    assert len({str(SessionInvalid(problem)) for problem in PROBLEMS}) == len(PROBLEMS)
    # Clients that do not know this attribute expect none.
    assert SessionInvalid().attributes() == {}
    assert str(SessionInvalid("A_NEWER_SERVERS")) == str(SessionInvalid())
