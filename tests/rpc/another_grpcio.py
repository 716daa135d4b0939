"""A grpcio that lacks an expected private name, so that only its public API is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from chatbooth_grpc.rpc.grpcio import expectations

MISSING = "_a_name_that_no_grpcio_has"


@contextmanager
def another_grpcio() -> Iterator[None]:
    """Have the servers that are made inside find that grpcio lacks a private name."""
    with patch.dict(expectations.EXPECTED_FUNCTIONS, {MISSING: "state"}):
        yield
