"""The model's nouns as protobuf messages and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.error_reasons import from_reason
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import (
    ContentKind,
    End,
    EndReason,
    Event,
    Gap,
    GapReason,
    Message,
    MessageBatch,
    Opening,
    OutgoingMessage,
    Receipt,
    Session,
    UnknownEvent,
)
from chatbooth_grpc.rpc.unknown_fields import add_unknown_content, unknown_content, unknown_event_kind

_MICROSECONDS = 1_000_000

NO_KIND = 0
"""The kind of a message without any content. No server of this version sends such a message."""


def receipt_to_pb(receipt: Receipt) -> pb.SendResponse:
    """Encode a receipt as the response to a Send."""
    return pb.SendResponse(accept_time=time_to_pb(receipt.accept_time))


def time_to_pb(microseconds: int) -> Timestamp:
    """Encode a time in microseconds since 1970 UTC."""
    seconds, rest = divmod(microseconds, _MICROSECONDS)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)


def time_from_pb(timestamp: Timestamp) -> int:
    """Decode a time into microseconds since 1970 UTC."""
    return timestamp.seconds * _MICROSECONDS + timestamp.nanos // 1_000


def session_to_pb(session: Session) -> pb.Session:
    """Encode the session that SignUp, LogIn or CreateToken returns."""
    return pb.Session(
        token=session.token,
        account_id=session.account_id,
        username=session.username,
        epoch=session.epoch,
    )


def session_from_pb(session: pb.Session) -> Session:
    """Decode the session that SignUp, LogIn or CreateToken returned."""
    return Session(session.token, session.account_id, session.username, session.epoch)


def outgoing_to_pb(message: OutgoingMessage) -> pb.SendRequest:
    """Encode a message to send."""
    recipient, message_id, content, kind = message
    if kind == ContentKind.TEXT:
        return pb.SendRequest(recipient=recipient, message_id=message_id, text=content.decode())
    request = pb.SendRequest(recipient=recipient, message_id=message_id)
    add_unknown_content(request, kind, content)
    return request


def outgoing_from_pb(request: pb.SendRequest) -> OutgoingMessage:
    """Decode a message to send. A message without any content has an empty text."""
    text = request.text
    if not text and (found := unknown_content(request)):
        kind, content = found
        return OutgoingMessage(request.recipient, request.message_id, content, kind)
    return OutgoingMessage(request.recipient, request.message_id, text.encode())


def outcomes_to_pb(outcomes: Sequence[Receipt | ChatboothError], request_id: Callable[[], str]) -> pb.SendManyResponse:
    """Encode the outcomes of a batch. `request_id` returns the id for refusals. It is called only if there is one."""
    # The messages of one commit have the same accept time, and so the same outcome.
    accepted: dict[int, pb.SendOutcome] = {}

    def encoded(outcome: Receipt | ChatboothError) -> pb.SendOutcome:
        if isinstance(outcome, Receipt):
            time = outcome.accept_time
            return accepted.get(time) or accepted.setdefault(time, pb.SendOutcome(accept_time=time_to_pb(time)))
        refusal = pb.Refusal(
            reason=outcome.reason, message=str(outcome), metadata=outcome.attributes(), request_id=request_id()
        )
        return pb.SendOutcome(refusal=refusal)

    return pb.SendManyResponse(outcomes=map(encoded, outcomes))


def outcomes_from_pb(response: pb.SendManyResponse) -> list[Receipt | ChatboothError]:
    """Decode the outcomes of a batch."""
    return [
        _refusal_from_pb(outcome.refusal) if outcome.HasField("refusal") else Receipt(time_from_pb(outcome.accept_time))
        for outcome in response.outcomes
    ]


def _refusal_from_pb(refusal: pb.Refusal) -> ChatboothError:
    error = from_reason(refusal.reason, refusal.message, refusal.metadata)
    if refusal.request_id:
        error.request_id = refusal.request_id
    return error


def message_to_pb(message: Message) -> pb.Message:
    """Encode a message of a mailbox."""
    is_text = message.kind == ContentKind.TEXT
    encoded = pb.Message(
        sequence=message.sequence,
        sender=message.sender,
        sender_id=message.sender_id,
        message_id=message.message_id,
        accept_time=time_to_pb(message.accept_time),
        text=message.content.decode() if is_text else None,
    )
    if not is_text:
        add_unknown_content(encoded, message.kind, message.content)
    return encoded


def message_from_pb(message: pb.Message) -> Message:
    """Decode a message of a mailbox."""
    text = message.text
    kind, content = (ContentKind.TEXT, text.encode()) if text else _content_without_text(message)
    return Message(
        message.sequence,
        message.sender,
        message.sender_id,
        message.message_id,
        time_from_pb(message.accept_time),
        content,
        kind,
    )


def opening_to_pb(opening: Opening) -> pb.Opening:
    """Encode where a delivery starts."""
    return pb.Opening(
        epoch=opening.epoch,
        account_id=opening.account_id,
        resumed_after=opening.resumed_after,
        replaying=opening.replaying,
        gap=None if opening.gap is None else _gap_to_pb(opening.gap),
    )


def opening_from_pb(opening: pb.Opening) -> Opening:
    """Decode where a delivery starts."""
    gap = _gap_from_pb(opening.gap) if opening.HasField("gap") else None
    return Opening(opening.epoch, opening.account_id, opening.resumed_after, opening.replaying, gap)


def event_to_pb(event: Event) -> pb.ListenResponse:
    """Encode an event of a live stream."""
    match event:
        case MessageBatch(messages):
            return pb.ListenResponse(batch=pb.MessageBatch(messages=map(message_to_pb, messages)))
        case Opening():
            return pb.ListenResponse(opening=opening_to_pb(event))
        case Gap():
            return pb.ListenResponse(gap=_gap_to_pb(event))
        case End(reason, sent_through):
            return pb.ListenResponse(end=pb.End(reason=pb.EndReason.Name(reason), sent_through=sent_through))


def event_from_pb(response: pb.ListenResponse) -> Event | UnknownEvent:
    """Decode an event of a live stream."""
    match response.WhichOneof("event"):
        case "batch":
            return MessageBatch([message_from_pb(message) for message in response.batch.messages])
        case "opening":
            return opening_from_pb(response.opening)
        case "gap":
            return _gap_from_pb(response.gap)
        case "end":
            return End(EndReason(response.end.reason), response.end.sent_through)
        case _:
            return UnknownEvent(unknown_event_kind(response))


def _content_without_text(message: pb.Message) -> tuple[int, bytes]:
    if message.WhichOneof("content") is not None:
        return ContentKind.TEXT, b""
    return unknown_content(message) or (NO_KIND, b"")


def _gap_to_pb(gap: Gap) -> pb.Gap:
    return pb.Gap(first_sequence=gap.first, last_sequence=gap.last, reason=pb.GapReason.Name(gap.reason))


def _gap_from_pb(gap: pb.Gap) -> Gap:
    return Gap(gap.first_sequence, gap.last_sequence, GapReason(gap.reason))
