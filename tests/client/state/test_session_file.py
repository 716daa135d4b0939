"""A session's form in a file: a written one is read, and anything else is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.state.session_file import SavedSession, decode_saved_session
from tests.client.scripted import EPOCH, SESSION, delivery

SAVED = SavedSession("127.0.0.1:50051", SESSION, 41)
SESSIONS = st.builds(
    Session,
    st.binary(min_size=16, max_size=16),
    st.integers(0, 1 << 63),
    st.text(),
    st.binary(min_size=16, max_size=16),
)


@given(st.builds(SavedSession, st.text(), SESSIONS, st.integers(0, 1 << 63)))
def test_a_written_session_is_read(saved: SavedSession) -> None:
    assert decode_saved_session(saved.encode()) == saved


@given(st.binary() | st.from_regex(r"\{[^a]*\}|\[+", fullmatch=True).map(str.encode))
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whichever part is wrong
        decode_saved_session(content)


@pytest.mark.parametrize("field", ["format", "server", "username", "account_id", "token", "epoch", "shown_through"])
@pytest.mark.parametrize("value", [None, 1.5, True, [], "zz"])
def test_every_field_is_checked(field: str, value: object) -> None:
    record = json.loads(SAVED.encode())
    if isinstance(record[field], str) and field not in {"token", "epoch"} and value == "zz":
        return
    record[field] = value
    with pytest.raises(ValueError):  # noqa: PT011
        decode_saved_session(json.dumps(record).encode())
    del record[field]
    with pytest.raises(ValueError):  # noqa: PT011
        decode_saved_session(json.dumps(record).encode())


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode_saved_session(b"[" * 100_000)


def test_the_shown_sequence_counts_for_its_account_and_epoch_alone() -> None:
    assert SAVED.shown_of(7, EPOCH) == 41
    assert SAVED.shown_of(8, EPOCH) == 0
    assert SAVED.shown_of(7, bytes(16)) == 0


def test_the_shown_sequence_never_goes_back_within_an_epoch() -> None:
    opening = delivery().opening
    assert SAVED.with_shown(opening, 40).shown_through == 41
    assert SAVED.with_shown(opening, 42).shown_through == 42


def test_in_another_epoch_the_shown_sequence_starts_again() -> None:
    opening = replace(delivery().opening, epoch=bytes(16))
    renewed = SAVED.with_shown(opening, 3)
    assert (renewed.session.epoch, renewed.shown_through) == (bytes(16), 3)
    assert renewed.session.token == SESSION.token
