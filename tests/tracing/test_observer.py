"""The observer: which spans a message gets, their parents and links, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.errors import ChatboothError, RecipientNotFound, StoreUnavailable
from chatbooth_grpc.booth.model import Message, OutgoingMessage, Receipt
from chatbooth_grpc.booth.store import NewMessage, Outcome, StoredSession
from chatbooth_grpc.store.jobs import AppendJob
from chatbooth_grpc.tracing.following import Following
from chatbooth_grpc.tracing.observer import TraceObserver
from chatbooth_grpc.tracing.sampling import Sampler
from chatbooth_grpc.tracing.spans import Spans

ANN = StoredSession(1, 11, "ann", 1, 0, 0)
BEN = StoredSession(2, 12, "ben", 2, 0, 0)
SEND = "chatbooth.v1.ChatService/Send"
RECEIPT = Receipt(0)


class Watched:
    """An observer, and the spans that it has made."""

    def __init__(self, ratio: float = 1.0) -> None:
        self.following = Following()
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.observer = TraceObserver(Spans(provider.get_tracer("test")), Sampler(ratio), self.following)

    def spans(self, *names: str) -> list[ReadableSpan]:
        """Return the spans that have ended, or those of some names."""
        return [span for span in self._exporter.get_finished_spans() if not names or span.name in names]

    def names(self) -> list[str]:
        """Return the names of the spans that have ended."""
        return [span.name for span in self.spans()]

    def store(self, appends: Sequence[AppendJob], *, committed: bool = True) -> None:
        """Observe a transaction, and the answers to its calls."""
        self.observer.transaction_ended(appends, 0.0, committed=committed)
        for append in appends:
            outcome = append.result[0]
            assert append.call is not None
            self.observer.call_ended(append.call, outcome if isinstance(outcome, ChatboothError) else None)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def call(action: str = "SEND", wire: str = "grpc") -> Call:
    return Call(action, lambda: "127.0.0.1:1", wire)


def append(*numbers: int, outcomes: Sequence[Outcome] = ()) -> AppendJob:
    """Return a job with a message of Ann to Ben for each number."""
    news = [NewMessage(ANN, OutgoingMessage("ben", b"%016d" % each, b"hello"), b"d" * 16) for each in numbers]
    job = AppendJob(news, lambda _: None)
    job.call = call()
    job.result = list(outcomes) or [RECEIPT] * len(numbers)
    return job


def message(number: int) -> Message:
    return Message(number, "ann", 11, b"%016d" % number, 0, b"hello")


def id_of(span: ReadableSpan) -> tuple[int, int]:
    """Return the ids of a span's trace and of the span."""
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


def parent_of(span: ReadableSpan) -> tuple[int, int] | None:
    """Return the same ids of a span's parent."""
    return None if span.parent is None else (span.parent.trace_id, span.parent.span_id)


def links_of(span: ReadableSpan) -> set[tuple[int, int]]:
    """Return the same ids of the spans to which a span has links."""
    return {(link.context.trace_id, link.context.span_id) for link in span.links}


def test_a_message_has_one_trace(watched: Watched) -> None:
    watched.store([append(1)])
    watched.observer.pushed(BEN, [message(1)], None)
    watched.observer.acknowledged(BEN, 1)
    commit, send, push, acknowledge = watched.spans()
    assert watched.names() == ["commit", SEND, "push", "acknowledge"]
    assert parent_of(send) is None
    assert parent_of(commit) == parent_of(push) == id_of(send)
    assert parent_of(acknowledge) == id_of(push)
    assert send.attributes is not None
    assert send.attributes["chatbooth.request.id"]
    assert len(watched.following) == 0


def test_one_span_stands_for_a_transaction_and_links_join_it_to_its_other_sends(watched: Watched) -> None:
    watched.store([append(1), append(2), append(3)])
    [commit] = watched.spans("commit")
    first, *others = watched.spans(SEND)
    assert parent_of(commit) == id_of(first)
    assert links_of(commit) == {id_of(span) for span in others}
    assert [links_of(span) for span in (first, *others)] == [set(), {id_of(commit)}, {id_of(commit)}]
    assert commit.attributes == {"chatbooth.commit.messages": 3}


def test_each_message_that_came_with_others_has_a_trace_and_its_own_outcome(watched: Watched) -> None:
    together = append(1, 2, outcomes=[RECEIPT, RecipientNotFound("ben")])
    assert together.call is not None
    watched.observer.transaction_ended([together], 0.0, committed=True)
    assert watched.spans(SEND) == []
    watched.observer.sends_ended(together.call, together.result)
    stored, refused = watched.spans(SEND)
    assert id_of(stored)[0] != id_of(refused)[0]
    assert refused.attributes is not None
    assert refused.attributes["error.type"] == "RECIPIENT_NOT_FOUND"
    assert refused.status.status_code is StatusCode.UNSET
    assert len(watched.following) == 1


def test_messages_that_never_reached_the_store_have_spans_too(watched: Watched) -> None:
    watched.observer.sends_ended(call(wire="wire"), [RecipientNotFound("ben")])
    assert watched.names() == [SEND]


def test_a_transaction_that_failed_has_failed_spans_and_nothing_is_followed(watched: Watched) -> None:
    watched.store([append(1, outcomes=[StoreUnavailable()])], committed=False)
    assert [span.status.status_code for span in watched.spans("commit", SEND)] == [StatusCode.ERROR] * 2
    assert len(watched.following) == 0


def test_a_call_that_was_answered_before_its_commit_has_one_span(watched: Watched) -> None:
    late = append(1)
    assert late.call is not None
    watched.observer.call_ended(late.call, StoreUnavailable())
    watched.observer.transaction_ended([late], 0.0, committed=True)
    assert watched.names() == [SEND]


def test_another_action_has_one_span_with_its_account(watched: Watched) -> None:
    listing = call("LIST")
    listing.account, listing.account_id = "ann", 11
    watched.observer.call_ended(listing, None)
    [span] = watched.spans()
    assert span.name == "chatbooth.v1.ChatService/List"
    assert span.attributes is not None
    assert span.attributes["chatbooth.account.id"] == 11
    assert "ann" not in span.attributes.values()


def test_the_push_of_a_message_that_is_not_followed_has_no_span(watched: Watched) -> None:
    watched.observer.pushed(BEN, [message(1)], None)
    watched.store([append(1)])
    watched.observer.pushed(ANN, [message(1)], None)
    watched.observer.pushed(BEN, [message(2)], None)
    watched.observer.acknowledged(BEN, 2)
    assert watched.spans("push", "acknowledge") == []


def test_a_client_that_acknowledges_at_once_has_its_span(watched: Watched) -> None:
    watched.store([append(1)])
    watched.observer.acknowledged(BEN, 1)
    watched.observer.pushed(BEN, [message(1)], None)
    [push] = watched.spans("push")
    [acknowledge] = watched.spans("acknowledge")
    assert parent_of(acknowledge) == id_of(push)


@pytest.mark.parametrize(
    "act",
    [
        lambda watched: watched.store([append(1)]),
        lambda watched: watched.observer.call_ended(call("LIST"), None),
        lambda watched: watched.observer.sends_ended(call(), [RecipientNotFound("ben")]),
        lambda watched: watched.observer.connection_refused("connections"),
    ],
)
def test_with_a_ratio_of_0_there_are_no_spans(act: Callable[[Watched], None]) -> None:
    watched = Watched(0)
    act(watched)
    watched.observer.pushed(BEN, [message(1)], None)
    watched.observer.acknowledged(BEN, 1)
    assert watched.spans() == []


def test_one_decision_holds_for_a_whole_call(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(0.5)
    chances = iter([0.9, 0.1])
    monkeypatch.setattr("random.random", lambda: next(chances))
    watched.store([append(1)])
    assert watched.spans() == []
    assert next(chances) == 0.1


def test_an_append_that_no_client_waits_for_has_no_span(watched: Watched) -> None:
    own = append(1)
    own.call = None
    watched.observer.transaction_ended([own], 0.0, committed=True)
    assert watched.spans() == []
