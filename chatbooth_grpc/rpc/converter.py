"""Converts the request and the reply of one action to protobuf messages, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chatbooth_grpc.booth.actions import Reply, Request, UnaryAction

_PbRequest = TypeVar("_PbRequest")
_PbReply = TypeVar("_PbReply")


@dataclass(frozen=True, slots=True)
class Converter(Generic[Request, Reply]):
    """Converts the request and the reply of one action."""

    action: UnaryAction[Request, Reply]
    request_to_pb: Callable[[Request], Any]
    request_from_pb: Callable[[Any], Request]
    reply_to_pb: Callable[[Reply], Any]
    reply_from_pb: Callable[[Any], Reply]


def converter(
    action: UnaryAction[Request, Reply],
    request: tuple[Callable[[Request], _PbRequest], Callable[[_PbRequest], Request]],
    reply: tuple[Callable[[Reply], _PbReply], Callable[[_PbReply], Reply]],
) -> Converter[Request, Reply]:
    """Return the row of a unary action: how its request and its reply are converted, there and back."""
    return Converter(action, *request, *reply)
