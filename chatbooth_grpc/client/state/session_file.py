"""A session as it is kept between two commands, and its form in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TypeVar

from chatbooth_grpc.booth.model import Opening, Session
from chatbooth_grpc.booth.rules import TOKEN_SIZE

FORMAT = 1
EPOCH_SIZE = 16

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A session on a server, and the last sequence of its mailbox that was shown here.

    `shown_through` counts only within the account id and the epoch of `session`. While `is_pending`, a log-in with the
    session's token may not have happened yet.
    """

    server: str
    session: Session
    shown_through: int = 0
    is_pending: bool = False

    @property
    def username(self) -> str:
        """The username of the session's account."""
        return self.session.username

    def shown_of(self, account_id: int, epoch: bytes) -> int:
        """Return the last sequence shown of an account's mailbox in an epoch."""
        same = (self.session.account_id, self.session.epoch) == (account_id, epoch)
        return self.shown_through if same else 0

    def with_shown(self, opening: Opening, through: int) -> SavedSession:
        """Return this session with the last sequence shown of a delivery. That sequence never goes back.

        `opening` is the delivery's opening.
        """
        shown = max(through, self.shown_of(opening.account_id, opening.epoch))
        return replace(self, session=replace(self.session, epoch=opening.epoch), shown_through=shown)

    def with_nothing_shown(self, epoch: bytes) -> SavedSession:
        """Return this session as it is in another history. No message of that history was shown yet."""
        return replace(self, session=replace(self.session, epoch=epoch), shown_through=0)

    def encode(self) -> bytes:
        """Return the content of the session's file."""
        record = {
            "format": FORMAT,
            "server": self.server,
            "username": self.session.username,
            "account_id": self.session.account_id,
            "token": self.session.token.hex(),
            "epoch": self.session.epoch.hex(),
            "shown_through": self.shown_through,
            **({"is_pending": True} if self.is_pending else {}),
        }
        return json.dumps(record, indent=1).encode() + b"\n"


def decode_saved_session(content: bytes) -> SavedSession:
    """Return the session that a file's content describes. Raises ValueError."""
    try:
        record = json.loads(content)
        if _checked(record["format"], int) != FORMAT:
            raise ValueError("another format")
        return SavedSession(
            _checked(record["server"], str),
            Session(
                _sized(record["token"], TOKEN_SIZE),
                _checked(record["account_id"], int),
                _checked(record["username"], str),
                _sized(record["epoch"], EPOCH_SIZE),
            ),
            _checked(record["shown_through"], int),
            _checked(record.get("is_pending", False), bool),
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not a session") from error


def _checked(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise TypeError(kind)
    return value


def _sized(value: object, size: int) -> bytes:
    decoded = bytes.fromhex(_checked(value, str))
    if len(decoded) != size:
        raise ValueError("wrong size")
    return decoded
