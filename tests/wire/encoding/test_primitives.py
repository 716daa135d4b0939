"""The primitives of bodies: each value has one encoding. Other bytes are a BodyError."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatbooth_grpc.wire.encoding.primitives import (
    BodyError,
    BodyReader,
    BodyWriter,
    decode_empty,
    decode_number,
    encode_empty,
    encode_extension,
    encode_varint,
)

numbers = st.integers(0, (1 << 64) - 1)
Take = Callable[[BodyReader], object]

TAKES: dict[str, Take] = {
    "varint": BodyReader.varint,
    "fixed": lambda reader: reader.fixed(3),
    "sized": BodyReader.sized,
    "string": BodyReader.string,
    "text": BodyReader.text,
    "flag": BodyReader.flag,
    "finish": BodyReader.finish,
}


@given(numbers)
@example(0)
@example(127)
@example(128)
@example((1 << 64) - 1)
def test_a_number_has_one_encoding_and_no_byte_too_many(number: int) -> None:
    encoded = encode_varint(number)
    reader = BodyReader(encoded)
    assert reader.varint() == number
    assert reader.is_at_end
    assert len(encoded) == max(1, -(-number.bit_length() // 7))


@given(st.binary(max_size=12))
def test_whatever_is_read_as_a_number_is_its_encoding(body: bytes) -> None:
    reader = BodyReader(body)
    try:
        number = reader.varint()
    except BodyError:
        return
    assert number < 1 << 64
    assert body.startswith(encode_varint(number))


@pytest.mark.parametrize(
    "encoded",
    [b"", b"\x80", b"\x80\x00", b"\xff\x80\x00", b"\xff" * 10, b"\x80" * 9 + b"\x02", b"\x80" * 10 + b"\x01"],
    ids=bytes.hex,
)
def test_other_numbers_are_refused(encoded: bytes) -> None:
    with pytest.raises(BodyError):
        BodyReader(encoded).varint()


@given(st.lists(st.text(max_size=200) | st.binary(max_size=200) | numbers | st.booleans(), max_size=6))
def test_fields_come_back_in_their_order(values: list[str | bytes | int | bool]) -> None:
    writer = BodyWriter()
    for value in values:
        match value:
            case bool():
                writer.fixed(bytes((value,)))
            case int():
                writer.varint(value)
            case str():
                writer.string(value)
            case bytes():
                writer.sized(value)
    reader = BodyReader(writer.bytes())
    for value in values:
        match value:
            case bool():
                assert reader.flag() is value
            case int():
                assert reader.varint() == value
            case str():
                assert reader.string() == value
            case bytes():
                assert reader.sized() == value
    reader.finish()


@pytest.mark.parametrize("take", TAKES.values(), ids=TAKES)
@given(body=st.binary(max_size=20), start=st.integers(0, 3))
def test_no_bytes_raise_anything_but_a_body_error(take: Take, body: bytes, start: int) -> None:
    reader = BodyReader(body)
    try:
        reader.fixed(start)
        take(reader)
    except BodyError:
        return


@pytest.mark.parametrize("size", [1 << 32, (1 << 64) - 1])
def test_a_size_past_the_end_is_refused_before_anything_is_made_of_it(size: int) -> None:
    with pytest.raises(BodyError, match="too short"):
        BodyReader(encode_varint(size) + b"abc").sized()


@pytest.mark.parametrize("ill_formed", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"ab\xe2\x82"])
def test_strings_are_utf_8(ill_formed: bytes) -> None:
    body = BodyWriter().sized(ill_formed).bytes()
    for take in (BodyReader.string, BodyReader.text):
        with pytest.raises(BodyError, match="UTF-8"):
            take(BodyReader(body))


def test_a_flag_is_nought_or_one() -> None:
    assert [BodyReader(bytes((value,))).flag() for value in (0, 1)] == [False, True]
    with pytest.raises(BodyError):
        BodyReader(b"\x02").flag()


@given(st.lists(st.tuples(st.integers(1, (1 << 64) - 1), st.binary(max_size=9)), max_size=4))
def test_extensions_are_skipped(extensions: list[tuple[int, bytes]]) -> None:
    writer = BodyWriter().varint(7)
    for tag, value in extensions:
        writer.varint(tag).sized(value)
    reader = BodyReader(writer.bytes())
    assert reader.varint() == 7
    reader.finish()


@pytest.mark.parametrize("rest", [b"\x00", b"\x01", b"\x01\x05ab", b"\x00\x00", b"\x01\x00\x00"], ids=bytes.hex)
def test_anything_else_left_over_is_refused(rest: bytes) -> None:
    with pytest.raises(BodyError):
        BodyReader(rest).finish()


@given(st.none() | numbers)
def test_a_number_may_be_absent(value: int | None) -> None:
    assert BodyReader(BodyWriter().optional(value).bytes()).optional() == value


def test_extensions_are_skipped_and_anything_else_refused() -> None:
    body = encode_varint(7)
    assert decode_number(body + b"\x01\x02ab" + b"\x05\x00") == 7
    for rest in (b"\x00", b"\x01", b"\x01\x05ab"):
        with pytest.raises(BodyError):
            decode_number(body + rest)


def test_an_extension_without_a_value_is_left_out() -> None:
    body = encode_extension(3, b"ab") + encode_extension(4, b"")
    assert BodyReader(body).extensions() == {3: b"ab"}


@given(st.binary(max_size=8))
def test_an_empty_body_has_nothing_but_extensions(body: bytes) -> None:
    assert encode_empty(None) == b""
    if not body:
        decode_empty(body)
    elif body[0] == 0:
        with pytest.raises(BodyError):
            decode_empty(body)
