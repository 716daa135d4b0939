"""Listing usernames: an RE2 pattern over an ordered scan, cut into pages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Callable

from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import InvalidPageToken
from chatbooth_grpc.booth.model import Page
from chatbooth_grpc.booth.name_search import NameSearch

DEFAULT_PAGE_SIZE = 1_000
MAX_PAGE_SIZE = 10_000
MAX_SCANNED = 50_000
"""How many names one page looks at: a page answers in milliseconds however rare the pattern's finds are."""

LOOKING_TIME = 1.0
"""How many seconds one page looks for: RE2 is linear, but a hostile pattern can take it 20 ms for each name."""

_CHUNK = 10_000
_GROWTH = 4
"""A page reads as many names as it wants, then more and more at once while it looks for rare finds."""

_LIST_MARK_SIZE = 8

Scan = Callable[[str, int], bytes]
"""Reads up to so many names that sort after one, in order, joined by newlines; the bytes are empty at the end."""


class Listing:
    """One list of usernames, by pattern and prefix; its page tokens are good for it alone.

    A token holds a mark of the list and the last name looked at, so a page starts right behind the one before,
    whatever was added or removed in between.
    """

    def __init__(self, pattern: str, prefix: str) -> None:
        """Raises InvalidPattern."""
        self._search = NameSearch(pattern)
        self._mark = hashlib.blake2b(f"{prefix}\0{pattern}".encode(), digest_size=_LIST_MARK_SIZE).digest()

    def page(self, scan: Scan, page_size: int, page_token: str) -> Page:
        """Return one page. Raises InvalidPageToken, DeadlineExceeded, and as `scan`."""
        wanted = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        after = self._decode_token(page_token) if page_token else ""
        until = time.monotonic() + time_remaining(LOOKING_TIME)
        found: list[str] = []
        scanned, limit = 0, wanted
        while scanned < MAX_SCANNED:
            names = scan(after, min(limit, MAX_SCANNED - scanned))
            if not names:
                return Page(found, "")
            for piece in self._search.pieces(names):
                found += self._search.find(piece)
                if len(found) >= wanted:
                    return Page(found[:wanted], self._encode_token(found[wanted - 1]))
                after = piece[piece.rfind(b"\n") + 1 :].decode()
                if time.monotonic() > until:
                    return Page(found, self._encode_token(after))
            scanned += names.count(b"\n") + 1
            limit = min(limit * _GROWTH, _CHUNK)
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
