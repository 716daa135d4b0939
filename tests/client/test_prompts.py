"""Reading what is typed or piped in."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.client.failures import Misuse
from chatbooth_grpc.client.prompts import Prompts


def prompts(typed: bytes, err: io.StringIO | None = None) -> Prompts:
    return Prompts(io.BytesIO(typed), err or io.StringIO())


def test_lines_come_one_by_one_without_their_ends() -> None:
    reading = prompts(b"one\ntwo\r\n\nfour")
    assert [reading.line() for _ in range(4)] == ["one", "two", "", "four"]
    with pytest.raises(EOFError):
        reading.line()


def test_questions_go_to_standard_error() -> None:
    err = io.StringIO()
    prompts(b"x\n", err).line("Who? ")
    assert err.getvalue() == "Who? \n"


@given(st.text())
def test_a_text_is_read_as_it_is_less_one_line_break(text: str) -> None:
    assert prompts(f"{text}\n".encode()).rest(1_000) == text
    assert prompts(text.encode()).rest(1_000) == text.removesuffix("\n")


@pytest.mark.parametrize(("size", "fits"), [(9, True), (10, True), (11, False), (10_000, False)])
def test_a_text_has_a_largest_size(size: int, fits: bool) -> None:
    for end in (b"", b"\n"):
        reading = prompts(b"x" * size + end)
        if fits:
            assert len(reading.rest(10)) == size
        else:
            with pytest.raises(Misuse, match="more than 10 bytes"):
                reading.rest(10)


def test_a_text_is_never_cut_short() -> None:
    with pytest.raises(Misuse, match="more than 10 bytes"):
        prompts(b"x" * 10 + b"\n" + b"y").rest(10)


def test_ill_formed_input_says_where() -> None:
    with pytest.raises(Misuse, match="byte 3"):
        prompts(b"ab\xff").rest(10)
    with pytest.raises(Misuse, match="not UTF-8"):
        prompts(b"\xed\xa0\x80\n").line()
