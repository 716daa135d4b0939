"""The text that a person sees: it never steers a terminal, hides, or imitates a message."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.client.terminal.display import (
    INDENT,
    harmless_line,
    harmless_lines,
    harmless_name,
    local_time,
    shown_message,
    utc_time,
)

# Surrogates are among them.
ANY_TEXT = st.text(st.characters(codec=None))
TRICKS = st.lists(
    st.one_of(
        st.sampled_from(["\x1b[2J", "\x9b31m", "\r", "\r\n", "\n", "\t", "\0", "\x7f", "\u2028", "\u2029", "\ud800"]),
        st.sampled_from(["\u202e", "\u2066", "\u200b", "\u200c", "\u200d", "\ufeff", "\ufe0f", "\U000e0100"]),
        st.sampled_from(["\U000e0041", "\U0001f3f4", "a", "ب", "क", "👩", " "]),
    )
).map("".join)
SPACES_AND_JOINERS = "\u200c\u200d"


def is_dangerous(char: str) -> bool:
    """Return whether no text may show this character, in any context."""
    if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}:
        return True
    return unicodedata.bidirectional(char) in {
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "PDF",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
        "BN",
    } and (char not in SPACES_AND_JOINERS and not "\U000e0020" <= char <= "\U000e007f")


def text_message(text: str, sender: str = "ann", sequence: int = 12) -> Message:
    return Message(sequence, sender, 1, bytes(16), 1_760_000_000_000_000, text.encode(errors="replace"))


@given(ANY_TEXT | TRICKS)
@example("\u202etxt.exe\u2066")
def test_no_line_has_a_dangerous_character(text: str) -> None:
    for shown in (harmless_line(text), *harmless_lines(text), harmless_name(text)):
        assert not [char for char in shown if is_dangerous(char)]
        shown.encode()


@given(ANY_TEXT)
def test_a_name_shows_the_characters_of_usernames_and_escapes_others(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.\\-]*", harmless_name(name))


@given(ANY_TEXT | TRICKS, st.none() | st.integers(1, 90))
@example("x" * 70 + " 13  2026-01-01 00:00:00  bob: no", 60)
def test_no_text_imitates_the_line_of_another_message(text: str, columns: int | None) -> None:
    first, *rest = shown_message(text_message(text), columns).split("\n")
    assert first.startswith("12  ")
    assert all(line.startswith(INDENT) for line in rest)


@given(ANY_TEXT | TRICKS | st.text("ab cd 漢字👩 "), st.integers(20, 90))
def test_no_line_is_wider_than_the_terminal(text: str, columns: int) -> None:
    for line in shown_message(text_message(text), columns).split("\n"):
        assert sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line) <= columns


@given(st.text("ab cd漢字", min_size=1), st.integers(20, 90))
def test_wrapping_loses_nothing(text: str, columns: int) -> None:
    whole = shown_message(text_message(text))
    wrapped = shown_message(text_message(text), columns)
    assert "".join(line.removeprefix(INDENT) for line in wrapped.split("\n")) == whole


@pytest.mark.parametrize(
    "text",
    [
        "plain text, with punctuation: \\x1b is only typed here",
        "Grüße, naïve café",
        "漢字かな交じり文 한국어",
        "葛\U000e0100飾区",  # an ideograph's variant
        "שלום עולם",
        "مرحبا بالعالم",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # a Persian verb needs its joiner
        "क्\u200dष",  # and so may a Devanagari cluster
        "👩\u200d👩\u200d👧\u200d👦 and 🏳️\u200d🌈",
        "1️⃣ ❤️ 🇸🇬",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland
        "non\u00a0breaking, 　ideographic space",
    ],
)
def test_every_script_and_emoji_is_shown_unchanged(text: str) -> None:
    assert harmless_line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\x00b\x7f", r"a\x00b\x7f"),
        ("\x9b1m", r"\x9b1m"),
        ("\u202eexe.txt", r"\u202eexe.txt"),
        ("pay\u200bpal", r"pay\u200bpal"),
        ("pay\u200dpal", r"pay\u200dpal"),  # joins nothing
        ("\u2028fake", r"\u2028fake"),
        ("a\ufe0f\ufe0f", "a\ufe0f" + r"\ufe0f"),
        ("a\U000e0041", r"a\U000e0041"),  # a hidden letter
        ("ㅤ", r"\u3164"),  # a letter drawn as nothing
        ("\ud800", r"\ud800"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
    ],
)
def test_tricks_become_visible(text: str, shown: str) -> None:
    assert harmless_line(text) == shown


def test_lines_and_tabs_of_a_text_stay_readable() -> None:
    assert harmless_lines("one\r\ntwo\n\n\tthree\rfour") == ["one", "two", "", "    three" + r"\rfour"]


def test_a_message_is_shown_with_its_number_time_and_sender() -> None:
    shown = shown_message(text_message("tea?\nnow"))
    assert shown == f"12  {local_time(1_760_000_000_000_000)}  ann: tea?\n    now"


def test_a_hostile_senders_name_is_escaped() -> None:
    assert r"  ann\x3a\x20hi\n13: tea?" in shown_message(text_message("tea?", sender="ann: hi\n13"))


def test_times_are_local_and_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    assert utc_time(1_760_000_000_123_456) == "2025-10-09T08:53:20.123456Z"
    assert re.fullmatch(r"2025-10-\d\d \d\d:\d\d:20", local_time(1_760_000_000_123_456))


@pytest.mark.parametrize("microseconds", [-(1 << 63), 1 << 63, -62_135_596_800_000_000, 253_402_300_799_999_999])
def test_no_time_is_too_far_to_be_shown(microseconds: int) -> None:
    assert local_time(microseconds)
    assert utc_time(microseconds)
