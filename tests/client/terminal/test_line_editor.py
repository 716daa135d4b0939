"""The line editor: keys edit, a paste is one answer, and no input steers the terminal."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.client.terminal.line_editor import LineEditor

START, END = b"\x1b[200~", b"\x1b[201~"


def typed(*chunks: bytes, multiline: bool = False, most: int = 1_000) -> LineEditor:
    editor = LineEditor(most, multiline=multiline)
    for chunk in chunks:
        editor.feed(chunk)
    return editor


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (b"hi\r", "hi"),
        (b"hi\n", "hi"),
        (b"hi\x7f\x7f\x7fho\r", "ho"),
        (b"one two \x17three\r", "one three"),
        (b"one two\x15three\r", "three"),
        ("grüße 👋\x7f漢\r".encode(), "grüße 漢"),
        (b"a\x1b[Ab\x1bOPc\x1b[1;5Dd\x1bxe\r", "abcdxe"),
        (b"a\x00\x01\x0cb\tc\r", "ab\tc"),
        (b"x\x04y\r", "xy"),
    ],
)
def test_keys_edit_the_line(keys: bytes, text: str) -> None:
    for chunks in ([keys], [keys[index : index + 1] for index in range(len(keys))]):
        editor = typed(*chunks)
        assert (editor.is_done, editor.is_end, editor.text) == (True, False, text)


def test_ctrl_d_on_an_empty_line_ends_the_input() -> None:
    assert typed(b"\x04").is_end
    assert typed(b"a\x7f\x04").is_end
    assert not typed(b"a\x04").is_done


@pytest.mark.parametrize("line_break", [b"\r", b"\n", b"\r\n"])
def test_a_marked_paste_is_one_answer_and_waits_for_enter(line_break: bytes) -> None:
    content = line_break.join([b"one", b"two", b"5", b""])
    editor = typed(START + content + END)
    assert not editor.is_done
    editor.feed(b"\r")
    assert (editor.is_done, editor.text) == (True, "one\ntwo\n5\n")


@given(st.text(max_size=50), st.lists(st.integers(1, 70), max_size=5))
def test_a_marked_paste_is_the_same_in_any_pieces(content: str, cuts: list[int]) -> None:
    content = content.replace("\x1b", "")
    data = b"a" + START + content.encode() + END + b"z\r"
    places = sorted({0, *cuts, len(data)})
    editor = typed(*(data[first:last] for first, last in itertools.pairwise(places)))
    assert editor.is_done
    assert editor.text == f"a{content}z".replace("\r\n", "\n").replace("\r", "\n")


def test_keys_inside_a_paste_are_content_and_never_reach_the_screen() -> None:
    editor = LineEditor(1_000)
    echo = editor.feed(START + b"a\x7f\x15\x04\x1b[2J\x1b]0;t\x07" + "\u202e".encode() + END + b"\r")
    assert editor.text == "a\x7f\x15\x04\x1b[2J\x1b]0;t\x07\u202e"
    assert echo.isprintable()


def test_without_marks_a_line_break_followed_by_more_input_is_part_of_a_paste() -> None:
    assert typed(b"one\rtwo\r5\r").text == "one\ntwo\n5"
    editor = LineEditor(1_000)
    editor.feed(b"one\r", more=True)
    assert not editor.is_done
    editor.feed(b"two\r")
    assert (editor.is_done, editor.text) == (True, "one\ntwo")


def test_several_lines_end_with_ctrl_d_on_an_empty_one() -> None:
    editor = typed(b"one\r", b"two\x04\r", multiline=True)
    assert not editor.is_done
    editor.feed(b"\x7f\x04")
    assert (editor.is_done, editor.is_end, editor.text) == (True, False, "one\ntwo\n")


def test_backspace_removes_what_the_screen_shows() -> None:
    editor = LineEditor(1_000)
    assert editor.feed("漢".encode()) == "漢"
    assert editor.feed(b"\x7f") == "\b\b  \b\b"
    editor.feed(b"\t")
    assert editor.feed(b"\x7f") == "\b" * 4 + " " * 4 + "\b" * 4
    editor.feed(START + b"up\rdown" + END)
    assert editor.feed(b"\x15") == "\b" * 4 + " " * 4 + "\b" * 4
    assert editor.feed(b"\x7f") == ""
    assert editor.text == "up\n"


def test_a_line_has_a_largest_size() -> None:
    editor = typed(b"x" * 10, b"y\r", most=10)
    assert (editor.is_done, editor.is_too_long, editor.text) == (True, True, "x" * 10)
    assert not typed(b"x" * 10 + b"\r", most=10).is_too_long


def test_a_byte_that_is_not_utf_8_is_found() -> None:
    assert typed(b"a\xffb\r").text == "a\udcffb"


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_no_input_breaks_it_or_steers_the_screen(chunks: list[bytes]) -> None:
    editor = LineEditor(50)
    for chunk in chunks:
        echo = editor.feed(chunk, more=True)
        assert all(char in "\n\b" or char >= " " for char in echo)
        assert len(editor.text) <= 50
