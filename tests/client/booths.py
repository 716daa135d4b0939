"""A client without a network: commands over a real booth, with input that a test gives."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatbooth_grpc.booth.actions import Reply, Request, UnaryAction, action_name
from chatbooth_grpc.booth.booth import PERFORM, Booth
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt, Session
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.retrying import Retrying
from chatbooth_grpc.client.library.security import Security
from chatbooth_grpc.client.library.transport import EventStream, Transport
from chatbooth_grpc.client.state.session_directory import SessionDirectory
from chatbooth_grpc.client.terminal.output import Output
from chatbooth_grpc.client.terminal.passwords import Passwords
from chatbooth_grpc.client.terminal.prompts import Prompts
from tests.client.booth_stream import BoothSendStream
from tests.seconds import Seconds

SERVER = "127.0.0.1:50051"
PASSWORD = "a long password"


class BoothTransport:
    """Calls a booth directly. `before` is called with each action, and may raise in its place.

    `streams` are what `listen` returns, one after the other.
    """

    def __init__(self, booth: Booth) -> None:
        self.before: Callable[[str], None] = lambda action: None
        self.streams: list[EventStream] = []
        self._booth = booth

    def call(self, action: UnaryAction[Request, Reply], token: bytes, request: Request, timeout: float) -> Reply:
        self.before(action_name(action).lower())
        perform: Callable[[Booth, bytes, Request], Reply] = PERFORM[action]
        return perform(self._booth, token, request)

    def send(self, token: bytes, message: OutgoingMessage, *, timeout: float) -> Receipt:
        self.before("send")
        stream = BoothSendStream(self._booth, token)
        stream.send([message])
        [outcome] = stream.receive()
        if isinstance(outcome, ChatboothError):
            raise outcome
        return outcome

    def send_stream(self, token: bytes) -> BoothSendStream:
        self.before("send_stream")
        return BoothSendStream(self._booth, token)

    def listen(self, token: bytes, after: int | None) -> EventStream:
        self.before("listen")
        return self.streams.pop(0)

    def close(self) -> None:
        """Do nothing: there is no connection."""


def failing(action: str, error: BaseException, times: int = 1_000) -> Callable[[str], None]:
    """Return a callback for `before`: the first `times` calls of an action fail, the others do not."""
    left = [error] * times

    def before(called: str) -> None:
        if called == action and left:
            raise left.pop()

    return before


@dataclass
class Desk:
    """One person's place: their session files, and contexts over one booth, one after another."""

    transport: BoothTransport
    state: Path
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)

    def context(self, as_user: str | None = None, typed: str | bytes = "", **settings: Any) -> Context:
        """Return a context whose standard input is `typed` and is not a terminal."""
        typed = typed.encode() if isinstance(typed, str) else typed
        prompts = Prompts(io.BytesIO(typed), self.err)
        environment = settings.get("environment", {"CHATBOOTH_PASSWORD": PASSWORD})
        return Context(
            server=SERVER,
            as_user=as_user,
            timeout=5.0,
            sessions=SessionDirectory(self.state, SERVER),
            output=Output(settings.get("out", self.out), self.err, as_json=settings.get("as_json", False)),
            prompts=prompts,
            passwords=Passwords(prompts, environment, from_stdin=settings.get("from_stdin", False)),
            connect=self._connect,
        )

    def printed(self) -> list[str]:
        """Return the lines that were printed on standard output since the last call."""
        lines = self.out.getvalue().splitlines()
        self.out.seek(0)
        self.out.truncate()
        return lines

    def records(self) -> list[dict[str, Any]]:
        """Return the JSON objects that were printed on standard output since the last call."""
        return [json.loads(line) for line in self.printed()]

    def said(self) -> str:
        """Return the text that was printed on standard error since the last call."""
        words = self.err.getvalue()
        self.err.seek(0)
        self.err.truncate()
        return words

    def _connect(
        self,
        server: str,
        *,
        session: Session | None,
        timeout: float,
        on_retry: Callable[[ChatboothError, float], None],
        security: Security,
    ) -> ChatClient:
        assert server == SERVER
        clock = Seconds()
        checked: Transport = self.transport
        retrying = Retrying(on_retry=on_retry, clock=clock, sleep=clock.sleep)
        return ChatClient(checked, session=session, timeout=timeout, retrying=retrying)
