"""The bodies of requests, replies and pushes; docs/wire-protocol.md gives them byte by byte."""

from __future__ import annotations

from dataclasses import dataclass

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import (
    ContentKind,
    Delivery,
    End,
    EndReason,
    Event,
    Gap,
    GapReason,
    Message,
    MessageBatch,
    Opening,
    OutgoingMessage,
    Page,
    Receipt,
    Removal,
    Session,
)
from chatbooth_grpc.booth.rules import MESSAGE_ID_SIZE, TOKEN_SIZE
from chatbooth_grpc.wire.encoding.codes import decode_error, encode_error
from chatbooth_grpc.wire.encoding.primitives import BodyError, BodyReader, BodyWriter, encode_varint

EPOCH_SIZE = 16

# Kinds of a push (action MESSAGE): its first byte.
OPENED, BATCH, GAP, END = 1, 2, 3, 4

# Kinds of a PING: its first byte.
ASK, ANSWER = 0, 1


# The tag of the extension of SIGN_UP and LOG_IN that is the token which the client drew.
_TOKEN_TAG = 1

# The tag of the extension of DELIVER and ACKNOWLEDGE that is the epoch in which the acknowledged sequence counts.
_EPOCH_TAG = 1


# Requests


@dataclass(frozen=True, slots=True)
class Credentials:
    """The body of CHANGE_PASSWORD: the old and the new password."""

    first: str
    second: str


@dataclass(frozen=True, slots=True)
class LogInRequest:
    """The body of SIGN_UP and LOG_IN; the token is empty where the client drew none."""

    username: str
    password: str
    token: bytes


@dataclass(frozen=True, slots=True)
class ListRequest:
    """The body of LIST: pattern, prefix, page size (0: the default), page token (empty: the first page)."""

    pattern: str
    prefix: str
    page_size: int
    page_token: str


@dataclass(frozen=True, slots=True)
class DeliverRequest:
    """The body of DELIVER: acknowledge through, most messages (0: the default), and perhaps where to start.

    `epoch` is the one in which the acknowledged sequence counts; empty: whatever epoch the store has.
    """

    acknowledge_through: int
    max_messages: int
    after: int | None
    epoch: bytes = b""


@dataclass(frozen=True, slots=True)
class AcknowledgeRequest:
    """The body of ACKNOWLEDGE: the sequence, and its epoch as in DELIVER."""

    through: int
    epoch: bytes = b""


def encode_credentials(first: str, second: str) -> bytes:
    """string, string"""
    return BodyWriter().string(first).string(second).bytes()


def decode_credentials(body: bytes) -> Credentials:
    """Raises BodyError, as every decoder here."""
    reader = BodyReader(body)
    credentials = Credentials(reader.string(), reader.string())
    reader.finish()
    return credentials


def encode_log_in(request: LogInRequest) -> bytes:
    """string username, string password; then the token, unless it is empty, as an extension"""
    body = encode_credentials(request.username, request.password)
    return body + _extension(_TOKEN_TAG, request.token)


def decode_log_in(body: bytes) -> LogInRequest:
    reader = BodyReader(body)
    username, password = reader.string(), reader.string()
    return LogInRequest(username, password, reader.extensions().get(_TOKEN_TAG, b""))


def encode_list_request(request: ListRequest) -> bytes:
    """string pattern, string prefix, varint page size, string page token"""
    writer = BodyWriter().string(request.pattern).string(request.prefix)
    return writer.varint(request.page_size).string(request.page_token).bytes()


def decode_list_request(body: bytes) -> ListRequest:
    reader = BodyReader(body)
    request = ListRequest(reader.string(), reader.string(), reader.varint(), reader.string())
    reader.finish()
    return request


def encode_outgoing(message: OutgoingMessage) -> bytes:
    """string recipient, 16 bytes message id, content"""
    writer = BodyWriter().string(message.recipient).fixed(message.message_id)
    return _write_content(writer, message.kind, message.content).bytes()


def decode_outgoing(body: bytes) -> OutgoingMessage:
    reader = BodyReader(body)
    recipient, message_id = reader.string(), reader.fixed(MESSAGE_ID_SIZE)
    kind, content = _read_content(reader)
    reader.finish()
    return OutgoingMessage(recipient, message_id, content, kind)


def encode_deliver_request(request: DeliverRequest) -> bytes:
    """varint acknowledge through, varint most messages, optional sequence to start after; then the epoch"""
    writer = BodyWriter().varint(request.acknowledge_through).varint(request.max_messages)
    return _write_optional(writer, request.after).bytes() + _extension(_EPOCH_TAG, request.epoch)


def decode_deliver_request(body: bytes) -> DeliverRequest:
    reader = BodyReader(body)
    through, max_messages, after = reader.varint(), reader.varint(), _read_optional(reader)
    return DeliverRequest(through, max_messages, after, reader.extensions().get(_EPOCH_TAG, b""))


def encode_acknowledge_request(request: AcknowledgeRequest) -> bytes:
    """varint through; then the epoch"""
    return encode_varint(request.through) + _extension(_EPOCH_TAG, request.epoch)


def decode_acknowledge_request(body: bytes) -> AcknowledgeRequest:
    reader = BodyReader(body)
    return AcknowledgeRequest(reader.varint(), reader.extensions().get(_EPOCH_TAG, b""))


def encode_listen_request(after: int | None) -> bytes:
    """optional sequence to start after"""
    return _write_optional(BodyWriter(), after).bytes()


def decode_listen_request(body: bytes) -> int | None:
    reader = BodyReader(body)
    after = _read_optional(reader)
    reader.finish()
    return after


def encode_number(value: int) -> bytes:
    """varint: the body of CHANGE_PASSWORD's reply"""
    return encode_varint(value)


def decode_number(body: bytes) -> int:
    reader = BodyReader(body)
    value = reader.varint()
    reader.finish()
    return value


def encode_password(password: str) -> bytes:
    """string: the body of DELETE"""
    return BodyWriter().string(password).bytes()


def decode_password(body: bytes) -> str:
    reader = BodyReader(body)
    password = reader.string()
    reader.finish()
    return password


def decode_empty(body: bytes) -> None:
    """The body of LOG_OUT, and of replies that say nothing but their success."""
    BodyReader(body).finish()


# Replies, behind their status byte


def encode_session(session: Session) -> bytes:
    """16 bytes token, varint account id, string username, 16 bytes epoch"""
    writer = BodyWriter().fixed(session.token).varint(session.account_id)
    return writer.string(session.username).fixed(session.epoch).bytes()


def decode_session(body: bytes) -> Session:
    reader = BodyReader(body)
    session = Session(reader.fixed(TOKEN_SIZE), reader.varint(), reader.string(), reader.fixed(EPOCH_SIZE))
    reader.finish()
    return session


def encode_page(page: Page) -> bytes:
    """string next page token, varint number of names, the names as strings"""
    writer = BodyWriter().string(page.next_page_token).varint(len(page.usernames))
    for username in page.usernames:
        writer.string(username)
    return writer.bytes()


def decode_page(body: bytes) -> Page:
    reader = BodyReader(body)
    next_page_token = reader.string()
    usernames = [reader.string() for _ in range(reader.varint())]
    reader.finish()
    return Page(usernames, next_page_token)


def encode_receipt(receipt: Receipt) -> bytes:
    """varint accept time"""
    return encode_varint(receipt.accept_time)


def decode_receipt(body: bytes) -> Receipt:
    return Receipt(decode_number(body))


def encode_delivery(delivery: Delivery) -> bytes:
    """opening, flag more, varint number of messages, the messages"""
    writer = _write_opening(BodyWriter(), delivery.opening)
    writer.fixed(bytes((delivery.more,))).varint(len(delivery.messages))
    for message in delivery.messages:
        writer.sized(encode_message(message))
    return writer.bytes()


def decode_delivery(body: bytes) -> Delivery:
    reader = BodyReader(body)
    opening, more = _read_opening(reader), reader.flag()
    messages = [decode_message(reader.sized()) for _ in range(reader.varint())]
    reader.finish()
    return Delivery(opening, messages, more)


def encode_removal(removal: Removal) -> bytes:
    """varint messages, varint sessions"""
    return BodyWriter().varint(removal.messages).varint(removal.sessions).bytes()


def decode_removal(body: bytes) -> Removal:
    reader = BodyReader(body)
    removal = Removal(reader.varint(), reader.varint())
    reader.finish()
    return removal


# Pushes


def encode_event(event: Event) -> bytes:
    """one byte kind, then: opening; or the messages, each sized, to the body's end; or gap"""
    match event:
        case MessageBatch(messages):
            return b"".join((bytes((BATCH,)), *(_sized(encode_message(message)) for message in messages)))
        case Opening():
            return _write_opening(BodyWriter().fixed(bytes((OPENED,))), event).bytes()
        case Gap():
            return _write_gap(BodyWriter().fixed(bytes((GAP,))), event).bytes()
        case End():
            raise TypeError("an end goes with its error: see encode_ended")


def encode_ended(end: End, error: ChatboothError) -> bytes:
    """one byte kind, varint reason, varint sent through, sized error"""
    writer = BodyWriter().fixed(bytes((END,))).varint(end.reason).varint(end.sent_through)
    return writer.sized(encode_error(error)).bytes()


@dataclass(frozen=True, slots=True)
class Ended:
    """The last push of a live stream: its end, and the error that a call would have ended with."""

    end: End
    error: ChatboothError


def decode_push(body: bytes) -> Event | Ended | None:
    """Return what a push tells; None for a kind that this version does not know."""
    reader = BodyReader(body)
    event: Event | Ended
    match reader.fixed(1)[0]:
        case 2:
            messages = []
            while not reader.is_at_end:
                messages.append(decode_message(reader.sized()))
            return MessageBatch(messages)
        case 1:
            event = _read_opening(reader)
        case 3:
            event = _read_gap(reader)
        case 4:
            event = Ended(End(EndReason(reader.varint()), reader.varint()), decode_error(reader.sized()))
        case _:
            return None
    reader.finish()
    return event


# Pings


def encode_ping(kind: int, payload: bytes = b"") -> bytes:
    """one byte kind (0 asks, 1 answers), sized payload that the answer repeats"""
    return BodyWriter().fixed(bytes((kind,))).sized(payload).bytes()


def decode_ping(body: bytes) -> tuple[int, bytes]:
    reader = BodyReader(body)
    kind, payload = ANSWER if reader.flag() else ASK, reader.sized()
    reader.finish()
    return kind, payload


# What several bodies share


def encode_message(message: Message) -> bytes:
    """varint sequence, string sender, varint sender's id, 16 bytes message id, varint accept time, content"""
    sequence, sender, sender_id, message_id, accept_time, content, kind = message
    name = sender.encode()
    return b"".join(  # at once, where a writer takes it field by field: this is done for every message
        (
            encode_varint(sequence),
            encode_varint(len(name)),
            name,
            encode_varint(sender_id),
            message_id,
            encode_varint(accept_time),
            bytes((kind,)),
            encode_varint(len(content)),
            content,
        )
    )


def decode_message(body: bytes) -> Message:
    reader = BodyReader(body)
    sequence, sender, sender_id = reader.varint(), reader.string(), reader.varint()
    message_id, accept_time = reader.fixed(MESSAGE_ID_SIZE), reader.varint()
    kind, content = _read_content(reader)
    reader.finish()
    return Message(sequence, sender, sender_id, message_id, accept_time, content, kind)


def _write_content(writer: BodyWriter, kind: ContentKind, content: bytes) -> BodyWriter:
    """One byte kind, then sized bytes: for TEXT, UTF-8."""
    return writer.fixed(bytes((kind,))).sized(content)


def _read_content(reader: BodyReader) -> tuple[ContentKind, bytes]:
    if reader.fixed(1)[0] != ContentKind.TEXT:
        raise BodyError("the content is of no known kind")
    return ContentKind.TEXT, reader.text()


def _write_opening(writer: BodyWriter, opening: Opening) -> BodyWriter:
    """16 bytes epoch, varint account id, varint resumed after, varint replaying, flag whether a gap follows, gap."""
    writer.fixed(opening.epoch).varint(opening.account_id).varint(opening.resumed_after).varint(opening.replaying)
    writer.fixed(bytes((opening.gap is not None,)))
    return writer if opening.gap is None else _write_gap(writer, opening.gap)


def _read_opening(reader: BodyReader) -> Opening:
    epoch, account_id = reader.fixed(EPOCH_SIZE), reader.varint()
    resumed_after, replaying = reader.varint(), reader.varint()
    return Opening(epoch, account_id, resumed_after, replaying, _read_gap(reader) if reader.flag() else None)


def _write_gap(writer: BodyWriter, gap: Gap) -> BodyWriter:
    """varint first, varint last, varint reason"""
    return writer.varint(gap.first).varint(gap.last).varint(gap.reason)


def _read_gap(reader: BodyReader) -> Gap:
    return Gap(reader.varint(), reader.varint(), GapReason(reader.varint()))


def _write_optional(writer: BodyWriter, value: int | None) -> BodyWriter:
    """A flag, then a varint where it is 1."""
    writer.fixed(bytes((value is not None,)))
    return writer if value is None else writer.varint(value)


def _read_optional(reader: BodyReader) -> int | None:
    return reader.varint() if reader.flag() else None


def _extension(tag: int, value: bytes) -> bytes:
    """An extension, unless it is empty."""
    return encode_varint(tag) + _sized(value) if value else b""


def _sized(body: bytes) -> bytes:
    return encode_varint(len(body)) + body
