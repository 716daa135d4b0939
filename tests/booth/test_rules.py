"""The rules for usernames, prefixes, passwords, texts by their bytes, and message ids."""

from __future__ import annotations

import base64
import string
import sys
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatbooth_grpc.booth.errors import (
    EmptyText,
    InvalidMessageId,
    InvalidPassword,
    InvalidPrefix,
    InvalidUsername,
    SessionInvalid,
    TextTooLong,
    UnknownContentKind,
)
from chatbooth_grpc.booth.model import ContentKind, OutgoingMessage
from chatbooth_grpc.booth.rules import (
    MAX_PASSWORD_SIZE,
    MIN_PASSWORD_SIZE,
    check_outgoing,
    check_token,
    checked_new_password,
    folded_prefix,
    folded_username,
    normal_password,
    problem_of_unknown,
    token_from_hex,
)

FIRST = string.ascii_letters + string.digits
REST = FIRST + "_.-"
MESSAGE_ID = bytes(15) + b"\1"

usernames = st.builds(str.__add__, st.sampled_from(FIRST), st.text(REST, max_size=31))
# LATIN LONG S and KELVIN, which elsewhere fold to s and k, are among these.
near_usernames = st.text() | st.text(
    REST + "\u017f\u212aé\n\0 @",
    max_size=34,
)


def is_username(text: str) -> bool:
    """The rule in another form."""
    return 1 <= len(text) <= 32 and set(text) <= set(REST) and text[0] in FIRST


@given(usernames)
def test_usernames_are_folded(name: str) -> None:
    folded = folded_username(name)
    assert folded == name.lower()
    assert folded_username(folded) == folded
    assert folded_username(name.upper()) == folded


@given(near_usernames)
@example("")
@example("bob\n")
@example("-bob")
@example("a" * 32)
@example("a" * 33)
@example("\u212aelvin")
def test_only_usernames_are_usernames(text: str) -> None:
    if is_username(text):
        folded_username(text)
    else:
        with pytest.raises(InvalidUsername) as refusal:
            folded_username(text, "recipient")
        assert refusal.value.field == "recipient"


@given(usernames, st.integers(0, 32))
def test_the_start_of_a_username_is_a_prefix(name: str, length: int) -> None:
    assert folded_username(name).startswith(folded_prefix(name[:length]))


@given(near_usernames)
@example("a" * 33)
@example(".")
@example("a\n")
def test_nothing_else_is_a_prefix(text: str) -> None:
    if text == "" or is_username(text):
        assert folded_prefix(text) == text.lower()
    else:
        with pytest.raises(InvalidPrefix):
            folded_prefix(text)


@given(st.text(max_size=200))
@example("é" * 4)
@example("Å\u212b\u0323")
@example("각" * 300)
def test_a_password_is_the_same_however_it_is_composed(password: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, password) for form in ("NFC", "NFD"))
    assert normal_password(composed) == normal_password(decomposed) == normal_password(password) == composed.encode()


def test_passwords_that_only_look_alike_differ() -> None:
    assert normal_password("ﬁnest password") != normal_password("finest password")
    assert normal_password("Password") != normal_password("password")
    assert normal_password(" password") != normal_password("password")


@given(st.text(min_size=0, max_size=20) | st.text("aé漢", min_size=1018, max_size=1026))
@example("a" * 7)
@example("a" * 8)
@example("éé" + "漢")
@example("é" * 4)
@example("a" * 1024)
@example("a" * 1025)
@example("é" * 512 + "a")
# It has 1,536 bytes as typed and 1,024 bytes composed.
@example("e\u0301" * 512)
# This is the longest sequence that NFC composes into one character: 8 bytes into 3.
@example("\u03b1\u0313\u0300\u0345" * 341)
def test_password_sizes_count_bytes_of_the_composed_form(password: str) -> None:
    size = len(unicodedata.normalize("NFC", password).encode())
    if MIN_PASSWORD_SIZE <= size <= MAX_PASSWORD_SIZE:
        assert len(checked_new_password(password, "password")) == size
    else:
        with pytest.raises(InvalidPassword) as refusal:
            checked_new_password(password, "new_password")
        assert (refusal.value.field, refusal.value.minimum, refusal.value.maximum) == ("new_password", 8, 1024)


def test_a_hostile_password_is_refused_in_no_time() -> None:
    """To normalize this many combining marks takes seconds, a mebibyte of them hours, with the GIL held."""
    started = time.thread_time()
    with pytest.raises(InvalidPassword):
        checked_new_password("a" + "\u0301" * 20_000 + "\u0323" * 20_000, "password")
    assert time.thread_time() - started < 0.5


def test_no_character_decomposes_into_more_than_a_password_that_is_left_as_it_is_allows_for() -> None:
    characters = map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)])
    assert max(len(unicodedata.normalize("NFD", character)) for character in characters) == 4


@given(st.text(max_size=100) | st.text("aé漢😀", max_size=100), st.integers(1, 200))
@example("😀", 4)
@example("😀", 3)
@example("a", 1)
@example("", 1)
def test_texts_are_measured_in_bytes(text: str, limit: int) -> None:
    content = text.encode()
    message = OutgoingMessage("bob", MESSAGE_ID, content)
    if not content:
        with pytest.raises(EmptyText):
            check_outgoing(message, limit)
    elif len(content) > limit:
        with pytest.raises(TextTooLong) as refusal:
            check_outgoing(message, limit)
        assert (refusal.value.size, refusal.value.limit, refusal.value.field) == (len(content), limit, "text")
    else:
        check_outgoing(message, limit)


@given(st.integers(0, 255).filter(lambda kind: kind != ContentKind.TEXT), st.binary(max_size=9))
def test_only_a_text_is_taken(kind: int, content: bytes) -> None:
    with pytest.raises(UnknownContentKind) as refusal:
        check_outgoing(OutgoingMessage("bob", MESSAGE_ID, content, kind), 4)
    assert refusal.value.kind == kind
    assert f"kind {kind}" in str(refusal.value)


@given(st.binary(max_size=20) | st.binary(min_size=16, max_size=16))
@example(bytes(16))
@example(bytes(15))
@example(bytes(17))
@example(b"\1" * 15)
@example(b"")
def test_message_ids_are_16_bytes_and_not_all_zero(message_id: bytes) -> None:
    message = OutgoingMessage("bob", message_id, b"hi")
    if len(message_id) == 16 and any(message_id):
        check_outgoing(message, 2)
    else:
        with pytest.raises(InvalidMessageId):
            check_outgoing(message, 2)


TOKEN = bytes(range(0xF0, 0x100))


@given(st.binary(min_size=16, max_size=16).filter(any))
def test_sixteen_bytes_are_a_token_and_its_hex_digits_too(token: bytes) -> None:
    check_token(token)
    assert token_from_hex(token.hex()) == token_from_hex(token.hex().upper()) == token


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        (None, "MISSING"),
        (b"", "MISSING"),
        ("", "MISSING"),
        (bytes(16), "MISSING"),
        (TOKEN.hex(), "NOT_BYTES"),
        (7, "NOT_BYTES"),
        (bytearray(TOKEN), "NOT_BYTES"),
        (TOKEN[1:], "WRONG_SIZE"),
        (TOKEN * 2, "WRONG_SIZE"),
        (TOKEN.hex().encode(), "HEX"),
        (base64.b64encode(TOKEN), "BASE64"),
        (base64.urlsafe_b64encode(TOKEN), "BASE64"),
    ],
)
def test_a_refusal_names_the_fault_of_a_token(token: object, problem: str) -> None:
    with pytest.raises(SessionInvalid) as refused:
        check_token(token)
    assert refused.value.problem == problem


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        (TOKEN, ""),
        (bytes(15) + b"\x01", ""),
        (TOKEN.hex().encode()[:16], "HEX"),
        (base64.b64encode(TOKEN)[:16], "BASE64"),
        (base64.urlsafe_b64encode(TOKEN)[:16], "BASE64"),
    ],
)
def test_an_unknown_token_that_is_the_beginning_of_text_is_named(token: bytes, problem: str) -> None:
    check_token(token)
    assert problem_of_unknown(token) == problem


@pytest.mark.parametrize(
    ("digits", "problem"),
    [
        ("", "MISSING"),
        (TOKEN.hex()[:-1], "WRONG_SIZE"),
        (TOKEN.hex() * 2, "WRONG_SIZE"),
        ("g" + TOKEN.hex()[1:], "NOT_HEX"),
        ("\u0660" * 32, "NOT_HEX"),
        (f"{TOKEN.hex()[:15]} {TOKEN.hex()[16:]}", "NOT_HEX"),
        (f"0x{TOKEN.hex()}", "NOT_HEX"),
        (base64.b64encode(TOKEN).decode(), "BASE64"),
        (base64.b64encode(TOKEN).decode().rstrip("="), "BASE64"),
        (base64.urlsafe_b64encode(TOKEN).decode(), "BASE64"),
    ],
)
def test_a_refusal_names_the_fault_of_a_written_token(digits: str, problem: str) -> None:
    with pytest.raises(SessionInvalid) as refused:
        token_from_hex(digits)
    assert refused.value.problem == problem
    assert not digits or digits not in str(refused.value)
