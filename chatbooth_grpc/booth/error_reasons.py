"""Builds an error again from the reason and the attributes that a server has sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import get_type_hints

from chatbooth_grpc.booth.errors import ChatboothError, ResourceExhausted, UnknownError

BRANCHES: tuple[type[ChatboothError], ...] = tuple(
    branch for branch in ChatboothError.__subclasses__() if branch is not UnknownError and branch.is_sent
)
"""The branches of the tree, but for those that only a client raises."""

_UNKNOWN_OF: dict[type[ChatboothError] | None, type[UnknownError]] = {
    branch: type(f"Unknown{branch.__name__}", (UnknownError, branch), {}) for branch in BRANCHES
}


UnknownResourceExhausted = _UNKNOWN_OF[ResourceExhausted]
"""The errors of a newer server that are limits, but none that this version knows."""


def unknown_error(
    reason: str, message: str, attributes: Mapping[str, str], branch: type[ChatboothError] | None = None
) -> UnknownError:
    """Return an error of a reason that this version does not know. It is of `branch`, if the server has sent one."""
    kind = _UNKNOWN_OF.get(branch, UnknownError)
    try:
        retry_after = float(attributes.get("retry_after", "1"))
    except ValueError:
        retry_after = 1.0
    return kind(reason, message, field=attributes.get("field", ""), retry_after=retry_after)


def concrete_errors(root: type[ChatboothError] = ChatboothError) -> Iterator[type[ChatboothError]]:
    """Yield every class below `root` that has its own reason."""
    for child in root.__subclasses__():
        if "reason" in vars(child) and child.is_sent:
            yield child
        yield from concrete_errors(child)


def from_reason(
    reason: str, message: str, attributes: Mapping[str, str], branch: type[ChatboothError] | None = None
) -> ChatboothError:
    """Build again the error that `reason` and `ChatboothError.attributes()` describe.

    A reason that this version does not know, or attributes that do not fit it, give an `UnknownError` with `message`.
    It is of `branch`, the branch of the tree that the server has named by a status or a code, if any.
    """
    kind = next((kind for kind in concrete_errors() if kind.reason == reason), None)
    if kind is None:
        return unknown_error(reason, message, attributes, branch)
    types = get_type_hints(kind)
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # leaves are dataclasses
    try:
        return kind(**{name: types[name](text) for name, text in attributes.items() if name in known})
    except (TypeError, ValueError):
        return unknown_error(reason, message, attributes, branch)
