"""An actor that records the outcome of each action, so that two ways can be compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

from chatbooth_grpc.booth.actions import (
    ACKNOWLEDGE,
    CHANGE_PASSWORD,
    CREATE_TOKEN,
    DELETE,
    DELIVER,
    END_SESSION,
    LIST,
    LIST_BLOCKS,
    LIST_SESSIONS,
    LOG_IN,
    LOG_OUT,
    SET_BLOCK,
    SIGN_UP,
    AcknowledgeRequest,
    ChangePasswordRequest,
    CreateTokenRequest,
    DeleteRequest,
    DeliverRequest,
    EndSessionRequest,
    ListBlocksRequest,
    ListRequest,
    ListSessionsRequest,
    LogInRequest,
    SetBlockRequest,
)
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt, Session
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.client.library.transport import Transport

TIMEOUT = 30.0
PASSWORD = "a long password"
ZEROS = bytes(16)
FORGED = b"\x01" * 16

SentBatch: TypeAlias = list[tuple[str, bytes, str]]
"""Recipients, message ids and texts."""


class Actor:
    """Performs actions by one transport and records each outcome without its random parts."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.sessions = {"stranger": FORGED}
        self.page_token = ""

    def do(self, action: str, *arguments: Any) -> object:
        """Perform an action. Return its outcome, or the reason, attributes and words of its error."""
        try:
            return getattr(self, action)(*arguments)
        except ChatboothError as error:
            return (error.reason, error.attributes(), str(error))

    def token(self, name: str) -> bytes:
        """Return the token of the last session under a name. Sixteen zeros if there is none."""
        return self.sessions.get(name, ZEROS)

    def sign_up(self, name: str, password: str) -> object:
        return self._keep(name, self.transport.call(SIGN_UP, b"", LogInRequest(name, password), TIMEOUT))

    def log_in(self, name: str, password: str) -> object:
        return self._keep(name, self.transport.call(LOG_IN, b"", LogInRequest(name, password), TIMEOUT))

    def log_in_with(self, name: str, password: str, token: bytes) -> object:
        return self._keep(name, self.transport.call(LOG_IN, b"", LogInRequest(name, password, token=token), TIMEOUT))

    def sign_up_with(self, name: str, password: str, token: bytes) -> object:
        return self._keep(name, self.transport.call(SIGN_UP, b"", LogInRequest(name, password, token=token), TIMEOUT))

    def sign_up_invited(self, name: str, code: str, token: bytes = b"") -> object:
        request = LogInRequest(name, PASSWORD, token, invite=code)
        return self._keep(name, self.transport.call(SIGN_UP, b"", request, TIMEOUT))

    def log_out(self, name: str) -> object:
        self.transport.call(LOG_OUT, self.token(name), None, TIMEOUT)
        return "done"

    def change_password(self, name: str, old: str, new: str) -> object:
        return self.transport.call(CHANGE_PASSWORD, self.token(name), ChangePasswordRequest(old, new), TIMEOUT)

    def delete(self, name: str, password: str) -> object:
        return self.transport.call(DELETE, self.token(name), DeleteRequest(password), TIMEOUT)

    def list(self, name: str, pattern: str, prefix: str, page_size: int, page_token: str | None) -> object:
        token = self.page_token if page_token is None else page_token
        page = self.transport.call(LIST, self.token(name), ListRequest(pattern, prefix, page_size, token), TIMEOUT)
        self.page_token = page.next_page_token
        return page

    def log_in_labelled(self, name: str, password: str, label: str) -> object:
        return self._keep(name, self.transport.call(LOG_IN, b"", LogInRequest(name, password, label=label), TIMEOUT))

    def sign_up_labelled(self, name: str, password: str, label: str) -> object:
        return self._keep(name, self.transport.call(SIGN_UP, b"", LogInRequest(name, password, label=label), TIMEOUT))

    def list_sessions(self, name: str, page_size: int, page_token: str | None) -> object:
        token = self.page_token if page_token is None else page_token
        page = self.transport.call(LIST_SESSIONS, self.token(name), ListSessionsRequest(page_size, token), TIMEOUT)
        self.page_token = page.next_page_token
        return page

    def end_session(self, name: str, session_id: int) -> object:
        self.transport.call(END_SESSION, self.token(name), EndSessionRequest(session_id), TIMEOUT)
        return "done"

    def create_token(self, name: str, secret: bytes, label: str, limits: TokenLimits, lifetime: int) -> object:
        """Make a token, and keep it under its label."""
        request = CreateTokenRequest(secret, label, limits, lifetime)
        made = self.transport.call(CREATE_TOKEN, self.token(name), request, TIMEOUT)
        return made.session_id, made.expire_time > 0, self._keep(label, made.session)

    def list_tokens(self, name: str) -> object:
        """List the sessions without the times of expiry, which follow from a clock that is not the test's."""
        page = self.transport.call(LIST_SESSIONS, self.token(name), ListSessionsRequest(0, ""), TIMEOUT)
        return [entry._replace(expire_time=int(entry.expire_time > 0)) for entry in page.sessions]

    def set_block(self, name: str, username: str, is_blocked: bool) -> object:
        self.transport.call(SET_BLOCK, self.token(name), SetBlockRequest(username, is_blocked), TIMEOUT)
        return "done"

    def list_blocks(self, name: str, page_size: int, page_token: str | None) -> object:
        token = self.page_token if page_token is None else page_token
        page = self.transport.call(LIST_BLOCKS, self.token(name), ListBlocksRequest(page_size, token), TIMEOUT)
        self.page_token = page.next_page_token
        return page

    def send(self, name: str, recipient: str, message_id: bytes, text: str) -> object:
        return self.transport.send(
            self.token(name), OutgoingMessage(recipient, message_id, text.encode()), timeout=TIMEOUT
        )

    def send_content(self, name: str, recipient: str, message_id: bytes, kind: int, content: bytes) -> object:
        """Send content of any kind."""
        message = OutgoingMessage(recipient, message_id, content, kind)
        return self.transport.send(self.token(name), message, timeout=TIMEOUT)

    def send_batches(self, name: str, *batches: SentBatch) -> object:
        """Send all batches before the first outcome is taken. Return each message's outcome, or the stream's error."""
        stream = self.transport.send_stream(self.token(name))
        try:
            for batch in batches:
                stream.send([OutgoingMessage(recipient, id_, text.encode()) for recipient, id_, text in batch])
            return [[self._outcome(outcome) for outcome in stream.receive()] for _ in batches]
        finally:
            stream.close()

    def deliver(self, name: str, through: int, after: int | None, most: int) -> object:
        delivery = self.transport.call(DELIVER, self.token(name), DeliverRequest(through, after, most), TIMEOUT)
        return replace(delivery, opening=replace(delivery.opening, epoch=b""))

    def acknowledge(self, name: str, through: int) -> object:
        self.transport.call(ACKNOWLEDGE, self.token(name), AcknowledgeRequest(through), TIMEOUT)
        return "done"

    def deliver_of(self, epoch: bytes, name: str, through: int) -> object:
        """Acknowledge up to a sequence of that epoch, and deliver."""
        delivery = self.transport.call(DELIVER, self.token(name), DeliverRequest(through, None, 0, epoch), TIMEOUT)
        return replace(delivery, opening=replace(delivery.opening, epoch=b""))

    def acknowledge_of(self, epoch: bytes, name: str, through: int) -> object:
        """Acknowledge up to a sequence of that epoch."""
        self.transport.call(ACKNOWLEDGE, self.token(name), AcknowledgeRequest(through, epoch=epoch), TIMEOUT)
        return "done"

    def _outcome(self, outcome: Receipt | ChatboothError) -> object:
        if isinstance(outcome, Receipt):
            return outcome
        return (outcome.reason, outcome.attributes(), str(outcome))

    def _keep(self, name: str, session: Session) -> object:
        assert len(session.token) == len(session.epoch) == 16
        self.sessions[name.lower()] = session.token
        return replace(session, token=b"", epoch=b"")


def number_id(number: int) -> bytes:
    return number.to_bytes(16, "big")
