"""The words about flags and variables that are wrong."""

from __future__ import annotations

import pytest

from chatbooth_grpc.server.flags import parse_settings
from chatbooth_grpc.server.twins import FlagError


def complaint(arguments: list[str], environment: dict[str, str]) -> str:
    """Return the words of a refusal, which must be one line."""
    with pytest.raises(FlagError) as refused:
        parse_settings(arguments, environment)
    assert "\n" not in str(refused.value)
    return str(refused.value)
