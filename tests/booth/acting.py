"""Short forms of the booth's actions, for tests that call it directly."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import StoreUnavailable
from chatbooth_grpc.booth.model import OutgoingMessage, Session
from tests.booth.cheap_passwords import PASSWORD

SignUp = Callable[[str], Session]
"""Makes an account of a name with the usual password."""


def outgoing(recipient: str, text: str = "hello", message_id: bytes | None = None) -> OutgoingMessage:
    return OutgoingMessage(recipient, message_id or os.urandom(16), text.encode())


def send_texts(booth: Booth, session: Session, recipient: str, *texts: str) -> None:
    for text in texts:
        booth.send(session.token, outgoing(recipient, text))


def texts(booth: Booth, session: Session, **options: Any) -> list[str]:
    return [message.text for message in booth.deliver(session.token, **options).messages]


def cursor(booth: Booth, session: Session) -> int:
    return booth.deliver(session.token).opening.resumed_after


def change(path: Path, statement: str, *bindings: int | bytes) -> None:
    """Change the store by a connection that the server does not know."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5_000)
    try:
        connection.execute(statement, bindings).fetchall()
    finally:
        connection.close()


def remove_through(path: Path, session: Session, through: int) -> None:
    """Do what retention does: remove a prefix of the session's mailbox."""
    mailbox = "(SELECT mailbox_id FROM mailboxes WHERE account_id = ?)"
    change(path, f"DELETE FROM messages WHERE mailbox_id = {mailbox} AND sequence <= ?", session.account_id, through)
    change(path, "UPDATE mailboxes SET removed_through = ? WHERE account_id = ?", through, session.account_id)


def every_action(booth: Booth, session: Session) -> list[Callable[[], object]]:
    """Every action that needs a session."""
    token = session.token
    return [
        partial(booth.list, token, "", "", 0, ""),
        partial(booth.send, token, outgoing("ann")),
        partial(booth.deliver, token),
        partial(booth.acknowledge, token, 0),
        partial(booth.change_password, token, PASSWORD, "a new password"),
        partial(booth.delete, token, PASSWORD),
        partial(booth.authenticated, token),
        partial(booth.log_out, token),
    ]


def failing(method: str) -> Callable[[str], None]:
    def fail(called: str) -> None:
        if called == method:
            raise StoreUnavailable

    return fail
