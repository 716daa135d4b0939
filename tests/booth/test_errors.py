"""The error tree: stable reasons, typed attributes that travel, words fit for a person."""

from __future__ import annotations

import dataclasses
import re
from typing import get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbooth_grpc.booth import errors
from chatbooth_grpc.booth.errors import ChatboothError, SessionInvalid, UnknownError, concrete_errors, from_reason

CONCRETE = sorted(concrete_errors(), key=lambda kind: kind.__name__)

BRANCHES = errors.BRANCHES

VALUES: dict[type, st.SearchStrategy[object]] = {
    str: st.text(max_size=40),
    int: st.integers(),
    float: st.floats(allow_nan=False),
}

INTERNALS = re.compile(
    r"sql|apsw|argon2|grpc|protobuf|python|traceback|exception|thread|mailbox_id|session_id|hash|None|<|/",
    re.IGNORECASE,
)


def some(kind: type[ChatboothError]) -> st.SearchStrategy[ChatboothError]:
    """Errors of one kind, with any attributes."""
    types = get_type_hints(kind)
    assert dataclasses.is_dataclass(kind)
    return st.builds(kind, **{field.name: VALUES[types[field.name]] for field in dataclasses.fields(kind)})


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


def test_every_class_stands_in_the_drawn_tree() -> None:
    drawn = re.findall(r"\b[A-Z][A-Za-z]+\b", (errors.__doc__ or "").split("Each leaf")[0])
    assert set(drawn) >= {kind.__name__ for kind in [*CONCRETE, *BRANCHES]}


def test_every_leaf_hangs_on_one_branch() -> None:
    for kind in CONCRETE:
        assert len([branch for branch in BRANCHES if issubclass(kind, branch)]) == 1, kind


def test_invalid_arguments_name_a_field_and_what_may_pass_says_when() -> None:
    for kind in CONCRETE:
        error = plain(kind)
        if isinstance(error, errors.InvalidArgument):
            assert isinstance(error.field, str)
        if isinstance(error, (errors.ResourceExhausted, errors.Unavailable)):
            assert error.retry_after > 0


@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.reason)
@settings(max_examples=25)
@given(data=st.data())
def test_errors_travel_unchanged(kind: type[ChatboothError], data: st.DataObject) -> None:
    error = data.draw(some(kind))
    attributes = error.attributes()
    assert all(isinstance(text, str) for text in attributes.values())
    rebuilt = from_reason(error.reason, "other words", attributes)
    assert type(rebuilt) is kind
    assert str(rebuilt) == str(error)
    assert rebuilt.attributes() == attributes
    assert (rebuilt.reason, vars(rebuilt)) == (error.reason, vars(error))


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


@settings(max_examples=25)
@given(message=st.text(), attributes=st.dictionaries(st.text(), st.text()))
def test_a_reason_of_a_newer_server_keeps_its_own_words(message: str, attributes: dict[str, str]) -> None:
    error = from_reason("MOON_TOO_FULL", message, attributes)
    assert type(error) is UnknownError
    assert (error.reason, str(error), error.attributes()) == ("MOON_TOO_FULL", message, {})
    assert UnknownError("ANOTHER", "").reason == "ANOTHER"
    assert ChatboothError.reason == "UNKNOWN"  # an instance's reason never becomes the class's


@pytest.mark.parametrize(
    ("reason", "attributes"),
    [
        ("CURSOR_PAST_END", {"cursor": "9", "end": "eight"}),
        ("CURSOR_PAST_END", {"cursor": "9"}),
        ("RECIPIENT_NOT_FOUND", {}),
        ("TOO_BUSY", {"limit": "calls", "retry_after": "soon"}),
    ],
)
def test_attributes_that_do_not_fit_give_the_servers_words(reason: str, attributes: dict[str, str]) -> None:
    error = from_reason(reason, "the server's words", attributes)
    assert type(error) is UnknownError
    assert (error.reason, str(error)) == (reason, "the server's words")


@pytest.mark.parametrize("branch", BRANCHES, ids=lambda branch: branch.__name__)
def test_a_reason_of_a_newer_server_is_handled_like_its_branch(branch: type[ChatboothError]) -> None:
    error = from_reason("MOON_TOO_FULL", "Wait a week.", {"retry_after": "2.5", "field": "moon"}, branch)
    assert isinstance(error, branch)
    assert isinstance(error, UnknownError)
    assert (error.reason, str(error), error.attributes()) == ("MOON_TOO_FULL", "Wait a week.", {})
    assert (error.field, error.retry_after) == ("moon", 2.5)
    assert set(concrete_errors()) == set(CONCRETE)


@pytest.mark.parametrize("attributes", [{}, {"retry_after": "soon"}])
def test_a_newer_error_that_does_not_say_when_to_try_again_says_soon(attributes: dict[str, str]) -> None:
    error = from_reason("MOON_TOO_FULL", "", attributes, errors.Unavailable)
    assert isinstance(error, errors.Unavailable)
    assert error.retry_after == 1


def test_attributes_of_a_newer_server_are_passed_over() -> None:
    error = from_reason("CURSOR_PAST_END", "", {"cursor": "9", "end": "8", "moon": "full"})
    assert isinstance(error, errors.CursorPastEnd)
    assert (error.cursor, error.end) == (9, 8)


def test_an_ended_session_is_told_apart_from_every_fault_of_a_token() -> None:
    assert len({str(SessionInvalid(problem)) for problem in PROBLEMS}) == len(PROBLEMS)
    assert SessionInvalid().attributes() == {}  # as clients from before this attribute know it
    assert str(SessionInvalid("A_NEWER_SERVERS")) == str(SessionInvalid())
