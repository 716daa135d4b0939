"""The marks by which a behaviour says how the server must run its calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from chatbooth_grpc.booth.errors import ChatboothError

Behaviour = TypeVar("Behaviour", bound=Callable[..., Any])

ANSWERS_LATER = "answers_later"
WRITES_LATER = "writes_later"
ADMITS = "admits"
ENDS_INCOMPLETE = "ends_incomplete"
# gRPC reads this mark too.
POOL = "experimental_thread_pool"


def answers_later(behaviour: Behaviour) -> Behaviour:
    """Mark a behaviour that returns at once and answers by calling its third argument, once, on any thread.

    It calls that with the response, or with None after it has set the context's code.
    A behaviour that receives a stream gets a `StreamCall` as its request, and None ends the call.
    """
    setattr(behaviour, ANSWERS_LATER, True)
    return behaviour


def writes_later(behaviour: Behaviour) -> Behaviour:
    """Mark a behaviour that returns at once. Its third argument is the `ResponseStream`, which stays open."""
    setattr(behaviour, WRITES_LATER, True)
    return behaviour


def placed_on(pool: object, behaviour: Behaviour) -> Behaviour:
    """Mark a behaviour whose calls run on this pool."""
    setattr(behaviour, POOL, pool)
    return behaviour


def admitted_by(admit: Callable[[Any], Callable[[], object] | None], behaviour: Behaviour) -> Behaviour:
    """Mark a behaviour whose calls are admitted, when they are whole, before they wait for a thread.

    `admit` gets the call's context, and returns a function to call when the call is answered. If it returns None, it
    has set the status with which the call ends. It must not block.
    """
    setattr(behaviour, ADMITS, admit)
    return behaviour


def ended_by(end: Callable[[Any, ChatboothError], None], behaviour: Behaviour) -> Behaviour:
    """Mark a behaviour whose calls may end with an error before their request comes.

    `end` gets the call's context and the error, and sets the status with which the call ends. It must not block.
    """
    setattr(behaviour, ENDS_INCOMPLETE, end)
    return behaviour


def copy_marks(marked: Callable[..., Any], behaviour: Callable[..., Any]) -> None:
    """Give a behaviour the marks of the one that it wraps."""
    for mark in (ANSWERS_LATER, WRITES_LATER, ADMITS, ENDS_INCOMPLETE, POOL):
        if hasattr(marked, mark):
            setattr(behaviour, mark, getattr(marked, mark))
