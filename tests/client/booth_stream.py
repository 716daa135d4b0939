"""A SendStream that calls a booth directly."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import ChatboothError, SessionInvalid
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.sending import wait_for


class BoothSendStream:
    """Sends each batch when its outcomes are received."""

    def __init__(self, booth: Booth, token: bytes) -> None:
        self._booth = booth
        self._token = token
        self._lane = Lane()
        self._batches: deque[Sequence[OutgoingMessage]] = deque()

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        self._batches.append(messages)

    def receive(self) -> list[Receipt | ChatboothError]:
        session = self._booth.sender(self._token)
        checked = [self._booth.sending.checked(session, message, self._lane) for message in self._batches.popleft()]
        outcomes = wait_for(partial(self._booth.sending.send_later, checked))
        for outcome in outcomes:
            if isinstance(outcome, SessionInvalid):
                raise outcome
        return [*outcomes]

    def close(self) -> None:
        """Do nothing: there is no connection."""
