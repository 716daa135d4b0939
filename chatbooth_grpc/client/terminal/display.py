"""Showing names and texts to a person, with every deceptive character made visible."""

# A character that could steer a terminal or deceive a reader is shown as an escape, as Python writes it: `\x1b`,
# `\u202e`. A text cannot look like the line of another message: its further lines are indented and, on a terminal,
# wrapped here. A text cannot hide a part of itself either.

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta, timezone

from chatbooth_grpc.booth.model import Message

INDENT = "    "
"""The start of the further lines of a message. The first line starts with a digit."""

_TAB = "    "
_NARROWEST = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_INVISIBLE = re.compile(
    "["
    # Characters that are drawn as nothing.
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\uffa0\ufff0-\ufff8"
    # Code points that are not characters, and tags.
    "\ufdd0-\ufdef\U000e0000-\U000e0fff"
    "]"
)
_VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# Persian and Indic words and families of emoji need joiners.
_JOINERS = "\u200c\u200d"
# A selector picks the form of the character before it, for example its emoji form.
_SELECTOR = re.compile("[\ufe00-\ufe0f]")
_IDEOGRAPH_SELECTOR = re.compile("[\U000e0100-\U000e01ef]")
# The flag of a part of a country, for example of Scotland.
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")


def harmless_name(name: str) -> str:
    """Return a username as it may be shown. Characters that no username may have are escaped."""
    return re.sub(r"[^A-Za-z0-9_.-]", _escaped, name)


def harmless_line(text: str) -> str:
    """Return a text as one line. Line breaks and tabs are escaped too."""
    return re.sub(r"[\n\t]", _escaped, _harmless(text))


def harmless_lines(text: str) -> list[str]:
    """Return the lines of a text, with spaces for tabs."""
    lines = text.replace("\r\n", "\n").split("\n")
    return [_harmless(line).replace("\t", _TAB) for line in lines]


def shown_message(message: Message, columns: int | None = None) -> str:
    """Return a message as it is shown, without a line break at its end.

    `columns` is the width of the terminal, at which lines are wrapped. None means that there is no terminal, so that
    lines stay whole.
    """
    head = f"{message.sequence}  {local_time(message.accept_time)}  {harmless_name(message.sender)}: "
    first, *rest = harmless_lines(message.text)
    lines = [head + first, *(INDENT + line for line in rest)]
    if columns is not None:
        lines = [piece for line in lines for piece in _wrapped(line, max(columns, _NARROWEST))]
    return "\n".join(lines)


def local_time(microseconds: int) -> str:
    """Return a time, in microseconds since 1970 UTC, in the local time zone."""
    try:
        moment = _EPOCH + timedelta(microseconds=microseconds)
        return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"@{microseconds}"


def utc_time(microseconds: int) -> str:
    """Return a time, in microseconds since 1970 UTC, in the form of RFC 3339, with all its digits."""
    try:
        moment = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"@{microseconds}"
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _harmless(text: str) -> str:
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    pieces: list[str] = []
    end = 0
    for flag in _FLAG.finditer(text):
        pieces += [_escaped_within(text, end, flag.start()), flag[0]]
        end = flag.end()
    return "".join([*pieces, _escaped_within(text, end, len(text))])


def _escaped_within(text: str, start: int, end: int) -> str:
    return "".join(
        char if char in "\n\t" or _is_harmless(text, index) else _escape(char)
        for index, char in enumerate(text[start:end], start)
    )


def _is_harmless(text: str, index: int) -> bool:
    """Return whether the character at `index` is visible and deceives nobody at its place."""
    char = text[index]
    if char in _JOINERS:
        return 0 < index < len(text) - 1 and _joins(text[index - 1]) and _joins(text[index + 1])
    if _SELECTOR.match(char):
        return index > 0 and text[index - 1].isprintable() and not _SELECTOR.match(text[index - 1])
    if _IDEOGRAPH_SELECTOR.match(char):
        return index > 0 and unicodedata.category(text[index - 1]) == "Lo"
    if _INVISIBLE.match(char) or ord(char) & 0xFFFE == 0xFFFE:
        return False
    return char.isprintable() or char in _VISIBLE_FORMATS or unicodedata.category(char) in {"Zs", "Co", "Cn"}


def _joins(char: str) -> bool:
    """Return whether a joiner may stand beside a character: not beside a space, a joiner or ASCII."""
    return not char.isascii() and unicodedata.category(char)[0] in "LMS"


def _escaped(match: re.Match[str]) -> str:
    return _escape(match[0])


def _escape(char: str) -> str:
    plain = char.encode("unicode_escape").decode()
    return plain if plain != char else f"\\x{ord(char):02x}"


def _wrapped(line: str, columns: int) -> list[str]:
    """Cut a line at spaces where possible, so that no terminal breaks it by itself. The further pieces are indented."""
    pieces: list[str] = []
    while True:
        cut = _cut(line, columns)
        if cut == len(line):
            return [*pieces, line]
        space = line.rfind(" ", columns // 2, cut)
        cut = space + 1 if space > 0 else cut
        pieces.append(line[:cut])
        line = INDENT + line[cut:]


def _cut(line: str, columns: int) -> int:
    """Return how many characters of a line fit for certain. Each counts with the most columns it may take."""
    width = 0
    for index, char in enumerate(line):
        width += 2 if unicodedata.east_asian_width(char) in "WFA" or ord(char) > 0xFFFF else 1
        if width > columns:
            return index
    return len(line)
