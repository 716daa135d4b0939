"""The variables that the command line reads are not set, unless a test sets them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the variables that the command line reads."""
    for variable in ("SERVER", "AS", "TIMEOUT", "TRUST", "CLIENT_CERT", "CLIENT_KEY", "INSECURE", "TOKEN_FILE"):
        monkeypatch.delenv(f"CHATBOOTH_{variable}", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
