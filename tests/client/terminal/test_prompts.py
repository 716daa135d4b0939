"""Reading typed or piped input."""

from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.terminal.prompts import Prompts


def prompts(typed: bytes, err: io.StringIO | None = None) -> Prompts:
    return Prompts(io.BytesIO(typed), err or io.StringIO())


def test_lines_come_one_by_one_without_their_line_breaks() -> None:
    reading = prompts(b"one\ntwo\r\n\nfour")
    assert [reading.line() for _ in range(4)] == ["one", "two", "", "four"]
    with pytest.raises(EOFError):
        reading.line()


def test_questions_go_to_standard_error() -> None:
    err = io.StringIO()
    prompts(b"x\n", err).line("Who? ")
    assert err.getvalue() == "Who? \n"


@given(st.text())
def test_a_text_is_read_unchanged_without_its_last_line_break(text: str) -> None:
    text = text.lstrip("\ufeff")
    assert prompts(f"{text}\n".encode()).rest(1_000) == text.removesuffix("\r")
    assert prompts(f"{text}\r\n".encode()).rest(1_000) == text
    assert prompts(f"\ufeff{text}\n\n".encode()).rest(1_000) == f"{text}\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a\n", "a"),
        (b"a\r\n", "a"),
        (b"a\r\n\r\n", "a\r\n"),
        (b"a\n\n", "a\n"),
        (b"a\r", "a\r"),
        (b"\xef\xbb\xbfa\r\nb\r\n", "a\r\nb"),
        (b"\xef\xbb\xbf\xef\xbb\xbfa", "\ufeffa"),
        (b"\xef\xbb\xbf", ""),
    ],
)
def test_one_line_break_and_a_byte_order_mark_are_not_content(content: bytes, text: str) -> None:
    assert prompts(content).rest(1_000) == text


def test_only_the_first_line_may_have_a_byte_order_mark() -> None:
    reading = prompts(b"\xef\xbb\xbfone\r\n\xef\xbb\xbftwo\r")
    assert [reading.line(), reading.line()] == ["one", "\ufefftwo\r"]


def test_neither_a_line_that_is_too_long_nor_its_rest_is_an_answer() -> None:
    reading = prompts(b"x" * ((1 << 20) + 1) + b"y\nnext\n")
    with pytest.raises(Misuse, match="more than 1,048,576 bytes"):
        reading.line()
    assert reading.line() == "next"


@pytest.mark.parametrize(("size", "fits"), [(9, True), (10, True), (11, False), (10_000, False)])
def test_a_text_has_a_largest_size(size: int, fits: bool) -> None:
    for start, end in itertools.product((b"", b"\xef\xbb\xbf"), (b"", b"\n", b"\r\n")):
        reading = prompts(start + b"x" * size + end)
        if fits:
            assert len(reading.rest(10)) == size
        else:
            with pytest.raises(Misuse, match="more than 10 bytes"):
                reading.rest(10)


def test_a_text_that_is_too_long_is_refused_and_not_cut() -> None:
    with pytest.raises(Misuse, match="more than 10 bytes"):
        prompts(b"x" * 10 + b"\n" + b"y").rest(10)


def test_the_error_of_malformed_input_says_where_it_is() -> None:
    with pytest.raises(Misuse, match="byte 3"):
        prompts(b"ab\xff").rest(10)
    with pytest.raises(Misuse, match="not UTF-8"):
        prompts(b"\xed\xa0\x80\n").line()
