"""Finding names that are nearly the one that was typed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST = 3
_NEAR = 0.65


def near_names(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that are nearly `name`, the nearest first."""
    return difflib.get_close_matches(name, names, n=_MOST, cutoff=_NEAR)
