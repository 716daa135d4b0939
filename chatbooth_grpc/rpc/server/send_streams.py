"""SendMany: streams of batches, each answered by a receipt once it is on stable storage.

No thread belongs to a stream. gRPC's event thread receives a batch and hands it to the store; the thread that learns
what came of it writes the receipt; so the next batch is received while the disk works. Only what would keep the event
thread, a large batch or a session that is not at hand, is lent a thread for as long as that takes.

A few batches of a stream are in flight at once, from their arrival until gRPC has taken their receipt; beyond that
nothing is received, and the client's own window fills. Receipts are written in the order in which the batches came
(`booth/ordered_sends`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeAlias, TypeGuard

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.booth import MAX_SENT_TOGETHER, Booth
from chatbooth_grpc.booth.call_log import calling, current_call, log_defect
from chatbooth_grpc.booth.deadline import current_deadline, deadline_at
from chatbooth_grpc.booth.errors import (
    BatchTooLarge,
    ChatboothError,
    Internal,
    MalformedRequest,
    ServerDraining,
    SessionInvalid,
)
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.ordered_sends import OrderedSends, Place
from chatbooth_grpc.booth.store import Outcome, StoredSession
from chatbooth_grpc.rpc.grpcio.calls import StreamCall
from chatbooth_grpc.rpc.messages import outcomes_to_pb, outgoing_from_pb
from chatbooth_grpc.rpc.server.interceptors import UNREADABLE
from chatbooth_grpc.rpc.server.pool_threads import start_threads

BATCHES_IN_FLIGHT = 4
_SMALL_BATCH = 64  # messages, and bytes of them all: what gRPC's event thread may be kept busy with
_SMALL_SIZE = 32 << 10
_THREADS = 4

Outcomes: TypeAlias = Sequence[Outcome]
Batch: TypeAlias = Place[Outcomes | ChatboothError | None]
End: TypeAlias = Callable[[ChatboothError | None], None]


class SendStreams:
    """The open streams, which a drain ends."""

    def __init__(self, booth: Booth) -> None:
        self._booth = booth
        self._lock = threading.Lock()
        self._open: set[_SendStream] = set()
        self._is_draining = False
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="send-stream")

    def start(self) -> None:
        """Start the threads. Raises RuntimeError: the system allows no more."""
        start_threads(self._threads, _THREADS)

    def open(self, token: bytes, call: StreamCall, end: End) -> None:
        """Serve a call from now on; returns at once. `end` is told once what ended it; None: the client."""

        def ended(error: ChatboothError | None) -> None:
            with self._lock:
                self._open.discard(stream)
            end(error)

        stream = _SendStream(self._booth, token, call, ended, self._lend_thread)
        with self._lock:
            if self._is_draining:
                raise ServerDraining
            self._open.add(stream)
        stream.start()

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    def drain(self) -> None:
        """End every stream behind the batches that it has taken."""
        with self._lock:
            self._is_draining = True
            streams = list(self._open)
        for stream in streams:
            stream.end_after_pending(ServerDraining())

    def stop(self) -> None:
        """End the threads, after what they are at; call this when no stream is left."""
        self._threads.shutdown(cancel_futures=True)

    def _lend_thread(self, work: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # they have ended, and the calls with them
            self._threads.submit(work)


class _SendStream:
    """One stream: what is under way, in order."""

    def __init__(
        self, booth: Booth, token: bytes, call: StreamCall, end: End, lend_thread: Callable[[Callable[[], None]], None]
    ) -> None:
        self._booth = booth
        self._sending = booth.sending
        self._token = token
        self._call = call
        self._end = end
        self._lend_thread = lend_thread
        # How the log describes the call. Other threads than the one that opened it answer its batches.
        self._logged = current_call()
        self._lane = Lane()
        # The call's deadline, which its later batches keep.
        self._deadline = current_deadline.get()
        self._sends: OrderedSends[Outcomes | ChatboothError | None] = OrderedSends(BATCHES_IN_FLIGHT, self._write)
        # Guards `_is_receiving`.
        self._lock = threading.Lock()
        self._is_receiving = False

    def start(self) -> None:
        """Look who it is, then receive."""

        def begin() -> None:
            try:
                with calling(self._logged):
                    self._booth.authenticated(self._token)
            except ChatboothError as error:
                self.end_after_pending(error)
            except Exception:  # noqa: BLE001  # a defect must answer too
                self.end_after_pending(self._defect())
            else:
                self._receive()

        if self._booth.cached_session(self._token):
            begin()
        else:
            self._lend_thread(begin)

    def end_after_pending(self, error: ChatboothError | None) -> None:
        """Have the stream end behind what is under way now."""
        place = self._sends.begin(is_last=True)
        if place is not None:
            self._sends.settle(place, error)

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
        """Hand a batch to the store, then receive the next. `session`: None, if it has to be looked for."""
        place = self._sends.begin()
        if place is None:
            return
        try:
            self._hand_over(request, session, place)
        except ChatboothError as error:
            self._refuse(place, error)
        except Exception:  # noqa: BLE001  # a bug must answer too
            self._refuse(place, self._defect())
        else:
            with self._lock:
                self._is_receiving = False
            self._receive()

    def _hand_over(self, request: pb.SendManyRequest, session: StoredSession | None, place: Batch) -> None:
        if len(request.messages) > MAX_SENT_TOGETHER:
            raise BatchTooLarge(MAX_SENT_TOGETHER)
        with deadline_at(self._deadline):
            session = session or self._booth.authenticated(self._token)
            checked = [self._sending.checked(session, outgoing_from_pb(each), self._lane) for each in request.messages]
            self._sending.send_later(checked, partial(self._settle, place))

    def _refuse(self, place: Batch, error: ChatboothError) -> None:
        """End the stream with this batch."""
        self._sends.close()
        self._sends.settle(place, error)

    def _defect(self) -> Internal:
        """Log the exception that is being handled, and return what the client is told of it."""
        log_defect(self._logged)
        return Internal()

    # Receipts go out, in order

    def _settle(self, place: Batch, outcomes: Outcomes) -> None:
        """Note what came of a batch, on whichever thread learns of it."""
        self._sends.settle(place, next((one for one in outcomes if self._ends_stream(one)), outcomes))

    def _ends_stream(self, outcome: Outcome) -> TypeGuard[ChatboothError]:
        """Say whether this is no outcome of a message alone: the session has ended, or the store failed in the lane."""
        return self._lane.is_failure(outcome) or isinstance(outcome, SessionInvalid)

    def _write(self, outcome: Outcomes | ChatboothError | None) -> bool:
        """Write a batch's receipt, or end the stream. The next is written once gRPC has taken the receipt."""
        if outcome is None or isinstance(outcome, ChatboothError):
            self._sends.close()
            self._end(outcome)
        elif not self._call.push(outcomes_to_pb(outcome), self._taken):
            # The client has gone.
            self._end(None)
        return False

    def _taken(self) -> None:
        self._sends.go_on()
        self._receive()


def _is_small(request: pb.SendManyRequest) -> bool:
    return len(request.messages) <= _SMALL_BATCH and request.ByteSize() <= _SMALL_SIZE
