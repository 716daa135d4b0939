"""Lines of JSON as messages: numbered, bounded, with ids that the next run makes again."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.errors import ChatboothError, EmptyText, InvalidUsername, TextTooLong
from chatbooth_grpc.booth.model import MAX_TEXT_SIZE, OutgoingMessage, Session
from chatbooth_grpc.client.commands.tasks import message_lines
from chatbooth_grpc.client.commands.tasks.message_lines import BadLine, read_lines, repeatable_ids

SESSION = Session(b"t" * 16, 7, "ann", bytes(range(16)))
HELLO = b'{"recipient": "ben", "text": "Hello!"}'


def numbered(number: int) -> bytes:
    return number.to_bytes(16, "big")


def lines(content: bytes) -> list[message_lines.Line]:
    return [*read_lines(io.BytesIO(content), numbered)]


def one(content: bytes) -> OutgoingMessage | BadLine | ChatboothError:
    [line] = lines(content)
    return line.message


def test_lines_are_numbered_and_blank_ones_are_skipped() -> None:
    found = lines(b"\xef\xbb\xbf" + HELLO + b"\r\n\n  \n" + HELLO + b"\n" + HELLO)
    assert [line.number for line in found] == [1, 4, 5]
    assert [line.message for line in found] == [OutgoingMessage("ben", numbered(n), b"Hello!") for n in (1, 4, 5)]
    assert found[-1].end == 3 * len(HELLO) + 3 + 2 + 4 + 1


def test_a_line_may_have_an_id_and_a_name_in_capitals() -> None:
    fields = {"text": "tea \N{TEACUP WITHOUT HANDLE}", "message_id": "0193A000-0000-7000-8000-0000000000aa"}
    message = one(json.dumps({**fields, "recipient": "Ben"}).encode())
    expected = bytes.fromhex("0193a0000000700080000000000000aa")
    assert message == OutgoingMessage("ben", expected, fields["text"].encode())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "not JSON: Expecting value, at character 1"),
        (HELLO + HELLO, "not JSON"),
        (b'"ben"', "not a JSON object"),
        (b"[" * 100_000, "cannot be read"),
        (b"[" + b"1" * 5_000 + b"]", ""),
        (b"\xff" + HELLO, "byte 1 "),
        (HELLO.decode().encode("utf-16"), "not UTF-8"),
        (b'{"text": "x"}', "recipient is missing"),
        (b'{"recipient": "ben"}', "text is missing"),
        (b'{"recipient": "ben", "text": 5}', "text is not a string"),
        (b'{"recipient": null, "text": "x"}', "recipient is not a string"),
        (b'{"recipient": "ben", "text": "x", "txet": "x"}', '"txet"'),
        (b'{"recipient": "ben", "text": "\\ud800"}', "surrogate"),
        (b'{"recipient": "ben", "text": "x", "message_id": "00"}', "32 hex digits"),
        (b'{"recipient": "ben", "text": "x", "message_id": "%s"}' % (b"0" * 32), "32 hex digits"),
        (b'{"recipient": "ben", "text": "x", "message_id": "%s"}' % (b"zz" * 16), "32 hex digits"),
    ],
)
def test_a_bad_line_says_why(content: bytes, words: str) -> None:
    error = one(content)
    assert isinstance(error, BadLine)
    assert words in str(error)
    assert len(str(error)) < 200


@pytest.mark.parametrize(
    ("recipient", "text", "kind"),
    [
        ("a b", "x", InvalidUsername),
        ("\ud800", "x", InvalidUsername),
        ("ben", "", EmptyText),
        ("ben", "x" * (MAX_TEXT_SIZE + 1), TextTooLong),
    ],
)
def test_a_message_that_no_server_accepts_is_refused_by_the_client(
    recipient: str, text: str, kind: type[ChatboothError]
) -> None:
    assert isinstance(one(json.dumps({"recipient": recipient, "text": text}).encode()), kind)


def test_the_largest_text_fits_a_line_however_it_is_escaped() -> None:
    longest = b'{"recipient": "%s", "text": "%s"}' % (b"b" * 32, b"\\u0001" * MAX_TEXT_SIZE)
    assert len(longest) < message_lines.MAX_LINE_SIZE
    message = one(longest)
    assert isinstance(message, OutgoingMessage)
    assert message.content == b"\x01" * MAX_TEXT_SIZE


@pytest.mark.parametrize("ending", [b"", b"\n", b"\n" + HELLO])
def test_too_long_a_line_is_skipped(ending: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_lines, "MAX_LINE_SIZE", 100)
    monkeypatch.setattr(message_lines, "_READ_SIZE", 7)
    for size in (101, 102, 150, 1_000):
        content = HELLO + b"\n" + b"x" * size + ending
        first, long, *rest = lines(content)
        assert isinstance(first.message, OutgoingMessage)
        assert isinstance(long.message, BadLine)
        assert "100 bytes" in str(long.message)
        assert [line.number for line in rest] == ([3] if HELLO in ending else [])
        assert (rest or [long])[-1].end == len(content)


def test_no_more_lines_are_read_than_were_asked_for() -> None:
    content = HELLO + b"\n" + HELLO + b"\n"
    size = len(content)
    assert len([*read_lines(io.BytesIO(content + HELLO), numbered, size)]) == 2
    assert [*read_lines(io.BytesIO(content), numbered, 0)] == []


def test_ids_are_in_the_order_of_the_lines_and_the_next_run_makes_the_same() -> None:
    file = io.BytesIO(HELLO * 3)
    make_id, size = repeatable_ids(file, SESSION)
    ids = [make_id(number) for number in (1, 2, 255, 256, 1 << 40)]
    assert size == len(HELLO) * 3
    assert file.tell() == 0
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {16}
    again, _ = repeatable_ids(io.BytesIO(HELLO * 3), SESSION)
    assert again(256) == ids[3]


def test_other_files_and_other_senders_have_other_ids() -> None:
    others = [
        (HELLO, SESSION),
        (HELLO + b"\n", SESSION),
        (b"", SESSION),
        (HELLO, Session(SESSION.token, 8, "ann", SESSION.epoch)),
    ]
    assert len({repeatable_ids(io.BytesIO(content), session)[0](1) for content, session in others}) == len(others)


def test_another_log_in_of_the_same_account_makes_the_same_ids() -> None:
    """This holds after a restore from a backup, too, which has the ids that were stored before it."""
    again = Session(b"u" * 16, SESSION.account_id, "ann", bytes(16))
    assert repeatable_ids(io.BytesIO(HELLO), again)[0](1) == repeatable_ids(io.BytesIO(HELLO), SESSION)[0](1)


@given(st.lists(st.binary(max_size=60) | st.just(HELLO)))
def test_one_line_never_affects_another(contents: list[bytes]) -> None:
    content = b"\n".join(contents)
    physical = content.split(b"\n")
    found = lines(content)
    assert [line.number for line in found] == [number for number, each in enumerate(physical, 1) if each.strip()]
    for line in found:
        assert isinstance(line.message, OutgoingMessage) == (physical[line.number - 1].strip() == HELLO)
