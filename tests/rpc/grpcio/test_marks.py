"""The marks of a behaviour stay with it when it is wrapped."""

from __future__ import annotations

import pytest

from chatbooth_grpc.rpc.grpcio.marks import (
    ANSWERS_LATER,
    POOL,
    WRITES_LATER,
    answers_later,
    copy_marks,
    placed_on,
    writes_later,
)


class Service:
    @answers_later
    def answers(self) -> None: ...

    @writes_later
    def writes(self) -> None: ...

    def plain(self) -> None: ...


@pytest.mark.parametrize(
    ("method", "marks"), [("answers", {ANSWERS_LATER}), ("writes", {WRITES_LATER}), ("plain", set())]
)
def test_a_wrapper_bears_the_marks_of_the_method_that_it_wraps(method: str, marks: set[str]) -> None:
    def wrapper() -> None: ...

    copy_marks(getattr(Service(), method), wrapper)
    assert {mark for mark in (ANSWERS_LATER, WRITES_LATER, POOL) if hasattr(wrapper, mark)} == marks


def test_a_behaviour_keeps_its_pool() -> None:
    def behaviour() -> None: ...

    def wrapper() -> None: ...

    pool = object()
    copy_marks(placed_on(pool, behaviour), wrapper)
    assert getattr(wrapper, POOL) is pool
