"""The names that are close to the one that was typed."""

from __future__ import annotations

from chatbooth_grpc.client.failures.near_names import near_names


def test_the_closest_name_comes_first() -> None:
    assert near_names("crol", ["carl", "carol", "bob"]) == ["carol", "carl"]
    assert near_names("x", ["ann", "ben"]) == []
