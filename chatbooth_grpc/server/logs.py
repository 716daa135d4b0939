"""Structured logs on stderr: a sentence and its fields, as text or one JSON object a line.

The code that logs a line decides what it may hold: actions, counts, durations and reasons, the address of a peer and
the name of an account. No line ever holds a password, a token or a message's text.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import datetime, timezone

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN_VALUE = re.compile(r"[^\s\"'=]+")


def configure_logs(level: str, log_format: str) -> None:
    """Send this process's logs of `level` and above to stderr, as "text" or "json"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, the fields given as `extra`, and a traceback if there is one."""

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
    """The same for people: time, level, event, name=value pairs. Only a traceback has lines of its own, indented.

    A client chooses some values. So control characters are escaped, and no value can look like another line or field.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_value(value)}" for name, value in _fields(record).items())
        line = f"{_time(record)} {record.levelname.lower()}: {_visible(record.getMessage())}{fields}"
        if not record.exc_info:
            return line
        traceback = self.formatException(record.exc_info).split("\n")
        return "\n".join([line, *(f"  {_visible(each)}" for each in traceback)])


def _value(value: object) -> str:
    text = "-" if value is None else _visible(str(value))
    return text if _PLAIN_VALUE.fullmatch(text) else '"' + text.replace('"', '\\"') + '"'


def _visible(text: str) -> str:
    """Return the text with each character that does not print as an escape, such as \\n."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
