"""Listing usernames: an RE2 pattern over an ordered scan, cut into pages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import time
from collections.abc import Callable

from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import InvalidPageToken
from chatbooth_grpc.booth.model import Page
from chatbooth_grpc.booth.name_search import NameSearch

DEFAULT_PAGE_SIZE = 1_000
MAX_PAGE_SIZE = 10_000
MAX_SCANNED = 50_000
"""The most names that one page looks at, so that a page takes milliseconds however few names the pattern finds."""

LOOKING_TIME = 1.0
"""The most seconds that one page looks. RE2 is linear, but a hostile pattern can take 20 ms for each name."""

_CHUNK = 10_000
_GROWTH = 4
"""A page first reads as many names as it wants. While it finds few, each further read is larger."""

_LIST_MARK_SIZE = 8
_PLACE = re.compile(r"[0-7]?[0-9a-f]{0,15}")

Scan = Callable[[str, int], bytes]
"""Takes a name and a limit. Returns at most that many names that sort after it, in order, joined by newlines.

The bytes are empty at the end.
"""


class Listing:
    """One list of usernames, by pattern and prefix. Its page tokens are good for this list alone.

    A token holds a mark of the list and the last name that the page looked at. So the next page starts right after that
    name, even if names were added or removed meanwhile.
    """

    def __init__(self, pattern: str, prefix: str) -> None:
        """Raises InvalidPattern."""
        self._search = NameSearch(pattern)
        self._mark = hashlib.blake2b(f"{prefix}\0{pattern}".encode(), digest_size=_LIST_MARK_SIZE).digest()

    def page(self, scan: Scan, page_size: int, page_token: str) -> Page:
        """Return one page. Raises InvalidPageToken, DeadlineExceeded, and the errors of `scan`."""
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


def encode_place(number: int) -> str:
    """Return the page token of a list by number, which continues after `number`."""
    return f"{number:x}"


def decode_place(token: str) -> int:
    """Return the number of such a token. 0 for the first page. Raises InvalidPageToken."""
    if not _PLACE.fullmatch(token):
        raise InvalidPageToken
    return int(token or "0", 16)
