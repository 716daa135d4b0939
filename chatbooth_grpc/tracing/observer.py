"""The observer that makes a trace of a message: its Send, its commit, its pushes and their acknowledgement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode

from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Message
from chatbooth_grpc.booth.observing import Append
from chatbooth_grpc.booth.store import NewMessage, Outcome, StoredSession
from chatbooth_grpc.tracing import describing
from chatbooth_grpc.tracing.following import Following, Push
from chatbooth_grpc.tracing.sampling import Sampler
from chatbooth_grpc.tracing.spans import Spans, Timing


class _Sent(NamedTuple):
    """A traced message in a transaction."""

    span: Span
    new: NewMessage
    error: ChatboothError | None


class TraceObserver:
    """An `Observer` that makes spans. Many threads may call it.

    `Call.trace` holds the spans of a call: one for each traced message that came with it, or one for a call of another
    action. It is empty if nothing of the call is traced. The span of a Send begins when its transaction has ended, with
    an earlier time, and ends when the client gets its answer.
    """

    def __init__(self, spans: Spans, sampler: Sampler, following: Following) -> None:
        self._spans = spans
        self._sampler = sampler
        self._following = following

    def call_ended(self, call: Call, error: ChatboothError | None) -> None:
        """End the spans of a call. If the store did not decide whether it has any, decide now."""
        if call.trace is None:
            parent, chosen = self._sampler.choose(call)
            call.trace = [self._begin(call, parent, {}) for _ in chosen]
        for span in call.trace:
            span.set_attribute(describing.REQUEST_ID, call.request_id)
            if call.account_id:
                span.set_attribute(describing.ACCOUNT_ID, call.account_id)
            _end(span, error)

    def sends_ended(self, call: Call, outcomes: Sequence[Outcome]) -> None:
        """End the spans of messages that came together. Their outcomes are noted already if they were stored."""
        if call.trace is not None:
            for span in call.trace:
                span.end()
            return
        parent, chosen = self._sampler.choose(call, len(outcomes))
        for place in chosen:
            _end(self._begin(call, parent, {}), _error(outcomes[place]))

    def connection_refused(self, limit: str) -> None:
        """Make no span, since nobody has called."""

    def transaction_ended(self, appends: Sequence[Append], began: float, *, committed: bool) -> None:
        """Make one span of the transaction, if a message of it is traced, and follow its traced messages."""
        sent: list[_Sent] = []
        for append in appends:
            sent += self._sent(append)
        if not sent:
            return
        commit = self._begin_commit(sent, began, sum(len(append.messages) for append in appends))
        if committed:
            commit.end()
        else:
            _end(commit, sent[0].error)
        for span, new, error in sent:
            if error is None:
                recipient, message_id, _, _ = new.outgoing
                self._following.add(recipient, new.session.account_id, message_id, span.get_span_context())

    def pushed(self, session: StoredSession, messages: Sequence[Message], hinted: float | None) -> None:
        """Make a span of the push of each followed message."""
        if not self._following.has(session.username):
            return
        now = time.monotonic()
        for message in messages:
            context = self._following.find(session.username, message.sender_id, message.message_id)
            if context is not None:
                self._push(session, message, context, Timing(now if hinted is None else hinted, now))

    def acknowledged(self, session: StoredSession, through: int) -> None:
        """Make a span of the time from each followed push to its acknowledgement."""
        if self._following.has(session.username):
            self._acknowledge(session, self._following.acknowledge(session, through))

    def _sent(self, append: Append) -> list[_Sent]:
        """Begin the spans of the messages of an append that are traced. The call decides only once."""
        call = append.call
        # Without a call, no client waits. With a trace, the client has its answer, because the disk did not answer.
        if call is None or call.trace is not None:
            return []
        parent, chosen = self._sampler.choose(call, len(append.messages))
        if not chosen:
            call.trace = ()
            return []
        sent = [self._begin_sent(call, parent, append, place) for place in chosen]
        call.trace = [each.span for each in sent]
        return sent

    def _begin_sent(self, call: Call, parent: SpanContext | None, append: Append, place: int) -> _Sent:
        new, error = append.messages[place], _error(append.result[place])
        span = self._begin(call, parent, describing.sent_attributes(new))
        _note_outcome(span, error)
        return _Sent(span, new, error)

    def _begin(self, call: Call, parent: SpanContext | None, more: dict[str, str | int]) -> Span:
        attributes = {**describing.call_attributes(call.wire, call.action), **more}
        name = describing.method(call.action)
        return self._spans.begin(name, call.started, parent=parent, kind=SpanKind.SERVER, attributes=attributes)

    def _begin_commit(self, sent: Sequence[_Sent], began: float, messages: int) -> Span:
        """Begin the span of a transaction. The first of its Sends is its parent, and links lead to and from the rest.

        A span has one parent, and one transaction may serve many Sends.
        """
        first, *others = (each.span for each in sent)
        commit = self._spans.begin(
            describing.COMMIT,
            began,
            parent=first.get_span_context(),
            attributes={"chatbooth.commit.messages": messages},
            links=[span.get_span_context() for span in others],
        )
        for span in others:
            span.add_link(commit.get_span_context())
        return commit

    def _push(self, session: StoredSession, message: Message, sent: SpanContext, timing: Timing) -> None:
        attributes = describing.pushed_attributes(session, message)
        context = self._spans.record(
            describing.PUSH, timing, parent=sent, kind=SpanKind.PRODUCER, attributes=attributes
        )
        self._acknowledge(session, self._following.note_push(session, message, context))

    def _acknowledge(self, session: StoredSession, pushes: Sequence[Push]) -> None:
        now = time.monotonic()
        for push in pushes:
            attributes = describing.received_attributes(session, push.sequence)
            timing = Timing(push.ended, now)
            self._spans.record(describing.ACKNOWLEDGE, timing, parent=push.context, attributes=attributes)


def _error(outcome: Outcome) -> ChatboothError | None:
    return outcome if isinstance(outcome, ChatboothError) else None


def _note_outcome(span: Span, error: ChatboothError | None) -> None:
    span.set_attributes(describing.outcome_attributes(error))
    if error is not None and describing.is_fault(error):
        span.set_status(Status(StatusCode.ERROR, error.reason))


def _end(span: Span, error: ChatboothError | None) -> None:
    _note_outcome(span, error)
    span.end()
