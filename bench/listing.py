"""python -m bench.listing: how fast a list of a million accounts and its first page are."""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.listing import MAX_PAGE_SIZE
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore

PATTERNS = {"a rare find": "99999$", "everything": ".", "every other name": "[02468]$"}
_PREFIX = "user0"
_PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "x" * 66


@dataclass
class Figures:
    """Names a second by pattern, and first pages in microseconds, for the small store and the large one."""

    accounts: tuple[int, int]
    scanned_per_second: dict[str, float]
    first_pages: dict[str, tuple[float, float]]


@dataclass
class Lister:
    """A booth of many accounts, and the token of an account that lists them."""

    booth: Booth
    token: bytes

    def scan_rate(self, pattern: str, accounts: int) -> float:
        """List from the first page to the last. Return how many names a second were searched."""
        started, page_token = time.perf_counter(), ""
        while True:
            page_token = self.booth.list(self.token, pattern, "", MAX_PAGE_SIZE, page_token).next_page_token
            if not page_token:
                return accounts / (time.perf_counter() - started)

    def first_page(self, pattern: str, prefix: str) -> float:
        """Return how long a first page of the default size takes, in microseconds."""
        started = time.perf_counter()
        self.booth.list(self.token, pattern, prefix, 0, "")
        return 1e6 * (time.perf_counter() - started)


def main() -> int:
    """Measure in this process, without a transport, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.listing", description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000, help="in the large store (default: %(default)s)")
    parser.add_argument("--pages", type=int, default=300, help="first pages of each kind (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures as JSON, too")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chatbooth-listing-") as folder:
        figures = _measure(Path(folder), (1_000, parsed.accounts), parsed.pages)
    print(_table(figures))
    if parsed.json:
        parsed.json.write_text(json.dumps(dataclasses.asdict(figures), indent=1))
    return 0


def _measure(folder: Path, sizes: tuple[int, int], pages: int) -> Figures:
    with _lister(folder / "small.db", sizes[0]) as small, _lister(folder / "large.db", sizes[1]) as large:
        rates = {
            name: statistics.median(large.scan_rate(pattern, sizes[1]) for _ in range(3))
            for name, pattern in PATTERNS.items()
        }
        first_pages = {
            "with a prefix": _first_pages(small, large, "", _PREFIX, pages),
            "with a prefix and a pattern": _first_pages(small, large, ".", _PREFIX, pages),
            "of all": _first_pages(small, large, "", "", pages),
        }
    return Figures(sizes, rates, first_pages)


def _first_pages(small: Lister, large: Lister, pattern: str, prefix: str, pages: int) -> tuple[float, float]:
    """Return the p50s. The two stores take turns, so that other work of the machine slows both."""
    taken = [(small.first_page(pattern, prefix), large.first_page(pattern, prefix)) for _ in range(pages)]
    return statistics.median(one for one, _ in taken), statistics.median(other for _, other in taken)


@contextmanager
def _lister(path: Path, accounts: int) -> Iterator[Lister]:
    """Open a store with this number of accounts, one of which lists them."""
    make_accounts(path, accounts - 1)
    with SQLiteStore(path) as store:
        booth = Booth(store)
        yield Lister(booth, booth.sign_up("lister", "password of the lister").token)


def make_accounts(path: Path, accounts: int) -> None:
    """Make a store with this number of accounts, from `user0000000` on, in no order. Nobody can log in to them."""
    SQLiteStore(path).close()
    names = [f"user{number:07}" for number in range(accounts)]
    random.Random(1).shuffle(names)  # noqa: S311  # no secret
    connection = apsw.Connection(str(path))
    with connection:
        connection.executemany(
            "INSERT INTO accounts (username, password_hash, create_time) VALUES (?, ?, 0)",
            ((name, _PASSWORD_HASH) for name in names),
        )
        connection.execute("INSERT INTO mailboxes (account_id) SELECT account_id FROM accounts")
    connection.close()


def _table(figures: Figures) -> str:
    small, large = figures.accounts
    lines = [f"| {large:,} accounts, to the last page | names/s |", "|:--|--:|"]
    lines += [f"| {name} | {rate:,.0f} |" for name, rate in figures.scanned_per_second.items()]
    lines += ["", f"| First page, p50 | {small:,} accounts | {large:,} accounts | ratio |", "|:--|--:|--:|--:|"]
    lines += [
        f"| {name} | {first:,.0f} µs | {second:,.0f} µs | {second / first:.2f}\u00d7 |"
        for name, (first, second) in figures.first_pages.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
