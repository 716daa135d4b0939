"""Listing usernames: an RE2 pattern over an ordered scan, cut into pages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Callable

import re2

from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import InvalidPageToken, InvalidPattern
from chatbooth_grpc.booth.model import Page

MAX_PATTERN_SIZE = 1_000
DEFAULT_PAGE_SIZE = 1_000
MAX_PAGE_SIZE = 10_000
MAX_SCANNED = 50_000
"""How many names one page looks at: a page answers in tens of milliseconds however rare the pattern's finds are."""

LOOKING_TIME = 1.0
"""How many seconds one page looks for: RE2 is linear, but a hostile pattern can take it 20 ms for each name."""

_CHUNK = 5_000
_LIST_MARK_SIZE = 8

Scan = Callable[[str, int], list[str]]


class Listing:
    """One list of usernames, by pattern and prefix; its page tokens are good for it alone.

    A token holds a mark of the list and the last name looked at, so a page starts right behind the one before,
    whatever was added or removed in between.
    """

    def __init__(self, pattern: str, prefix: str) -> None:
        """Raises InvalidPattern."""
        self._matches = _compile(pattern)
        self._mark = hashlib.blake2b(f"{prefix}\0{pattern}".encode(), digest_size=_LIST_MARK_SIZE).digest()

    def page(self, scan: Scan, page_size: int, page_token: str) -> Page:
        """Return one page. `scan(after, limit)` reads names in order. Raises InvalidPageToken, DeadlineExceeded."""
        wanted = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        after = self._decode_token(page_token) if page_token else ""
        until = time.monotonic() + time_remaining(LOOKING_TIME)
        found: list[str] = []
        scanned = 0
        while scanned < MAX_SCANNED:
            names = scan(after, min(_CHUNK, MAX_SCANNED - scanned))
            if not names:
                return Page(found, "")
            for name in names:
                after = name
                if self._matches is None or self._matches(name):
                    found.append(name)
                if len(found) == wanted or time.monotonic() > until:
                    return Page(found, self._encode_token(after))
            scanned += len(names)
        return Page(found, self._encode_token(after))

    def _encode_token(self, after: str) -> str:
        return base64.urlsafe_b64encode(self._mark + after.encode()).decode()

    def _decode_token(self, token: str) -> str:
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
            mark, after = raw[:_LIST_MARK_SIZE], raw[_LIST_MARK_SIZE:].decode("ascii")
        except (ValueError, binascii.Error) as error:
            raise InvalidPageToken from error
        if mark != self._mark or not after:
            raise InvalidPageToken
        return after


def _compile(pattern: str) -> Callable[[str], object] | None:
    """Return the pattern's search, None for the pattern that finds everything. Raises InvalidPattern."""
    if not pattern:
        return None
    if len(pattern.encode()) > MAX_PATTERN_SIZE:
        raise InvalidPattern(f"it has more than {MAX_PATTERN_SIZE:,} bytes")
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise InvalidPattern(_problem(error)) from error
    search: Callable[[str], object] = compiled.search
    return search


def _problem(error: Exception) -> str:
    """RE2's own words for what is wrong with a pattern."""
    words = error.args[0] if error.args else "it is malformed"
    return words.decode(errors="replace") if isinstance(words, bytes) else str(words)
