"""Listing: patterns, pages, their tokens, and the cost of hostile patterns."""

from __future__ import annotations

import base64
import bisect
import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.errors import DeadlineExceeded, InvalidPageToken
from chatbooth_grpc.booth.listing import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGE_SIZE,
    MAX_SCANNED,
    Listing,
    Scan,
)
from tests.deadlines import deadline_in

NAMES = st.text("abc_", min_size=1, max_size=4)
PATTERNS = ["", "a", "^a", "b$", "[ab]c?", "A", "(ab|c)+", ".", "^$", "a.c|_", "aa*b"]


def joined(names: list[str]) -> bytes:
    return "\n".join(names).encode()


def scan_of(names: list[str]) -> Scan:
    """Scan a sorted list as a store scans its accounts."""

    def scan(after: str, limit: int) -> bytes:
        start = bisect.bisect_right(names, after)
        return joined(names[start : start + limit])

    return scan


def pages(listing: Listing, scan: Scan, page_size: int = 0) -> Iterator[list[str]]:
    """Return all pages of a list."""
    token = ""
    while True:
        page = listing.page(scan, page_size, token)
        yield page.usernames
        token = page.next_page_token
        if not token:
            return


def numbered(count: int) -> list[str]:
    return [f"user{number:07}" for number in range(count)]


@given(st.sets(NAMES), st.sampled_from(PATTERNS), st.integers(1, 7))
def test_pages_together_hold_every_name_that_the_pattern_finds(names: set[str], pattern: str, page_size: int) -> None:
    found = list(pages(Listing(pattern, ""), scan_of(sorted(names)), page_size))
    expected = [name for name in sorted(names) if re.search(pattern, name, re.IGNORECASE)]
    assert [name for page in found for name in page] == expected
    assert all(len(page) == page_size for page in found[:-1])


@given(st.data())
def test_pages_hold_through_names_that_come_and_go(data: st.DataObject) -> None:
    """Names change between two scans. A name that stays is found once, and all names are in order."""
    names = data.draw(st.sets(NAMES, max_size=20), "names")
    pattern = data.draw(st.sampled_from(PATTERNS), "pattern")
    page_size = data.draw(st.integers(1, 5), "page size")
    stayed, ever = set(names), set(names)

    def changing_scan(after: str, limit: int) -> bytes:
        found = scan_of(sorted(names))(after, limit)
        added = data.draw(st.sets(NAMES, max_size=3), "added")
        removed = data.draw(st.sets(NAMES, max_size=3), "removed")
        names.difference_update(removed)
        stayed.difference_update(removed)
        names.update(added)
        ever.update(added)
        return found

    listed = [name for page in pages(Listing(pattern, ""), changing_scan, page_size) for name in page]
    assert listed == sorted(set(listed))
    matching = {name for name in ever if re.search(pattern, name, re.IGNORECASE)}
    assert stayed & matching <= set(listed) <= matching


def test_a_hundred_thousand_names_page_whole_while_more_come() -> None:
    names = numbered(100_000)
    scan = scan_of(names)

    def growing_scan(after: str, limit: int) -> bytes:
        found = scan(after, limit)
        read = found.decode().split()
        # One new name sorts among the names that were read, the other after them.
        for name in (*read[:1], *read[-1:]):
            if not name.endswith("-new"):
                bisect.insort(names, f"{name}-new")
        return found

    listed = [name for page in pages(Listing("", ""), growing_scan, MAX_PAGE_SIZE) for name in page]
    assert listed == sorted(set(listed))
    assert set(listed) >= set(numbered(100_000))


def test_page_sizes_have_a_default_and_a_limit() -> None:
    scan = scan_of(numbered(MAX_PAGE_SIZE + 5))
    assert len(Listing("", "").page(scan, 0, "").usernames) == DEFAULT_PAGE_SIZE == 1_000
    assert len(Listing("", "").page(scan, 2**32 - 1, "").usernames) == MAX_PAGE_SIZE == 10_000


def test_a_full_page_may_be_the_last() -> None:
    page = Listing("", "").page(scan_of(["ann", "ben"]), 2, "")
    assert page.usernames == ["ann", "ben"]
    assert Listing("", "").page(scan_of(["ann", "ben"]), 2, page.next_page_token).usernames == []


def test_a_page_ends_after_as_many_names_as_it_may_look_at() -> None:
    scanned: list[str] = []

    def scan(after: str, limit: int) -> bytes:
        start = int(after or "-1") + 1
        scanned.extend(found := [f"{number:09}" for number in range(start, start + limit)])
        return joined(found)

    listing = Listing("never", "")
    page = listing.page(scan, 10, "")
    assert page.usernames == []
    assert len(scanned) == MAX_SCANNED == 50_000
    assert listing.page(scan, 10, page.next_page_token).next_page_token
    assert scanned == [f"{number:09}" for number in range(100_000)]


def test_the_classic_catastrophe_takes_linear_time() -> None:
    """Python's own `re` would take seconds for each of these names."""
    names = sorted({f"{'a' * 25}{number:06}" for number in range(100_000)})
    started = time.thread_time()
    assert list(pages(Listing("(a+)+$", ""), scan_of(names)))[-1] == []
    assert time.thread_time() - started < 2


def test_a_pattern_that_takes_even_re2_its_time_gets_short_pages() -> None:
    """For this pattern, a page of 50,000 names would take a quarter of an hour."""
    names = [f"{'ab_9.' * 5}{number:06}" for number in range(50_000)]
    listing = Listing("(.?){1000}" * 8 + "!", "")
    started = time.monotonic()
    page = listing.page(scan_of(names), 10, "")
    assert time.monotonic() - started < 5
    assert page.usernames == []
    further = listing.page(scan_of(names), 10, page.next_page_token)
    assert further.next_page_token > page.next_page_token


def test_a_list_past_its_deadline_reads_nothing() -> None:
    with deadline_in(0.0), pytest.raises(DeadlineExceeded):
        Listing("", "").page(lambda _after, _limit: pytest.fail("it was read"), 10, "")


@pytest.mark.parametrize("other", [Listing("b", ""), Listing("", ""), Listing("a", "a"), Listing("A", "")])
def test_a_page_token_is_good_for_its_own_list_alone(other: Listing) -> None:
    scan = scan_of(["ab", "abc"])
    token = Listing("a", "").page(scan, 1, "").next_page_token
    assert Listing("a", "").page(scan, 1, token).usernames == ["abc"]
    with pytest.raises(InvalidPageToken):
        other.page(scan, 1, token)


@given(st.text(min_size=1) | st.binary(min_size=1).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_a_text_that_was_never_a_page_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidPageToken):
        Listing("a", "").page(scan_of(["ab"]), 1, token)


def test_a_damaged_page_token_is_refused() -> None:
    listing = Listing("a", "")
    token = listing.page(scan_of(["ab", "abc"]), 1, "").next_page_token
    raw = base64.urlsafe_b64decode(token)
    for damaged in (token[:-1], token + "=", " " + token, token[:8], raw[:8], raw + b"\xff"):
        text = damaged if isinstance(damaged, str) else base64.urlsafe_b64encode(damaged).decode()
        with pytest.raises(InvalidPageToken):
            listing.page(scan_of(["ab", "abc"]), 1, text)
