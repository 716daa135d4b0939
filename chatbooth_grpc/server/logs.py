"""Writes structured logs to stderr: as text, as text for systemd's journal, or as JSON."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from chatbooth_grpc.server.log_stream import LogStream

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_PLAIN_TEXT = "plain_text"
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", _PLAIN_TEXT}
_PLAIN_VALUE = re.compile(r"[^\s\"'=]+")

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_NOTICE = 5
"""The priorities of syslog(3). A level of another library that is not one of these is a notice."""

_log = logging.getLogger("chatbooth_grpc.server")


def configure_logs(level: str, log_format: str) -> None:
    """Send this process's logs of `level` and above to stderr, as "text", "journal" or "json".

    If stderr is systemd's journal, "text" is "journal".

    The code that logs a line decides which fields it has: actions, counts, durations, reasons, the address of a peer
    and the name of an account. No line ever has a password, a token or a message's text.
    """
    handler = _StderrHandler(sys.stderr)
    handler.setFormatter(_formatter(log_format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _formatter(log_format: str) -> logging.Formatter:
    if log_format == "json":
        return JsonFormatter()
    return JournalFormatter() if log_format == "journal" or _goes_to_journal(sys.stderr) else TextFormatter()


def _goes_to_journal(stream: TextIO) -> bool:
    """Return whether systemd's journal reads a stream. systemd gives the device and the inode in the environment."""
    try:
        found = os.fstat(stream.fileno())
    # The stream is closed, or it is not a file.
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def log_everything() -> None:
    """Log the warnings and the uncaught exceptions that Python would print on stderr in its own format."""
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


def announce(event: str, *, text: str, level: int = logging.INFO, **fields: object) -> None:
    """Log something at any level of the logs: `text` with its line breaks, or `event` and `fields` as JSON."""
    extra = {**fields, _PLAIN_TEXT: text}
    record = _log.makeRecord(_log.name, level, __file__, 0, event, (), None, extra=extra)
    for handler in logging.getLogger().handlers:
        handler.handle(record)


class _StderrHandler(logging.Handler):
    """Writes records to stderr. If stderr is closed, full, broken or not read, lines are lost, but nothing else fails.

    The threads that log also answer calls. Anybody can make them log, with a wrong password. So they do not wait for
    the reader of the logs.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._write = _writer(stream)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        # A bug in one log call must not fail the action that it reports.
        except Exception as error:  # noqa: BLE001
            line = self.format(_unwritable(record, error))
        if self._lost and self._write(self.format(_lost(self._lost))):
            self._lost = 0
        if self._lost or not self._write(line):
            self._lost += 1


def _writer(stream: TextIO) -> Callable[[str], bool]:
    """Return a function that writes a line to a stream and returns whether the stream took it."""
    try:
        return LogStream(stream.fileno()).write
    # The stream of a test is not a file.
    except io.UnsupportedOperation:
        return lambda line: bool(stream.write(f"{line}\n"))


def _lost(count: int) -> logging.LogRecord:
    """Return a record that says how many lines were lost."""
    event = "log lines were lost, since stderr did not take them"
    return _log.makeRecord(_log.name, logging.WARNING, "", 0, event, (), None, extra={"count": count})


def _unwritable(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    """Return a record that says which log call could not be formatted."""
    extra = {"where": f"{record.module}:{record.lineno}", "error": type(error).__name__}
    return _log.makeRecord(_log.name, logging.ERROR, "", 0, "a log line could not be formatted", (), None, extra=extra)


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    _log.critical("the server failed", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(uncaught: threading.ExceptHookArgs) -> None:
    if uncaught.exc_type is SystemExit or uncaught.exc_value is None:
        return
    exc_info = (uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)
    _log.error("a thread failed", exc_info=exc_info, extra={"thread_name": getattr(uncaught.thread, "name", None)})


def _log_unraisable(unraisable: UnraisableHookArgs) -> None:
    if unraisable.exc_value is None:
        return
    exc_info = (unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback)
    _log.error("an exception was ignored", exc_info=exc_info, extra={"where": type(unraisable.object).__name__})


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: time, level, event, the fields of `extra`, and a traceback if it has one."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class TextFormatter(logging.Formatter):
    """Formats a record for people: time, level, event, and name=value pairs.

    Only a traceback takes more lines, which are indented.

    A client can choose some values. So control characters are escaped, and no value can look like another line or
    field.
    """

    def format(self, record: logging.LogRecord) -> str:
        plain_text = getattr(record, _PLAIN_TEXT, None)
        if plain_text is not None:
            return "\n".join(map(_visible, plain_text.split("\n")))
        fields = "".join(f" {name}={_value(value)}" for name, value in _fields(record).items())
        line = f"{self._prefix(record)}{record.levelname.lower()}: {_visible(record.getMessage())}{fields}"
        if not record.exc_info:
            return line
        traceback = self.formatException(record.exc_info).split("\n")
        return "\n".join([line, *(f"  {_visible(each)}" for each in traceback)])

    def _prefix(self, record: logging.LogRecord) -> str:
        return f"{_time(record)} "


class JournalFormatter(TextFormatter):
    """Formats a record as text for systemd's journal: each line begins with its priority, as in sd-daemon(3).

    The journal notes the time of a line itself.
    """

    def format(self, record: logging.LogRecord) -> str:
        priority = f"<{_PRIORITIES.get(record.levelno, _NOTICE)}>"
        return "\n".join(f"{priority}{line}" for line in super().format(record).split("\n"))

    def _prefix(self, _: logging.LogRecord) -> str:
        return ""


def _value(value: object) -> str:
    text = "-" if value is None else str(value)
    visible = _visible(text)
    if _PLAIN_VALUE.fullmatch(visible):
        return visible
    # A backslash is doubled, because a backslash before a quote would end the value for a program that reads the log.
    return '"' + _visible(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _visible(text: str) -> str:
    """Return the text with an escape, such as \\n, in place of each character that does not print."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
