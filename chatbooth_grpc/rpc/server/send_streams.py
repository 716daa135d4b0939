"""SendMany: streams of batches, each answered by a receipt once it is on stable storage.

No thread belongs to a stream. gRPC's event thread receives a batch and hands it to the store; the thread that learns
what came of it writes the receipt; so the next batch is received while the disk works. Only what would keep the event
thread, a large batch or a session that is not at hand, is lent a thread for as long as that takes.

A few batches of a stream are under way at once, from their arrival until gRPC has taken their receipt; beyond that
nothing is received, and the client's own window fills. Each has a place in the order of arrival, and what comes of
them is written in that order, by one thread at a time: `_lock` guards the places and who is at work, and is not held
while anything else is called.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeAlias, TypeGuard

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.booth import MAX_SENT_TOGETHER, Booth
from chatbooth_grpc.booth.call_log import calling, current_call, log_defect
from chatbooth_grpc.booth.errors import (
    BatchTooLarge,
    ChatboothError,
    Internal,
    MalformedRequest,
    ServerDraining,
    SessionInvalid,
)
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.store import Outcome, StoredSession
from chatbooth_grpc.rpc.grpcio.calls import StreamCall
from chatbooth_grpc.rpc.messages import outcomes_to_pb, outgoing_from_pb
from chatbooth_grpc.rpc.server.interceptors import UNREADABLE
from chatbooth_grpc.rpc.server.pool_threads import start_threads

BATCHES_UNDER_WAY = 4
_SMALL_BATCH = 64  # messages, and bytes of them all: what gRPC's event thread may be kept busy with
_SMALL_SIZE = 32 << 10
_THREADS = 4

Outcomes: TypeAlias = Sequence[Outcome]
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
            stream.end_behind(ServerDraining())

    def stop(self) -> None:
        """End the threads, after what they are at; call this when no stream is left."""
        self._threads.shutdown(cancel_futures=True)

    def _lend_thread(self, work: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # they have ended, and the calls with them
            self._threads.submit(work)


class _Place:
    """A batch that is under way, or the stream's end, and what came of it once that is known."""

    __slots__ = ("error", "is_settled", "outcomes")

    def __init__(self) -> None:
        self.is_settled = False
        self.outcomes: Outcomes | None = None  # None: the stream ends here, with the error if there is one
        self.error: ChatboothError | None = None

    def settle(self, outcome: Outcomes | ChatboothError | None) -> None:
        """Note what came of it: a receipt's outcomes; an error or None end the stream."""
        if isinstance(outcome, ChatboothError):
            self.error = outcome
        else:
            self.outcomes = outcome
        self.is_settled = True


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
        self._lock = threading.Lock()
        self._under_way: deque[_Place] = deque()
        self._is_receiving = False
        self._is_closed = False  # nothing more is received
        self._is_writing = False

    def start(self) -> None:
        """Look who it is, then receive."""

        def begin() -> None:
            try:
                with calling(self._logged):
                    self._booth.authenticated(self._token)
            except ChatboothError as error:
                self.end_behind(error)
            except Exception:  # noqa: BLE001  # a defect must answer too
                self.end_behind(self._defect())
            else:
                self._receive()

        if self._booth.session_at_hand(self._token):
            begin()
        else:
            self._lend_thread(begin)

    def end_behind(self, error: ChatboothError | None) -> None:
        """Have the stream end behind what is under way now."""
        place = self._new_place(closes=True)
        if place is not None:
            self._settle(place, error)

    # Batches come in, one at a time

    def _receive(self) -> None:
        """Receive the next batch, if there is room for it."""
        with self._lock:
            if self._is_receiving or self._is_closed or len(self._under_way) >= BATCHES_UNDER_WAY:
                return
            self._is_receiving = True
        self._call.receive(self._received)

    def _received(self, request: pb.SendManyRequest | None) -> None:
        if request is None:
            self.end_behind(None)
        elif request is UNREADABLE:
            self.end_behind(MalformedRequest())
        else:
            session = self._booth.session_at_hand(self._token)
            if session is not None and _is_small(request):
                self._take(request, session)
            else:
                self._lend_thread(partial(self._take, request))

    def _take(self, request: pb.SendManyRequest, session: StoredSession | None = None) -> None:
        """Hand a batch to the store, then receive the next. `session`: None, if it has to be looked for."""
        place = self._new_place()
        if place is None:
            return
        try:
            if len(request.messages) > MAX_SENT_TOGETHER:
                raise BatchTooLarge(MAX_SENT_TOGETHER)
            session = session or self._booth.authenticated(self._token)
            checked = [self._sending.checked(session, outgoing_from_pb(each), self._lane) for each in request.messages]
            self._sending.send_later(checked, partial(self._settle, place))
        except ChatboothError as error:
            self._refuse(place, error)
        except Exception:  # noqa: BLE001  # a defect must answer too
            self._refuse(place, self._defect())
        else:
            with self._lock:
                self._is_receiving = False
            self._receive()

    def _new_place(self, *, closes: bool = False) -> _Place | None:
        """Take the next place, unless nothing more may be received. `closes`: it is the last."""
        with self._lock:
            if self._is_closed:
                return None
            self._is_closed = closes
            place = _Place()
            self._under_way.append(place)
            return place

    def _refuse(self, place: _Place, error: ChatboothError) -> None:
        """End the stream with this batch."""
        with self._lock:
            self._is_closed = True
        self._settle(place, error)

    def _defect(self) -> Internal:
        """Log the exception that is being handled, and return what the client is told of it."""
        log_defect(self._logged)
        return Internal()

    # Receipts go out, in order

    def _settle(self, place: _Place, outcome: Outcomes | ChatboothError | None) -> None:
        """Note what came of a place, on whichever thread learns of it."""
        if outcome is not None and not isinstance(outcome, ChatboothError):
            outcome = next((one for one in outcome if self._ends_stream(one)), outcome)
        place.settle(outcome)
        self._write()

    def _ends_stream(self, outcome: Outcome) -> TypeGuard[ChatboothError]:
        """Say whether this is no outcome of a message alone: the session has ended, or the store failed in the lane."""
        return self._lane.is_failure(outcome) or isinstance(outcome, SessionInvalid)

    def _write(self) -> None:
        """Write what stands first in order, once it is settled; what comes behind it is written once that is taken."""
        with self._lock:
            if self._is_writing or not self._under_way or not self._under_way[0].is_settled:
                return
            self._is_writing = True  # and so it stays at the end, where nothing more is written
            place = self._under_way[0]
            if place.outcomes is None:
                self._is_closed = True
        if place.outcomes is None:
            self._end(place.error)
        elif not self._call.push(outcomes_to_pb(place.outcomes), self._taken):
            self._end(None)  # to a client that has gone

    def _taken(self) -> None:
        with self._lock:
            self._under_way.popleft()
            self._is_writing = False
        self._write()
        self._receive()


def _is_small(request: pb.SendManyRequest) -> bool:
    return len(request.messages) <= _SMALL_BATCH and request.ByteSize() <= _SMALL_SIZE
