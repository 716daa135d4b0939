"""Opening a store that must be refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.store.sqlite.opening import StoreOpenError
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore


def refusal_to_open(path: Path) -> str:
    """Return the refusal of a file that cannot be opened. It is one line that names the file."""
    with pytest.raises(StoreOpenError) as refusal:
        SQLiteStore(path)
    words = str(refusal.value)
    assert str(path) in words
    assert len(words.splitlines()) == 1
    return words
