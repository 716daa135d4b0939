"""Accounts for a load, and a check of their mailboxes afterwards."""

from __future__ import annotations

import itertools

from bench.server_process import ServerProcess
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.security import DEFAULT_SECURITY, Security

PASSWORD = "password"  # noqa: S105
_NUMBERS = itertools.count(1)


def new_session(address: str, name: str, security: Security = DEFAULT_SECURITY) -> Session:
    """Make an account with a name like `name`."""
    with ChatClient.connect(address, timeout=30, security=security) as client:
        return client.sign_up(f"{name}{next(_NUMBERS)}", PASSWORD)


def check_stored(address: str, recipient: Session, sent: int, security: Security = DEFAULT_SECURITY) -> None:
    """Raise RuntimeError unless the mailbox holds as many messages as were sent."""
    with ChatClient.connect(address, session=recipient, timeout=30, security=security) as client:
        stored = client.deliver(max_messages=1).opening.replaying
    if stored != sent:
        raise RuntimeError(f"{sent:,} messages were sent and acknowledged, {stored:,} are stored")


def new_sessions(server: ServerProcess) -> tuple[Session, Session]:
    """Make an account that sends and an account that it sends to."""
    return new_session(server.grpc, "sender", server.security), new_session(server.grpc, "sink", server.security)
