"""Sending the messages on the lines of a file, so that a run that was cut off can resume."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from chatbooth_grpc.booth.errors import ChatboothError, RateLimited
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt, Session
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.commands.tasks.message_lines import BadLine, MakeId, read_lines, repeatable_ids
from chatbooth_grpc.client.failures.command_failure import CommandFailure
from chatbooth_grpc.client.failures.outcomes import SomeNotSent, Unprinted
from chatbooth_grpc.client.failures.session_failures import SessionEnded
from chatbooth_grpc.client.failures.token_failures import TokenEnded
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.terminal.progress import Progress

STANDARD_INPUT = "-"


class FileChanged(CommandFailure):
    """The file changed while its lines were sent."""

    reason = "FILE_CHANGED"
    must_be_said = True

    def __init__(self, sent: int) -> None:
        super().__init__(
            f"{sent:,} sent, but the file changed meanwhile: the same command would send all its lines, as of another "
            "file."
        )


def import_messages(context: Context, name: str) -> None:
    """Send the messages on the lines of a file. `-` stands for standard input.

    Raises SomeNotSent, FileChanged. Raises OSError if the file cannot be read. Raises ChatboothError or SessionEnded if
    the run was cut off.
    """
    saved = context.pick()
    with _opened(context, name) as file:
        sending = _Sending(context, file)
        try:
            if name != STANDARD_INPUT:
                sending.make_repeatable(saved.session)
            with context.client_of(saved, quiet=True) as client:
                sending.run(client)
        except (KeyboardInterrupt, ChatboothError, SessionEnded, TokenEnded, OSError, Unprinted):
            sending.cut_off()
            raise
        sending.finish()


def _opened(context: Context, name: str) -> AbstractContextManager[BinaryIO]:
    return nullcontext(context.prompts.stdin) if name == STANDARD_INPUT else Path(name).open("rb")


class _Sending:
    """A run over a file, with the outcomes of its lines so far."""

    def __init__(self, context: Context, file: BinaryIO) -> None:
        self._output = context.output
        self._timeout = context.timeout
        self._file = file
        self._sent = 0
        self._failed = 0
        # The lines in flight: the number of each, and where it ends in the file.
        self._in_flight: deque[tuple[int, int]] = deque()
        self._make_id: MakeId = self._new_id
        self._is_resumable = True
        self._is_lost = False
        self._is_slow = False
        self._as_begun: os.stat_result | None = None
        self._size: int | None = None
        self._progress = self._new_progress()

    def make_repeatable(self, session: Session) -> None:
        """Make ids that the next run makes again, if the file can be read twice. Raises OSError."""
        begun = os.fstat(self._file.fileno())
        if stat.S_ISREG(begun.st_mode):
            self._output.show_passing("Reading the file…")
            self._make_id, self._size = repeatable_ids(self._file, session)
            self._as_begun = begun
            self._progress = self._new_progress()

    def run(self, client: ChatClient) -> None:
        """Send every line. Raises ChatboothError if the run was cut off, OSError if the file cannot be read."""
        for _, outcome in client.send_many(self._messages(), on_retry=self._lost):
            self._is_lost = False
            number, end = self._in_flight.popleft()
            if isinstance(outcome, Receipt):
                self._sent += 1
            else:
                self._refuse(number, outcome)
            self._tell_progress(end)

    def finish(self) -> None:
        """Say how many lines were sent, and how many were not. Raises SomeNotSent, FileChanged, Unprinted, OSError."""
        changed = self._as_begun is not None and _changed(self._as_begun, os.fstat(self._file.fileno()))
        self._output.show_passing("")
        if self._output.as_json or not (changed or self._failed):
            self._output.result(self._counts(), f"{self._sent:,} sent.")
        if changed:
            raise FileChanged(self._sent)
        if self._failed:
            raise SomeNotSent(self._sent, self._failed)

    def cut_off(self) -> None:
        """Say how far the run came, and how to resume it.

        Raises Unprinted if that cannot be said although some messages were sent.
        """
        if self._is_resumable:
            advice = "The same command, with the file unchanged, goes on where this one stopped."
        else:
            advice = "The same command would send them again, under new ids."
        not_sent = f", {self._failed:,} not sent" if self._failed else ""
        try:
            self._output.result(self._counts(), f"{self._sent:,} sent{not_sent} so far. {advice}")
        except Unprinted:
            if self._sent:
                raise

    def _messages(self) -> Iterator[OutgoingMessage]:
        for line in read_lines(self._file, self._make_id, self._size):
            if isinstance(line.message, OutgoingMessage):
                self._in_flight.append((line.number, line.end))
                yield line.message
            else:
                self._refuse(line.number, line.message)
                self._tell_progress(line.end)

    def _new_id(self, _number: int) -> bytes:
        if self._is_resumable:
            self._is_resumable = False
            self._output.say("Lines without a message_id have new ids in each run: this one cannot be resumed.")
        return new_message_id()

    def _refuse(self, number: int, error: BadLine | ChatboothError) -> None:
        self._failed += 1
        record = {"line": number, "error": error.reason, "message": str(error)}
        self._output.notice(record, f"Line {number:,}: {error}")

    def _lost(self, error: ChatboothError, _pause: float) -> None:
        if isinstance(error, RateLimited):
            self._slow_down(error)
            return
        if not self._is_lost:
            self._output.say(f"{error} Trying again, for up to {self._timeout:g} s…")
        self._is_lost = True

    def _slow_down(self, error: RateLimited) -> None:
        """Say once that the server limits the speed. A long file meets the limit again and again."""
        if not self._is_slow:
            self._output.say(f"The server takes at most {error.limit}, so sending goes on at that speed.")
        self._is_slow = True

    def _counts(self) -> dict[str, int]:
        return {"sent": self._sent, "failed": self._failed}

    def _new_progress(self) -> Progress | None:
        return Progress(self._output.show_passing, self._size) if self._output.shows_passing else None

    def _tell_progress(self, done: int) -> None:
        if self._progress:
            self._progress.update(self._sent, done)


def _changed(begun: os.stat_result, now: os.stat_result) -> bool:
    return (begun.st_size, begun.st_mtime_ns) != (now.st_size, now.st_mtime_ns)
