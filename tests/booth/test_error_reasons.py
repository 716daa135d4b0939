"""An error is built again from its reason and attributes, even one of a newer server."""

from __future__ import annotations

import dataclasses
from typing import get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbooth_grpc.booth import errors
from chatbooth_grpc.booth.error_reasons import BRANCHES, concrete_errors, from_reason
from chatbooth_grpc.booth.errors import ChatboothError, UnknownError

CONCRETE = sorted(concrete_errors(), key=lambda kind: kind.__name__)


VALUES: dict[type, st.SearchStrategy[object]] = {
    str: st.text(max_size=40),
    int: st.integers(),
    float: st.floats(allow_nan=False),
}


def some(kind: type[ChatboothError]) -> st.SearchStrategy[ChatboothError]:
    """Errors of one kind, with any attributes."""
    types = get_type_hints(kind)
    assert dataclasses.is_dataclass(kind)
    return st.builds(kind, **{field.name: VALUES[types[field.name]] for field in dataclasses.fields(kind)})


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


@settings(max_examples=25)
@given(message=st.text(), attributes=st.dictionaries(st.text(), st.text()))
def test_a_reason_of_a_newer_server_keeps_its_own_words(message: str, attributes: dict[str, str]) -> None:
    error = from_reason("MOON_TOO_FULL", message, attributes)
    assert type(error) is UnknownError
    assert (error.reason, str(error), error.attributes()) == ("MOON_TOO_FULL", message, {})
    assert UnknownError("ANOTHER", "").reason == "ANOTHER"
    # The reason of an instance never becomes the reason of the class.
    assert ChatboothError.reason == "UNKNOWN"


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
