"""The context that every command works with, and the connections that it opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from chatbooth_grpc.booth.errors import ChatboothError, SessionInvalid
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.commands.tasks.first_contact import meet
from chatbooth_grpc.client.failures.interrupts import Interrupted, Interrupts
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.security import DEFAULT_SECURITY, Security
from chatbooth_grpc.client.state.session_directory import SessionDirectory
from chatbooth_grpc.client.state.session_file import SavedSession
from chatbooth_grpc.client.terminal.output import Output
from chatbooth_grpc.client.terminal.passwords import Passwords
from chatbooth_grpc.client.terminal.prompts import Prompts


class Connect(Protocol):
    """`ChatClient.connect`, or a stand-in for it."""

    def __call__(
        self,
        server: str,
        *,
        session: Session | None,
        timeout: float,
        on_retry: Callable[[ChatboothError, float], None],
        security: Security,
    ) -> ChatClient:
        """Return a client of the server."""


@dataclass(frozen=True)
class Context:
    """The server, the user who acts, and the ways in and out of the program.

    `as_user` None stands for the only user who is logged in.
    """

    server: str
    as_user: str | None
    timeout: float
    sessions: SessionDirectory
    output: Output
    prompts: Prompts
    passwords: Passwords
    connect: Connect = ChatClient.connect
    security: Security = DEFAULT_SECURITY
    interrupts: Interrupts = field(default_factory=Interrupts)

    def account_record(self, session: Session) -> dict[str, object]:
        """Return the object that stands for an account in --json."""
        return {"username": session.username, "account_id": session.account_id, "server": self.server}

    def pick(self) -> SavedSession:
        """Return the session to act with. Raises as `SessionDirectory.pick`."""
        return self.sessions.pick(self.as_user)

    def client(self, session: Session | None = None, *, quiet: bool = False, once: bool = False) -> ChatClient:
        """Return a client that says once that it tries again, unless `quiet`. With `once` it never tries again.

        Raises NotTrusted if the server is one that nobody has accepted.
        """
        meet(self.server, self.security, self.prompts)
        told: list[ChatboothError] = []

        def tell(error: ChatboothError, _pause: float) -> None:
            if once:
                raise error
            if not told and not quiet:
                self.output.say(f"{error} Trying again, for up to {self.timeout:g} s…")
            told.append(error)

        return self.connect(self.server, session=session, timeout=self.timeout, on_retry=tell, security=self.security)

    @contextmanager
    def client_of(self, saved: SavedSession, *, quiet: bool = False, once: bool = False) -> Iterator[ChatClient]:
        """Give a client that acts with a kept session. If the session turns out to have ended, forget it.

        Raises SessionEnded, or TokenEnded if it is the session of a token.
        """
        client = self.client(saved.session, quiet=quiet, once=once)
        try:
            with leaving_open_when_interrupted(client):
                yield client
        except SessionInvalid as error:
            self.sessions.remove(saved)
            raise self.sessions.ended(saved) from error


@contextmanager
def leaving_open_when_interrupted(client: ChatClient) -> Iterator[None]:
    """Close a client at the end of the block, unless a signal ends the program. Closing could only delay that."""
    try:
        yield
    except Interrupted:
        raise
    except BaseException:
        client.close()
        raise
    client.close()
