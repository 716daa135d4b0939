"""A state machine without I/O for an answer that is typed or pasted.

It takes bytes, and gives the echo and the answer. A terminal that knows bracketed paste puts marks around each paste.
Between the marks a line break is a part of the text. Without marks, a line break that more input follows at once was
pasted too, since nobody types that fast. So a paste is one answer, and never the answer to a later question.

    typing ── ESC ──> escape ── sequence ends ──> typing
    typing ── ESC [ 200 ~ ──> pasting ── ESC [ 201 ~ ──> typing
    typing ── Enter with no input after it, or Ctrl-D on an empty line ──> done

Editing reaches back to the start of the last line. The lines above it on the screen stay.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

_PASTE_START = "\x1b[200~"
_PASTE_END = "\x1b[201~"

# The whole sequence that a key such as an arrow gives: ESC [ … letter, or ESC O letter.
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)")
# The beginning of such a sequence, when the input ends inside it.
_BEGUN_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")

# The end of a part of a paste, if it may be the beginning of `_PASTE_END`, or the CR of a CR LF. Otherwise it is empty.
_BEGUN_MARK_OR_BREAK = re.compile(r"(?:\r|\x1b(?:\[(?:2(?:01?)?)?)?)?\Z")

_ENTER_KEYS = "\r\n"
_CTRL_D = "\x04"

# The part of the last line that a key erases, by key.
_LAST_CHARACTER = re.compile(r"(?s:.)?\Z")
_LAST_WORD = re.compile(r"\S*\s*\Z")
_WHOLE_LINE = re.compile(r"(?s:.)*\Z")
_BACKSPACE, _CTRL_H, _CTRL_W, _CTRL_U = "\x7f\x08\x17\x15"
_ERASED_BY = {_BACKSPACE: _LAST_CHARACTER, _CTRL_H: _LAST_CHARACTER, _CTRL_W: _LAST_WORD, _CTRL_U: _WHOLE_LINE}

_TAB = "    "


class LineEditor:
    """Collects one answer of at most `most` characters.

    With `multiline`, Enter is a line break, and Ctrl-D on an empty line ends the answer. Otherwise Enter ends it.
    """

    def __init__(self, most: int, *, multiline: bool = False) -> None:
        self.is_done = False
        # Whether the input ended without an answer.
        self.is_end = False
        self.is_too_long = False
        self._most = most
        self._multiline = multiline
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._unread = ""
        self._is_pasting = False
        self._characters: list[str] = []

    @property
    def text(self) -> str:
        """The answer so far. A lone surrogate stands for a byte that is not UTF-8."""
        return "".join(self._characters)

    @property
    def last_line(self) -> str:
        """The part of the answer that can be edited."""
        return "".join(self._characters[self._line_start() :])

    @property
    def shown_line(self) -> str:
        """The last line as the screen shows it."""
        return "".join(map(_shown, self.last_line))

    def feed(self, data: bytes, *, more: bool = False) -> str:
        """Take input, and return its echo for the screen. `more` says that further input is there already."""
        self._unread = (self._unread + self._decoder.decode(data)).replace("\r\n", "\n")
        echo: list[str] = []
        while self._unread and not self.is_done:
            step = self._paste() if self._is_pasting else self._key(more=more)
            if step is None:
                break
            echo.append(step)
        return "".join(echo)

    def _paste(self) -> str | None:
        """Take the part of a paste that is there, and return its echo. None means to wait for more."""
        content, mark, rest = self._unread.partition(_PASTE_END)
        if not mark:
            # The input may end inside the mark, or inside a line break of two characters. The pattern always matches,
            # since it matches the empty string too.
            start = _BEGUN_MARK_OR_BREAK.search(content).start()  # type: ignore[union-attr]
            content, rest = content[:start], content[start:]
        self._unread = rest
        self._is_pasting = not mark
        if not content and not mark:
            return None
        return self._insert(content.replace("\r", "\n"))

    def _key(self, *, more: bool) -> str | None:
        """Take one key, and return its echo. None means to wait for the rest of its sequence."""
        if self._unread.startswith("\x1b"):
            return self._escape_sequence()
        key, self._unread = self._unread[0], self._unread[1:]
        if key in _ENTER_KEYS:
            return self._enter(more=more)
        if key == _CTRL_D:
            return self._end()
        if key in _ERASED_BY:
            # Each of the patterns always matches, since it matches the empty string too.
            return self._erase(len(_ERASED_BY[key].search(self.last_line)[0]))  # type: ignore[index]
        return self._insert(key) if key >= " " or key == "\t" else ""

    def _escape_sequence(self) -> str | None:
        sequence = _ESCAPE_SEQUENCE.match(self._unread)
        if sequence:
            self._unread = self._unread[sequence.end() :]
            self._is_pasting = sequence[0] == _PASTE_START
            return ""
        if _BEGUN_ESCAPE_SEQUENCE.match(self._unread):
            return None
        self._unread = self._unread[1:]
        return ""

    def _enter(self, *, more: bool) -> str:
        if self._multiline or more or self._unread:
            return self._insert("\n")
        self.is_done = True
        return ""

    def _end(self) -> str:
        if self._characters and not (self._multiline and self._characters[-1] == "\n"):
            return ""
        self.is_done = True
        self.is_end = not self._characters
        return ""

    def _insert(self, text: str) -> str:
        room = self._most - len(self._characters)
        if len(text) > room:
            self.is_too_long = True
            text = text[: max(0, room)]
        self._characters += text
        return "".join(map(_shown, text))

    def _erase(self, count: int) -> str:
        start = len(self._characters) - count
        erased = self._characters[start:]
        del self._characters[start:]
        width = sum(map(_width, map(_shown, erased)))
        return "\b" * width + " " * width + "\b" * width

    def _line_start(self) -> int:
        end = len(self._characters)
        return next((index + 1 for index in range(end - 1, -1, -1) if self._characters[index] == "\n"), 0)


def _shown(character: str) -> str:
    """Return a character as the screen shows it. No control character reaches the terminal."""
    if character == "\n":
        return character
    if character == "\t":
        return _TAB
    if unicodedata.category(character)[0] == "C" and character != "\u200d":
        return character.encode("unicode_escape").decode()
    return character


def _width(shown: str) -> int:
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in shown
    )
