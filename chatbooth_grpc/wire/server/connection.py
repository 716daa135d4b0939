"""One client's connection on the server.

A connection has a thread, which reads requests and answers them in their order. While a client does nothing but send a
few small messages at a time, that thread waits, and the shared reader reads for it.

SENDs hold no thread while the disk works. The SENDs that were read together make a run. The thread hands the run to the
store in one call, and reads on. The store's callback writes the replies, on any thread. Replies keep the order of the
requests, because the replies of a run are written after those of all earlier runs (`booth/ordered_sends`). A few runs
are in flight at once. Any other request waits until the runs before it are answered. The replies to the other requests
that were read together are written together (`held_replies`).

The pushes of the live stream (`live_stream`) and the server's pings come from other threads. All of them write through
the frame writer (`frame_writer`), which never blocks them. A client that does not read blocks only the connection's own
thread. The watchdog ends such a connection after a while.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import time
from collections.abc import Callable
from functools import partial

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    MalformedRequest,
    RequestTooLarge,
    UnsupportedVersion,
)
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.ordered_sends import OrderedSends
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.wire.encoding import frames, pinging, pushes
from chatbooth_grpc.wire.encoding.frames import (
    Frame,
    FrameDecoder,
    FrameError,
    UnknownVersion,
    encode_frame,
    whole_sends,
)
from chatbooth_grpc.wire.encoding.primitives import BodyError
from chatbooth_grpc.wire.server.dispatch import Dispatcher, answered, refused
from chatbooth_grpc.wire.server.frame_writer import FrameWriter
from chatbooth_grpc.wire.server.held_replies import HeldReplies
from chatbooth_grpc.wire.server.live_stream import LiveStream
from chatbooth_grpc.wire.server.sends import Sends
from chatbooth_grpc.wire.server.shared_reader import READ_SIZE, SharedReader
from chatbooth_grpc.wire.streams.byte_stream import ByteStream

# A thread that waits for a request holds a buffer of this size, so it is small.
_FIRST_READ = READ_SIZE
_FURTHER_READ = 256 << 10
_RUNS_IN_FLIGHT = 4
# After this many reads of only SENDs, the shared reader takes over. To lend and give back costs more than a read.
_READS_BEFORE_LENDING = 8
_PING = encode_frame(actions.PING, pinging.encode_ping(pinging.ASK))


class Connection:
    """Reads and answers requests. The public times are for the watchdog, in monotonic seconds."""

    __slots__ = (
        "_decoder",
        "_dispatcher",
        "_held",
        "_is_taking",
        "_lane",
        "_live_stream",
        "_reads_of_sends",
        "_receive_header",
        "_returned",
        "_runs",
        "_shared_reader",
        "_stream",
        "_writer",
        "asked_since",
        "frame_since",
        "last_received",
        "last_used",
        "over_since",
        "peer",
    )

    def __init__(
        self,
        stream: ByteStream,
        dispatcher: Dispatcher,
        switchboard: Switchboard,
        max_body: int,
        writer: FrameWriter,
        *,
        shared_reader: SharedReader | None = None,
        peer: str = "",
        receive_header: Callable[[], str | None] | None = None,
    ) -> None:
        """`writer` writes to `stream`. Without a `shared_reader`, the connection's own thread does all the reading.

        `peer` is the address of the client in the logs. With `receive_header`, that is the address of a proxy, and the
        client's comes first: it waits for the proxy's header, and returns None if the proxy speaks for itself.
        """
        self._stream = stream
        self.peer = partial(str, peer)
        # Set until the proxy's header has come.
        self._receive_header = receive_header
        self._dispatcher = dispatcher
        self._live_stream = LiveStream(switchboard, writer)
        self._decoder = FrameDecoder(max_body, from_client=True)
        self._writer = writer
        self._shared_reader = shared_reader
        # How many reads in a row were small, and had nothing but SENDs.
        self._reads_of_sends = 0
        # The bytes or the error with which the shared reader gives the connection back. It is made on first use.
        self._returned: queue.SimpleQueue[bytes | OSError] | None = None
        # The runs of SENDs in flight. Only the thread that reads begins one.
        self._runs: OrderedSends[tuple[bytes, bool]] = OrderedSends(_RUNS_IN_FLIGHT, self._write_run)
        self._lane = Lane()
        self._held = HeldReplies(writer)
        self.last_received = self.last_used = time.monotonic()
        # Whether the thread handles requests at the moment. It does not read meanwhile.
        self._is_taking = False
        # When the first bytes of an incomplete frame came. None means that there is no incomplete frame.
        self.frame_since: float | None = None
        # When the server sent a ping that has no answer yet.
        self.asked_since: float | None = None
        # When the server stopped answering this connection.
        self.over_since: float | None = None

    @property
    def opening_since(self) -> float | None:
        """When the connection came. None if its handshake is done, and its proxy's header is there if it needs one."""
        return None if self._stream.is_ready and self._receive_header is None else self.last_used

    @property
    def is_answering(self) -> bool:
        """Whether a request waits for its answer."""
        return self._is_taking or len(self._runs) > 0

    @property
    def writing_since(self) -> float | None:
        """Since when the client has taken no bytes, if some are left to be written."""
        return self._writer.writing_since

    @property
    def is_listening(self) -> bool:
        """Whether a live stream is open. That counts as use of the connection."""
        return self._live_stream.is_open

    def serve(self) -> None:
        """Answer requests until either side ends the connection."""
        try:
            self._learn_peer()
            while data := self._receive():
                if self.over_since is None:
                    self._take_unless_over(data)
            self._runs.wait_until(0)
            # The pushes to a listener that does not read would make this wait for the watchdog.
            if not self.is_listening:
                self._writer.wait_until_written()
        except OSError:
            # The client has gone, or the watchdog has ended the connection.
            pass
        finally:
            self._end()

    def _learn_peer(self) -> None:
        """Wait for the header of a proxy, if the client comes by one. Raises OSError."""
        if self._receive_header is not None:
            peer = self._receive_header()
            if peer is not None:
                self.peer = partial(str, peer)
            self._receive_header = None

    def shut_down(self) -> None:
        """End the connection at once, even if its thread is blocked. Any thread may call this."""
        self._stream.cut_off()

    def drain(self) -> None:
        """Read no more. The connection ends when the requests that were read are answered."""
        self._stream.stop_receiving()

    def ask(self, now: float) -> None:
        """Send a ping. This never blocks."""
        # This comes first, because the answer sets it back.
        self.asked_since = now
        with contextlib.suppress(OSError):
            self._writer.put(_PING)

    def take_quickly(self, data: bytes, sends: Sends) -> bool:
        """Add SENDs that the shared reader has read to `sends`, and return True. Return False if that could block."""
        if self.over_since is not None or not self._writer.has_room:
            return False
        requests = whole_sends(data)
        if not requests:
            return False
        run = self._runs.begin()
        if run is None:
            return False
        if not sends.add_if_cached(requests, self._lane, partial(self._runs.settle, run), self.peer):
            self._runs.withdraw(run)
            return False
        # As `_note_received` does, without another call.
        self.last_received = time.monotonic()
        self.asked_since = None
        return True

    def give_back(self, data: bytes | OSError) -> None:
        """Let the connection's thread continue with the bytes that the shared reader has read."""
        assert self._returned is not None  # noqa: S101  # made before it was lent
        self._returned.put(data)

    def _receive(self) -> bytes:
        """Wait for bytes and return those that have come, up to a limit. Empty bytes mean that the client has ended."""
        if self._reads_of_sends >= _READS_BEFORE_LENDING and self._decoder.is_between_frames and self._shared_reader:
            data = self._receive_by(self._shared_reader)
        else:
            data = self._stream.receive(_FIRST_READ)
        if len(data) >= _FIRST_READ and (more := self._stream.receive_now(_FURTHER_READ)):
            data += more
        self._note_received()
        return data

    def _receive_by(self, reader: SharedReader) -> bytes:
        """Lend the connection. Return the bytes with which it is given back. Raises OSError."""
        if self._returned is None:
            self._returned = queue.SimpleQueue()
        self._reads_of_sends = 0
        if not reader.lend(self._stream, self):
            self._shared_reader = None
            return self._stream.receive(_FIRST_READ)
        returned = self._returned.get()
        if isinstance(returned, OSError):
            raise returned
        return returned

    def _note_received(self) -> None:
        self.last_received = time.monotonic()
        self.asked_since = None

    def _take_unless_over(self, data: bytes) -> None:
        """Handle the bytes that were read. Ignore a failed write if the connection is over anyway."""
        try:
            self._take(data)
        except OSError:
            if self.over_since is None:
                raise
            # The watchdog ends the connection, but only when it is not answering.
            self._is_taking = False

    def _take(self, data: bytes) -> None:
        """Answer the requests that are complete now. The store's callback answers SENDs later."""
        requests: list[Frame] = []
        failure: FrameError | None = None
        try:
            requests.extend(self._decoder.feed(data))
        except FrameError as error:
            failure = error
        if requests:
            self.frame_since = None
        self._count_sends(data, requests)
        self._is_taking = True
        for is_send, run in itertools.groupby(requests, key=lambda frame: frame.action == actions.SEND):
            if is_send:
                self._hand_over([*run])
            else:
                self._runs.wait_until(0)
                for frame in run:
                    if self.over_since is None:
                        self._answer(frame)
                        self._writer.wait_for_room()
        if failure is not None:
            self._runs.wait_until(0)
            self._reply(refused(_refusal(failure), "UNKNOWN", self.peer))
        self._held.flush()
        if failure is not None:
            self._close()
        else:
            self._writer.wait_for_room()
        self._look_again()

    def _count_sends(self, data: bytes, requests: list[Frame]) -> None:
        """Count the reads in a row that were small and had nothing but SENDs."""
        is_steady = len(data) < READ_SIZE and all(frame.action == actions.SEND for frame in requests)
        self._reads_of_sends = self._reads_of_sends + 1 if is_steady else 0

    def _look_again(self) -> None:
        """Let the watchdog judge the connection again.

        An incomplete frame counts from now on, because the thread could not read its rest while it answered.
        """
        now = time.monotonic()
        if self._decoder.is_between_frames:
            self.frame_since = None
        elif self.frame_since is None:
            self.frame_since = now
        self.last_received = now
        self._is_taking = False

    def _close(self) -> None:
        """Write no more, and ignore the bytes that still come, until the client or the watchdog ends the connection.

        If the server closed the socket while bytes come, the system would send a reset, and the client could lose the
        last reply.
        """
        self.over_since = time.monotonic()
        self._writer.end()

    def _hand_over(self, requests: list[Frame]) -> None:
        """Hand SENDs to the store. Its callback answers them."""
        # The replies to the requests before them go first.
        self._held.flush()
        self._runs.wait_until(_RUNS_IN_FLIGHT - 1)
        if self.over_since is not None:
            return
        self._writer.wait_for_room()
        run = self._runs.begin()
        # No other thread begins a run meanwhile, and none closes the queue.
        assert run is not None  # noqa: S101
        sends = Sends(self._dispatcher.booth)
        sends.add(requests, self._lane, partial(self._runs.settle, run), self.peer, partial(self._runs.wait_until, 1))
        sends.store()

    def _write_run(self, settled: tuple[bytes, bool]) -> bool:
        """Write the replies of a run, and the connection's end if the store has failed the run. It never blocks."""
        replies, has_failed = settled
        if self.over_since is None:
            # The connection's own thread gets the same error.
            with contextlib.suppress(OSError):
                self._writer.put(replies)
            if has_failed:
                # Nothing may follow these replies.
                self._close()
        self.last_used = time.monotonic()
        return True

    def _answer(self, frame: Frame) -> None:
        if frame.action == actions.PING:
            self._answer_ping(frame)
            return
        if frame.action == actions.LISTEN:
            self._listen(frame)
        else:
            with self._dispatcher.at_once(frame.action):
                self._reply(self._dispatcher.answer(frame, self.peer))
                self._note_account(frame.token)
        self.last_used = time.monotonic()

    def _note_account(self, token: bytes) -> None:
        """Note the account that the answers are for, because they can be large."""
        session = self._dispatcher.booth.cached_session(token)
        if session is not None:
            self._writer.account_id = session.account_id

    def _answer_ping(self, frame: Frame) -> None:
        """Answer a ping of the client. The client's answer to a ping of the server needs no answer."""
        try:
            kind, payload = pinging.decode_ping(frame.body)
        except BodyError:
            self._reply(refused(MalformedRequest(), "PING", self.peer))
            return
        if kind == pinging.ASK:
            self._held.add(encode_frame(actions.PING, pinging.encode_ping(pinging.ANSWER, payload)))
        elif kind != pinging.ANSWER:
            self._reply(refused(MalformedRequest(), "PING", self.peer))

    def _listen(self, frame: Frame) -> None:
        """Open the live stream. The replies that are held go first, since its pushes may come at once."""
        self._held.flush()
        refusal = answered(lambda: self._open_stream(frame), actions.LISTEN, self.peer, self._dispatcher.booth.observer)
        if refusal:
            self._reply(refusal)

    def _open_stream(self, frame: Frame) -> bytes:
        self._dispatcher.booth.throttles.check_request()
        after = pushes.decode_listen_request(frame.body)
        session = self._dispatcher.booth.authenticated(frame.token, actions.LISTEN)
        # A client that reads nothing could connect again and again, and have its messages sent each time.
        self._dispatcher.admit(actions.LISTEN, frame.token)
        self._live_stream.open(session, after)
        return b""

    def _reply(self, body: bytes) -> None:
        self._held.add(encode_frame(actions.RESPONSE, body))

    def _end(self) -> None:
        self._writer.close()
        self._live_stream.close()


def _refusal(failure: FrameError) -> ChatboothError:
    if isinstance(failure, UnknownVersion):
        return UnsupportedVersion(failure.version, frames.VERSION)
    return RequestTooLarge()
