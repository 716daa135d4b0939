"""A lane: messages whose order matters, of one connection or one stream."""

from __future__ import annotations

import threading

from chatbooth_grpc.booth.errors import ChatboothError

_failing = threading.Lock()


class Lane:
    """Once the store has failed a message of a lane, it stores none of those that follow in that lane.

    So a message that the client sends again cannot come after one that it sent later.
    """

    __slots__ = ("error",)

    def __init__(self) -> None:
        # The error with which every further message of the lane is refused. Only `fail` sets it.
        self.error: ChatboothError | None = None

    def fail(self, error: ChatboothError) -> ChatboothError:
        """Refuse all further messages of the lane with `error`, unless an earlier error refuses them already.

        Return the error that refuses them. Many threads may call this.
        """
        with _failing:
            self.error = self.error or error
        return self.error

    def is_failure(self, outcome: object) -> bool:
        """Whether an outcome of a message is the lane's failure, and not a refusal of that message alone."""
        return self.error is not None and outcome is self.error
