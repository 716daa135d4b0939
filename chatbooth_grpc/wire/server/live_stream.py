"""A connection's live stream. LISTEN opens it, and live delivery writes to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.call_log import Call, current_call
from chatbooth_grpc.booth.errors import AlreadyListening, ChatboothError
from chatbooth_grpc.booth.model import End, Event
from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.live.encode_once import EncodeOnce
from chatbooth_grpc.live.listener import Listener
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.wire.encoding import pushes
from chatbooth_grpc.wire.encoding.codes import OK
from chatbooth_grpc.wire.encoding.frames import encode_frame
from chatbooth_grpc.wire.server.frame_writer import FrameWriter

_OPENED = encode_frame(actions.RESPONSE, bytes((OK,)))
_encode_push = EncodeOnce(lambda event: encode_frame(actions.MESSAGE, pushes.encode_event(event)))


class LiveStream:
    """The live stream, and the sink to which the switchboard writes its events.

    A connection has one at a time. `_lock` guards which listener is open. No thread waits for anything while it holds
    the lock.
    """

    __slots__ = ("_call", "_listener", "_lock", "_switchboard", "_writer")

    def __init__(self, switchboard: Switchboard, writer: FrameWriter) -> None:
        self._switchboard = switchboard
        self._writer = writer
        self._lock = threading.Lock()
        self._listener: Listener | None = None
        # The LISTEN that opened the stream. Its id goes with the error that ends the stream.
        self._call: Call | None = None

    @property
    def is_open(self) -> bool:
        """Whether a listener is open."""
        return self._listener is not None

    def open(self, session: StoredSession, after: int | None) -> None:
        """Open the stream, and reply to the request. Raises AlreadyListening, TooBusy."""
        # Pushes may come as soon as the listener is open. They wait for this lock, so the reply is written first.
        with self._lock:
            if self._listener is not None:
                raise AlreadyListening
            self._writer.account_id = session.account_id
            self._call = current_call()
            self._listener = self._switchboard.open(session, after, self)
            # If this fails, the next read ends the connection.
            with suppress(OSError):
                self._writer.put(_OPENED)

    def close(self) -> None:
        """Close the stream, if one is open."""
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            self._switchboard.close(listener)

    # The sink

    @property
    def is_free(self) -> bool:
        return self._writer.is_free

    def call_when_free(self, call: Callable[[], None]) -> bool:
        return self._writer.call_when_free(call)

    def send(self, event: Event) -> bool:
        frame = _encode_push(event)
        with self._lock:
            # This waits until the reply to LISTEN is written.
            pass
        try:
            self._writer.put(frame)
        except OSError:
            return False
        return True

    def end(self, end: End, error: ChatboothError) -> None:
        """Write the last event and close the stream. A client that has read it may open another."""
        request_id = self._call.request_id if self._call else ""
        frame = encode_frame(actions.MESSAGE, pushes.encode_ended(end, error, request_id))
        with self._lock:
            with suppress(OSError):  # the client is gone too
                self._writer.put(frame)
            listener, self._listener = self._listener, None
        if listener is not None:
            self._switchboard.close(listener)

    def abort(self) -> None:
        self._writer.cut_off()
