"""The status codes: each error has its own, and errors are decoded as they were encoded."""

from __future__ import annotations

import dataclasses
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.error_reasons import BRANCHES, concrete_errors, from_reason
from chatbooth_grpc.booth.errors import ChatboothError, UnknownError
from chatbooth_grpc.wire.encoding.codes import CODES, OK, OTHER, decode_error, encode_error
from chatbooth_grpc.wire.encoding.primitives import BodyError, BodyWriter

GIVEN_AWAY = {
    "MALFORMED_REQUEST": 1,
    "REQUEST_TOO_LARGE": 2,
    "UNKNOWN_ACTION": 3,
    "UNSUPPORTED_VERSION": 4,
    "INVALID_USERNAME": 10,
    "INVALID_PASSWORD": 11,
    "INVALID_MESSAGE_ID": 12,
    "EMPTY_TEXT": 13,
    "TEXT_TOO_LONG": 14,
    "INVALID_PATTERN": 15,
    "INVALID_PREFIX": 16,
    "INVALID_PAGE_TOKEN": 17,
    "UNKNOWN_CONTENT_KIND": 18,
    "SESSION_INVALID": 20,
    "WRONG_CREDENTIALS": 21,
    "WRONG_PASSWORD": 22,
    "ACCOUNT_DISABLED": 23,
    "RECIPIENT_NOT_FOUND": 30,
    "USERNAME_TAKEN": 40,
    "MESSAGE_ID_REUSED": 41,
    "ALREADY_LISTENING": 42,
    "CURSOR_PAST_END": 50,
    "TOO_BUSY": 60,
    "STORE_FULL": 61,
    "STORE_UNAVAILABLE": 70,
    "SERVER_DRAINING": 71,
    "SERVER_UNREACHABLE": 72,
    "DEADLINE_EXCEEDED": 80,
    "INTERNAL": 90,
    "BLOCKS_ONESELF": 6,
    "BLOCKED": 100,
    "USERNAME_RESERVED": 43,
    "SIGN_UP_CLOSED": 102,
    "INVALID_LABEL": 7,
    "SESSION_NOT_FOUND": 31,
    "LIMIT_REACHED": 101,
    "INVITE_REQUIRED": 103,
    "INVITE_REFUSED": 104,
    "INVALID_INVITE": 8,
    "INVITE_NOT_FOUND": 32,
    "INVALID_TOKEN_LIMITS": 9,
    "TOKEN_NAME_TAKEN": 44,
    "NOT_PERMITTED": 105,
}
"""The codes that clients in the world know. Lines may be added, and are never changed."""

TAKEN = set(CODES.values())

VALUES: dict[type, st.SearchStrategy[object]] = {
    str: st.text(max_size=9),
    int: st.integers(),
    float: st.floats(0, 1e6),
}


def some(kind: type[ChatboothError]) -> st.SearchStrategy[ChatboothError]:
    """Errors of one kind, with any attributes of its types."""
    types = typing.get_type_hints(kind)
    fields = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]  # leaves are dataclasses
    return st.builds(kind, **{name: VALUES[types[name]] for name in fields})


# This is made once. Reading the types of a class for each example makes hypothesis find the generation too slow.
ERRORS = st.sampled_from(sorted(CODES, key=lambda kind: kind.reason)).flatmap(
    {kind: some(kind) for kind in CODES}.__getitem__
)


def test_every_error_has_a_code_of_its_own() -> None:
    assert set(CODES) == set(concrete_errors())
    assert len(set(CODES.values())) == len(CODES)
    assert not {OK, OTHER} & set(CODES.values())


def test_codes_never_change() -> None:
    assert {kind.reason: code for kind, code in CODES.items()}.items() >= GIVEN_AWAY.items()


@given(ERRORS)
def test_errors_come_back_as_they_went(error: ChatboothError) -> None:
    back = decode_error(encode_error(error))
    assert (type(back), back.attributes(), str(back)) == (type(error), error.attributes(), str(error))


@given(ERRORS, st.integers(1, 254))
def test_the_reason_decides_and_the_code_is_a_short_word_for_it(error: ChatboothError, code: int) -> None:
    encoded = encode_error(error)
    assert encoded[0] == CODES[type(error)]
    assert type(decode_error(bytes((code,)) + encoded[1:])) is type(error)


def test_an_error_of_a_newer_server_keeps_its_reason_and_words() -> None:
    for code in (99, OTHER):
        body = BodyWriter().fixed(bytes((code,))).string("NEWER").string("Upgrade.").varint(0).bytes()
        error = decode_error(body)
        assert isinstance(error, UnknownError)
        assert (error.reason, str(error)) == ("NEWER", "Upgrade.")
    assert encode_error(from_reason("NEWER", "Upgrade.", {}))[0] == OTHER


def test_an_error_of_a_newer_server_is_of_the_branch_of_its_codes_tens() -> None:
    for kind, known in CODES.items():
        tens = range(known // 10 * 10, known // 10 * 10 + 10)
        code = next((code for code in tens if code and code not in TAKEN), None)
        if code is None:
            continue
        body = BodyWriter().fixed(bytes((code,))).string("NEWER").string("Upgrade.").varint(0).bytes()
        error = decode_error(body)
        [branch] = [branch for branch in BRANCHES if issubclass(kind, branch)]
        assert isinstance(error, branch), (code, kind)
        assert (error.reason, str(error)) == ("NEWER", "Upgrade.")


def test_more_attributes_than_this_version_knows_do_no_harm() -> None:
    body = BodyWriter().fixed(b"\x14").string("SESSION_INVALID").string("words").varint(1).string("a").string("b")
    assert type(decode_error(body.bytes())).reason == "SESSION_INVALID"


@given(st.binary(max_size=60))
def test_arbitrary_bytes_raise_nothing_else(body: bytes) -> None:
    try:
        decode_error(body)
    except BodyError:
        return


@given(ERRORS, st.data())
def test_cut_off_errors_are_refused(error: ChatboothError, data: st.DataObject) -> None:
    encoded = encode_error(error)
    with pytest.raises(BodyError):
        decode_error(encoded[: data.draw(st.integers(0, len(encoded) - 1))])
