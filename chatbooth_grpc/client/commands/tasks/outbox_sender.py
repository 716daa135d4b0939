"""The thread that sends the messages of the outbox while `listen` runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.commands.tasks.outbox_flushing import flush_outbox, open_outbox, say_what_waits
from chatbooth_grpc.client.failures.interrupts import Interrupted
from chatbooth_grpc.client.failures.outcomes import Unprinted
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.state.session_file import SavedSession
from chatbooth_grpc.client.terminal.output import error_words

_LOOK_INTERVAL = 1.0


@contextmanager
def emptying_outbox(context: Context, saved: SavedSession, client: ChatClient) -> Iterator[None]:
    """Send the messages that are queued, by this or other commands, for as long as the block runs."""
    sender = _OutboxSender(context, saved, client)
    sender.start()
    try:
        yield
    except Interrupted:
        with suppress(OSError):
            sender.say_what_waits()
        raise
    finally:
        sender.stop()
    sender.join(context.timeout)


class _OutboxSender(threading.Thread):
    """Looks into the outbox once a second, and sends the messages that wait there."""

    def __init__(self, context: Context, saved: SavedSession, client: ChatClient) -> None:
        super().__init__(name="outbox-sender", daemon=True)
        self._context = context
        self._saved = saved
        self._client = client
        self._stopping = threading.Event()
        # The words of the failure that keeps the outbox from being sent. They are said once for as long as it lasts.
        self._hindrance = ""

    def run(self) -> None:
        """Send until `stop`."""
        while not self._stopping.wait(_LOOK_INTERVAL):
            try:
                if self._context.sessions.has_outbox(self._saved):
                    self._send()
                self._hindrance = ""
            except ChatboothError:
                # The message stays queued. The stream of `listen` says that the server is away.
                continue
            except Unprinted as unprinted:
                self._context.output.fail(unprinted)
            except OSError as error:
                self._tell(error)

    def stop(self) -> None:
        """Send no further message."""
        self._stopping.set()

    def say_what_waits(self) -> None:
        """Say how many messages stay queued. Raises OSError."""
        if self._context.sessions.has_outbox(self._saved):
            with self._context.sessions.outbox(self._saved) as outbox:
                say_what_waits(self._context, outbox)

    def _send(self) -> None:
        with open_outbox(self._context, self._saved) as outbox:
            flush_outbox(self._context, outbox, self._client)

    def _tell(self, error: OSError) -> None:
        words = error_words(error)
        if words == self._hindrance:
            return
        self._hindrance = words
        record = {"type": "outbox_unusable", "path": str(error.filename), "message": words}
        with suppress(OSError):
            self._context.output.notice(record, f"The outbox is not sent as long as this lasts: {words}")
            self._context.output.flush()
