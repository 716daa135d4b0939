"""One client's connection on the server: a thread that reads requests and writes replies.

What comes together is answered together: a run of SENDs is one commit, and the replies of all that was read at once
are one write. Replies leave in the order of their requests. Pushes of a live stream and pings come from other threads;
one lock keeps every frame whole. A client that does not read blocks its own thread, and a pump for as long as the
watchdog allows; then the connection is shut down, which frees both.

`_write_lock` is held by whoever writes, for as long as that blocks, and guards which live stream is open; nothing is
waited for while it is held but the client. The watchdog only ever tries to take it.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Sequence

from chatbooth_grpc.booth.errors import (
    AlreadyListening,
    ChatboothError,
    MalformedRequest,
    RequestTooLarge,
    UnsupportedVersion,
)
from chatbooth_grpc.booth.model import End, Event
from chatbooth_grpc.live.listener import Listener
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.wire import bodies, frames
from chatbooth_grpc.wire.codes import OK, encode_error
from chatbooth_grpc.wire.dispatch import Dispatcher, answered, session_token
from chatbooth_grpc.wire.encoding import BodyError
from chatbooth_grpc.wire.frames import Frame, FrameDecoder, FrameError, UnknownVersion, encode_frame

_FIRST_READ = 2_048  # small: a thread that waits for a request holds a buffer of this size
_FURTHER_READ = 256 << 10
_MOST_HELD = 256 << 10
_LONGEST_HELD = 0.01  # seconds: replies wait for each other, but not for slow work behind them
_PIECE = 64 << 10  # a write of more is watched piece by piece: who reads slowly still reads
_PING = encode_frame(frames.PING, bodies.encode_ping(bodies.ASK))


class Connection:
    """Reads, answers, and is watched: the times are monotonic seconds, for the watchdog."""

    __slots__ = (
        "_decoder",
        "_dispatcher",
        "_held",
        "_held_since",
        "_held_size",
        "_listener",
        "_socket",
        "_switchboard",
        "_write_lock",
        "asked_since",
        "frame_since",
        "is_answering",
        "last_received",
        "last_used",
        "writing_since",
    )

    def __init__(self, client: socket.socket, dispatcher: Dispatcher, switchboard: Switchboard, max_body: int) -> None:
        self._socket = client
        self._dispatcher = dispatcher
        self._switchboard = switchboard
        self._decoder = FrameDecoder(max_body, from_client=True)
        self._write_lock = threading.Lock()
        self._listener: Listener | None = None
        self._held: list[bytes] = []  # frames to be written together
        self._held_size = 0
        self._held_since = 0.0
        self.last_received = self.last_used = time.monotonic()
        self.is_answering = False  # as long as that lasts, nothing is read
        self.frame_since: float | None = None  # since when a frame is incomplete
        self.writing_since: float | None = None  # since when a write is blocked
        self.asked_since: float | None = None  # since when a ping is unanswered

    @property
    def is_listening(self) -> bool:
        """Whether a live stream is open, which counts as use."""
        return self._listener is not None

    def serve(self) -> None:
        """Answer requests until either side ends the connection."""
        try:
            while data := self._receive():
                if not self._take(data):
                    self._discard()
                    return
        except OSError:
            pass  # the client is gone, or the watchdog ended it
        finally:
            self._end()

    def shut_down(self) -> None:
        """End the connection at once, from any thread, whatever it is blocked in."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended already

    def drain(self) -> None:
        """Read no more; what was read is answered, then the connection ends."""
        try:
            self._socket.shutdown(socket.SHUT_RD)
        except OSError:
            return

    def ask(self, now: float) -> None:
        """Send a ping, if that blocks nobody: a write that is under way is watched by itself."""
        if not self._write_lock.acquire(blocking=False):
            return
        self.asked_since = now  # before the answer can come
        try:
            if self._socket.send(_PING, socket.MSG_DONTWAIT) < len(_PING):
                self.shut_down()
        except OSError:
            self.shut_down()
        finally:
            self._write_lock.release()

    def push(self, event: Event) -> None:
        """Write an event of the live stream. Raises OSError."""
        frame = encode_frame(frames.MESSAGE, bodies.encode_event(event))
        with self._write_lock:
            self._write(frame)

    def push_end(self, end: End, error: ChatboothError) -> None:
        """Write the live stream's last event; whoever has read it may open another. Raises OSError."""
        frame = encode_frame(frames.MESSAGE, bodies.encode_ended(end, error))
        with self._write_lock:
            self._write(frame)
            self._listener = None

    def _write(self, data: bytes) -> None:
        """Write whole frames, with the lock held, blocking while the client does not read. Raises OSError."""
        try:
            for start in range(0, len(data), _PIECE):
                self.writing_since = time.monotonic()
                self._socket.sendall(data[start : start + _PIECE])
        except OSError:
            self.shut_down()  # perhaps within a frame: nothing may follow it
            raise
        finally:
            self.writing_since = None

    def _receive(self) -> bytes:
        """Wait for bytes and return all that are there, up to a limit; none: the client has ended the connection."""
        data = self._socket.recv(_FIRST_READ)
        if len(data) == _FIRST_READ:
            with contextlib.suppress(BlockingIOError):
                data += self._socket.recv(_FURTHER_READ, socket.MSG_DONTWAIT)
        self.last_received = time.monotonic()
        self.asked_since = None
        return data

    def _take(self, data: bytes) -> bool:
        """Answer the requests that are whole by now; return whether the connection can go on."""
        requests: list[Frame] = []
        failure: FrameError | None = None
        try:
            requests.extend(self._decoder.feed(data))
        except FrameError as error:
            failure = error
        if requests:
            self.frame_since = None
        self.is_answering = True
        goes_on = self._answer(requests)
        if goes_on and failure is not None:
            self._reply(encode_error(_refusal(failure)))
            goes_on = False
        self._flush()
        self._look_again()
        return goes_on

    def _look_again(self) -> None:
        """Be watched again, and for an incomplete frame from now: its rest was not read for while this answered."""
        now = time.monotonic()
        if self._decoder.is_between_frames:
            self.frame_since = None
        elif self.frame_since is None:
            self.frame_since = now
        self.last_received = now
        self.is_answering = False

    def _discard(self) -> None:
        """Read what still comes, until the client or the watchdog ends it: closing over it would reset the answer."""
        self.frame_since = time.monotonic()
        self._socket.shutdown(socket.SHUT_WR)
        while self._socket.recv(_FURTHER_READ):
            pass

    def _answer(self, requests: Sequence[Frame]) -> bool:
        """Answer requests in their order, and return whether the connection can go on.

        It cannot where the store has failed a SEND: those behind it, here or on their way, would overtake its retry.
        """
        for is_send, run in itertools.groupby(requests, key=lambda frame: frame.action == frames.SEND):
            if is_send:
                replies, has_failed = self._dispatcher.answer_sends(list(run))
                for body in replies:
                    self._reply(body)
                self.last_used = time.monotonic()
                if has_failed:
                    return False
            else:
                for frame in run:
                    self._answer_one(frame)
        return True

    def _answer_one(self, frame: Frame) -> None:
        if frame.action == frames.PING:
            self._answer_ping(frame)
            return
        if frame.action == frames.LISTEN:
            self._listen(frame)
        else:
            self._reply(self._dispatcher.answer(frame))
        self.last_used = time.monotonic()

    def _answer_ping(self, frame: Frame) -> None:
        """Answer a client's ping; its answer to ours needed only to arrive."""
        try:
            kind, payload = bodies.decode_ping(frame.body)
        except BodyError:
            self._reply(encode_error(MalformedRequest()))
        else:
            if kind == bodies.ASK:
                self._queue(encode_frame(frames.PING, bodies.encode_ping(bodies.ANSWER, payload)))

    def _listen(self, frame: Frame) -> None:
        """Open the live stream. The replies so far and its own are written first, since its pushes may come at once."""
        self._flush()
        refusal = answered(lambda: self._open_stream(frame))
        if refusal:
            self._reply(refusal)

    def _open_stream(self, frame: Frame) -> bytes:
        after = bodies.decode_listen_request(frame.body)
        session = self._dispatcher.booth.authenticated(session_token(frame))
        with self._write_lock:  # holds the pushes back
            if self._listener is not None:
                raise AlreadyListening
            self._listener = self._switchboard.open(session, after, WireSink(self))
            with contextlib.suppress(OSError):  # the next read ends the connection
                self._write(encode_frame(frames.RESPONSE, bytes((OK,))))
        return b""

    def _reply(self, body: bytes) -> None:
        self._queue(encode_frame(frames.RESPONSE, body))

    def _queue(self, frame: bytes) -> None:
        """Hold a frame back until what was read is answered, but not long, and not many bytes."""
        now = time.monotonic()
        if not self._held:
            self._held_since = now
        self._held.append(frame)
        self._held_size += len(frame)
        if self._held_size >= _MOST_HELD or now - self._held_since >= _LONGEST_HELD:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            held, self._held, self._held_size = self._held, [], 0
            with self._write_lock:
                self._write(b"".join(held))

    def _end(self) -> None:
        self.shut_down()  # frees a pump that is blocked in a write: closing alone would not
        with self._write_lock:
            listener, self._listener = self._listener, None
            self._socket.close()
        if listener is not None:
            self._switchboard.close(listener)


class WireSink:
    """A connection's live stream, as live delivery writes to it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, event: Event) -> bool:
        try:
            self._connection.push(event)
        except OSError:
            return False
        return True

    def end(self, end: End, error: ChatboothError) -> None:
        with contextlib.suppress(OSError):  # the client is gone too
            self._connection.push_end(end, error)

    def abort(self) -> None:
        self._connection.shut_down()


def _refusal(failure: FrameError) -> ChatboothError:
    if isinstance(failure, UnknownVersion):
        return UnsupportedVersion(failure.version, frames.VERSION)
    return RequestTooLarge()
