"""SendMany: streams of batches, each answered by a receipt once it is on stable storage.

Two threads serve a stream: one reads batches and hands them to the store, one waits for what came of them and writes
receipts. So the next batch is read and checked while the disk works, and a receipt waits for nothing but its commit.
A few batches are under way at once; beyond that nothing is read, and the client's own window fills.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import ChatboothError, Internal, ServerDraining, SessionInvalid
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import Lane
from chatbooth_grpc.rpc.messages import outcomes_to_pb, outgoing_from_pb

BATCHES_UNDER_WAY = 4

Outcomes = Sequence[Receipt | ChatboothError] | ChatboothError

_log = logging.getLogger(__name__)


class SendStreams:
    """The open streams, which a drain ends."""

    def __init__(self, booth: Booth) -> None:
        self._booth = booth
        self._lock = threading.Lock()
        self._open: set[_SendStream] = set()
        self._is_draining = False

    def serve(self, token: bytes, requests: Iterable[pb.SendManyRequest]) -> Iterator[pb.SendManyResponse]:
        """Yield a receipt for each batch. Raises ChatboothError: what ends the stream."""
        self._booth.authenticated(token)
        stream = _SendStream(self._booth, token, requests)
        with self._lock:
            if self._is_draining:
                raise ServerDraining
            self._open.add(stream)
        try:
            yield from stream.receipts()
        finally:
            with self._lock:
                self._open.discard(stream)

    def drain(self) -> None:
        """End every stream behind the batches that it has taken."""
        with self._lock:
            self._is_draining = True
            streams = list(self._open)
        for stream in streams:
            stream.end(ServerDraining())


class _SendStream:
    """One stream: what is under way, in order, from the thread that reads to the one that writes."""

    def __init__(self, booth: Booth, token: bytes, requests: Iterable[pb.SendManyRequest]) -> None:
        self._booth = booth
        self._token = token
        self._requests = requests
        self._lane = Lane()
        self._under_way: queue.SimpleQueue[Future[Outcomes] | None] = queue.SimpleQueue()  # None: no more come
        self._room = threading.Semaphore(BATCHES_UNDER_WAY)
        self._is_over = False

    def receipts(self) -> Iterator[pb.SendManyResponse]:
        """Yield receipts until the client has sent its last batch. Raises ChatboothError."""
        threading.Thread(target=self._read, name="send-stream", daemon=True).start()
        try:
            while (batch := self._under_way.get()) is not None:
                outcomes = batch.result()
                self._room.release()
                if isinstance(outcomes, ChatboothError):
                    raise outcomes
                if any(isinstance(outcome, SessionInvalid) for outcome in outcomes):
                    raise SessionInvalid
                yield outcomes_to_pb(outcomes)
        finally:
            self._is_over = True
            self._room.release()

    def end(self, error: ChatboothError) -> None:
        """Have the stream end with an error, after what is under way now."""
        self._take(lambda settle: settle(error))

    def _read(self) -> None:
        try:
            for request in self._requests:
                self._room.acquire()
                if self._is_over:
                    return
                if not self._take(self._storing(request)):
                    return  # nothing behind it may be stored
        except ChatboothError as error:
            self.end(error)
        except Exception:  # noqa: BLE001, S110  # gRPC's, without a word: the call is over before its last batch
            pass
        self._under_way.put(None)

    def _storing(self, request: pb.SendManyRequest) -> Callable[[Callable[[Outcomes], None]], None]:
        def store(settle: Callable[[Outcomes], None]) -> None:
            messages = [outgoing_from_pb(message) for message in request.messages]
            self._booth.send_batch_later(self._token, messages, settle, self._lane)

        return store

    def _take(self, begin: Callable[[Callable[[Outcomes], None]], None]) -> bool:
        """Put the next in its place, then begin it; return whether it could be begun."""
        outcome: Future[Outcomes] = Future()
        self._under_way.put(outcome)
        try:
            begin(outcome.set_result)
        except ChatboothError as error:
            outcome.set_result(error)
            return False
        except Exception:  # noqa: BLE001  # a defect must answer too
            _log.exception("an action failed", extra={"action": pb.ACTION_SEND})
            outcome.set_result(Internal())
            return False
        return True
