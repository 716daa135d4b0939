"""SendMany: streams of batches. A receipt answers each batch that is on stable storage.

No thread belongs to a stream. gRPC's event thread receives a batch and hands it to the store. The thread that gets the
outcome writes the receipt. So the server receives the next batch while the disk works. A large batch, or a session that
is not cached, would block the event thread. So another thread takes such a batch to the store.

A few batches of a stream are in flight at once. A batch is in flight from its arrival until gRPC has taken its receipt.
While no more batches fit, the server receives nothing, and the client's own window fills. The server writes the
receipts in the order in which the batches came (`booth/ordered_sends`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeAlias, TypeGuard

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.booth import MAX_SENT_TOGETHER, Booth
from chatbooth_grpc.booth.call_log import Call, calling, current_call, log_defect
from chatbooth_grpc.booth.deadline import current_deadline, deadline_at
from chatbooth_grpc.booth.errors import (
    BatchTooLarge,
    ChatboothError,
    Internal,
    MalformedRequest,
    ServerDraining,
    SessionInvalid,
    TooBusy,
)
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.observing import GRPC
from chatbooth_grpc.booth.occupancy import Occupancy
from chatbooth_grpc.booth.ordered_sends import OrderedSends, Place
from chatbooth_grpc.booth.store import Outcome, Settle, StoredSession
from chatbooth_grpc.rpc.grpcio.calls import StreamCall
from chatbooth_grpc.rpc.messages import outcomes_to_pb, outgoing_from_pb
from chatbooth_grpc.rpc.server.interceptors import UNREADABLE
from chatbooth_grpc.rpc.server.pool_threads import start_threads

BATCHES_IN_FLIGHT = 4
# gRPC's event thread handles a batch itself if it has at most this many messages and bytes.
_SMALL_BATCH = 64
_SMALL_SIZE = 32 << 10
_THREADS = 4

Outcomes: TypeAlias = Sequence[Outcome]
Batch: TypeAlias = Place[Outcomes | ChatboothError | None]
End: TypeAlias = Callable[[ChatboothError | None], None]


class SendStreams:
    """The open streams. A drain ends them."""

    def __init__(self, booth: Booth, per_account: int) -> None:
        """`per_account` is how many streams one account may have open at once."""
        self._booth = booth
        self._per_account = Occupancy("open SendMany streams of one account", per_account)
        self._lock = threading.Lock()
        self._open: set[_SendStream] = set()
        self._is_draining = False
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="send-stream")

    def start(self) -> None:
        """Start the threads. Raises RuntimeError if the system allows no more."""
        start_threads(self._threads, _THREADS)

    def open(self, token: bytes, call: StreamCall, end: End) -> None:
        """Begin to serve a call, and return at once.

        `end` is called once, with the error that ended the call, or with None if the client ended it.
        """

        def ended(error: ChatboothError | None) -> None:
            with self._lock:
                self._open.discard(stream)
                account_id, stream.account_id = stream.account_id, None
            self._per_account.leave(account_id)
            end(error)

        stream = _SendStream(self._booth, token, call, ended, lend_thread=self._lend_thread, count=self._count)
        with self._lock:
            if self._is_draining:
                raise ServerDraining
            self._open.add(stream)
        stream.start()

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._open)

    def end_idle(self, limit: float) -> None:
        """End the streams that have been without a batch for `limit` seconds. The client library opens another."""
        oldest = time.monotonic() - limit
        with self._lock:
            streams = list(self._open)
        for stream in streams:
            if stream.last_used < oldest:
                stream.end_if_idle(TooBusy(f"{limit:,g} s without a batch"))

    def drain(self) -> None:
        """End every stream after the batches that it has received."""
        with self._lock:
            self._is_draining = True
            streams = list(self._open)
        for stream in streams:
            stream.end_after_pending(ServerDraining())

    def stop(self) -> None:
        """End the threads after their current work. Call this when no stream is open."""
        self._threads.shutdown(cancel_futures=True)

    def _count(self, stream: _SendStream, account_id: int) -> None:
        """Count an open stream for its account. Raises TooBusy."""
        self._per_account.enter(account_id)
        with self._lock:
            is_open = stream in self._open
            if is_open:
                stream.account_id = account_id
        # The client has gone meanwhile.
        if not is_open:
            self._per_account.leave(account_id)

    def _lend_thread(self, work: Callable[[], None]) -> None:
        # The threads may have ended, and the calls with them.
        with suppress(RuntimeError):
            self._threads.submit(work)


class _SendStream:
    """One stream, with its batches in flight in order."""

    def __init__(
        self,
        booth: Booth,
        token: bytes,
        call: StreamCall,
        end: End,
        *,
        lend_thread: Callable[[Callable[[], None]], None],
        count: Callable[[_SendStream, int], None],
    ) -> None:
        """`count` counts this stream for its account. Raises TooBusy."""
        self._booth = booth
        self._sending = booth.sending
        self._token = token
        self._call = call
        self._end = end
        self._lend_thread = lend_thread
        self._count = count
        # The account for which this stream counts, while it does.
        self.account_id: int | None = None
        # How the log describes the call. The batches are answered by other threads than the one that opened the call.
        self._logged = current_call()
        self._lane = Lane()
        # The call's deadline, which holds for all its batches.
        self._deadline = current_deadline.get()
        self._sends: OrderedSends[Outcomes | ChatboothError | None] = OrderedSends(BATCHES_IN_FLIGHT, self._write)
        # When the last batch came or had its receipt, in monotonic seconds.
        self.last_used = time.monotonic()
        # Guards `_is_receiving`.
        self._lock = threading.Lock()
        self._is_receiving = False

    def start(self) -> None:
        """Check the session, then receive the first batch."""

        def begin() -> None:
            try:
                with calling(self._logged):
                    account_id = self._booth.admitted(self._token).account_id
                self._count(self, account_id)
            except ChatboothError as error:
                self.end_after_pending(error)
            except Exception:  # noqa: BLE001  # a bug must answer too
                self.end_after_pending(self._defect())
            else:
                self._receive()

        if self._booth.cached_session(self._token):
            begin()
        else:
            self._lend_thread(begin)

    def end_after_pending(self, error: ChatboothError | None) -> None:
        """End the stream after the batches that are in flight now."""
        place = self._sends.begin(is_last=True)
        if place is not None:
            self._sends.settle(place, error)

    def end_if_idle(self, error: ChatboothError) -> None:
        """End the stream, unless a batch is in flight."""
        if not len(self._sends):
            self.end_after_pending(error)

    # Batches come in, one at a time

    def _receive(self) -> None:
        """Receive the next batch, if there is room for it."""
        with self._lock:
            if self._is_receiving or not self._sends.has_room:
                return
            self._is_receiving = True
        self._call.receive(self._received)

    def _received(self, request: pb.SendManyRequest | None) -> None:
        if request is None:
            self.end_after_pending(None)
        elif request is UNREADABLE:
            self.end_after_pending(MalformedRequest())
        else:
            session = self._booth.cached_session(self._token)
            if session is not None and _is_small(request):
                self._take(request, session)
            else:
                self._lend_thread(partial(self._take, request))

    def _take(self, request: pb.SendManyRequest, session: StoredSession | None = None) -> None:
        """Hand a batch to the store, then receive the next. If `session` is None, this looks the session up."""
        self.last_used = time.monotonic()
        place = self._sends.begin()
        if place is None:
            return
        call = self._batch_call()
        try:
            with calling(call or self._logged):
                self._hand_over(request, session, partial(self._settle, place, call))
        except ChatboothError as error:
            self._refuse(place, call, error)
        except Exception:  # noqa: BLE001  # a bug must answer too
            self._refuse(place, call, self._defect())
        else:
            with self._lock:
                self._is_receiving = False
            self._receive()

    def _batch_call(self) -> Call | None:
        """Return the call that the messages of a batch share, for the observer."""
        stream = self._logged
        if self._booth.observer is None or stream is None:
            return None
        return Call(stream.action, stream.peer, GRPC, header=stream.header)

    def _hand_over(self, request: pb.SendManyRequest, session: StoredSession | None, settle: Settle) -> None:
        if len(request.messages) > MAX_SENT_TOGETHER:
            raise BatchTooLarge(MAX_SENT_TOGETHER)
        with deadline_at(self._deadline):
            session = session or self._booth.sender(self._token)
            # The stream ends with the refusal. So no later batch of it can overtake this one.
            if wait := self._booth.throttles.take_sends(session.sender_key, len(request.messages)):
                raise self._booth.throttles.sends_refused(wait)
            checked = [self._sending.checked(session, outgoing_from_pb(each), self._lane) for each in request.messages]
            self._sending.send_later(checked, settle)

    def _refuse(self, place: Batch, call: Call | None, error: ChatboothError) -> None:
        """End the stream with this batch."""
        if self._booth.observer is not None and call is not None:
            self._booth.observer.sends_ended(call, (error,))
        self._sends.close()
        self._sends.settle(place, error)

    def _defect(self) -> Internal:
        """Log the exception that is being handled, and return the error for the client."""
        log_defect(self._logged)
        return Internal()

    # Receipts go out, in order

    def _settle(self, place: Batch, call: Call | None, outcomes: Outcomes) -> None:
        """Note the outcomes of a batch. The thread that gets them from the store calls this."""
        if self._booth.observer is not None and call is not None:
            self._booth.observer.sends_ended(call, outcomes)
        self._sends.settle(place, next((one for one in outcomes if self._ends_stream(one)), outcomes))

    def _ends_stream(self, outcome: Outcome) -> TypeGuard[ChatboothError]:
        """Return whether an outcome ends the stream: the session has ended, or the store failed in the lane."""
        return self._lane.is_failure(outcome) or isinstance(outcome, SessionInvalid)

    def _write(self, outcome: Outcomes | ChatboothError | None) -> bool:
        """Write a batch's receipt, or end the stream. `_taken` writes the next one after gRPC has taken this one."""
        if outcome is None or isinstance(outcome, ChatboothError):
            self._sends.close()
            self._end(outcome)
        elif not self._call.push(outcomes_to_pb(outcome, self._request_id), self._taken):
            # The client has gone.
            self._end(None)
        return False

    def _request_id(self) -> str:
        return self._logged.request_id if self._logged else ""

    def _taken(self) -> None:
        self.last_used = time.monotonic()
        self._sends.write_next()
        self._receive()


def _is_small(request: pb.SendManyRequest) -> bool:
    return len(request.messages) <= _SMALL_BATCH and request.ByteSize() <= _SMALL_SIZE
