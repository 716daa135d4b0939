"""Reading messages from lines of JSON, one at a time, with ids that the next run repeats."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.message_ids import decode_message_id
from chatbooth_grpc.booth.model import MAX_TEXT_SIZE, OutgoingMessage, Session
from chatbooth_grpc.booth.rules import check_outgoing, folded_username
from chatbooth_grpc.client.failures.command_failure import CommandFailure

MAX_LINE_SIZE = 100 << 20
"""The largest line, in bytes. It has room for the largest text with every byte escaped as \\u00xx."""

_READ_SIZE = 1 << 20
_DIGEST_SIZE = 10
_NUMBER_SIZE = 6

MakeId = Callable[[int], bytes]
"""Returns the id for the message on the line with this number. The line has no id of its own."""


class BadLine(CommandFailure):
    """The line does not hold a message."""

    reason = "BAD_LINE"


@dataclass(frozen=True, slots=True)
class Line:
    """A line's number from 1, its end in bytes from the file's start, and its message or the error in it."""

    number: int
    end: int
    message: OutgoingMessage | BadLine | ChatboothError


def repeatable_ids(file: BinaryIO, session: Session) -> tuple[MakeId, int]:
    """Return a maker of ids, and the file's size. The ids follow from the whole file and its sender, and grow by line.

    Reads the file from its start, and leaves it at its start again.
    """
    digest = hashlib.blake2b(session.account_id.to_bytes(8, "big"))
    size = 0
    while data := file.read(_READ_SIZE):
        digest.update(data)
        size += len(data)
    file.seek(0)
    prefix = digest.digest()[:_DIGEST_SIZE]
    return lambda number: prefix + number.to_bytes(_NUMBER_SIZE, "big"), size


def read_lines(file: BinaryIO, make_id: MakeId, size: int | None = None) -> Iterator[Line]:
    """Yield the lines of a file that are not blank, up to `size` bytes. Holds one line at a time."""
    number = end = 0
    while content := file.readline(_most(MAX_LINE_SIZE + 1, end, size)):
        number += 1
        end += len(content)
        if len(content) > MAX_LINE_SIZE:
            end += _skip_rest(file, content, end, size)
            yield Line(number, end, BadLine(f"The line has more than {MAX_LINE_SIZE:,} bytes."))
        elif content.removeprefix(codecs.BOM_UTF8).strip():
            yield Line(number, end, _decoded(content, number, make_id))


def _skip_rest(file: BinaryIO, part: bytes, start: int, size: int | None) -> int:
    """Read the rest of a line, and return its size in bytes."""
    end = start
    while part and not part.endswith(b"\n"):
        part = file.readline(_most(_READ_SIZE, end, size))
        end += len(part)
    return end - start


def _most(most: int, end: int, size: int | None) -> int:
    return most if size is None else min(most, size - end)


def _decoded(content: bytes, number: int, make_id: MakeId) -> OutgoingMessage | BadLine | ChatboothError:
    try:
        fields = _fields(content)
        message_id = _message_id(fields["message_id"]) if "message_id" in fields else make_id(number)
        recipient = folded_username(fields["recipient"], "recipient")
        message = OutgoingMessage(recipient, message_id, _utf8(fields["text"]))
        check_outgoing(message, MAX_TEXT_SIZE)
    except (BadLine, ChatboothError) as error:
        return error
    return message


def _fields(content: bytes) -> dict[str, str]:
    """Return the fields of a line. Raises BadLine."""
    try:
        # Some editors begin a file with a byte order mark.
        fields = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadLine(f"The line is not UTF-8: byte {error.start + 1:,} of it is wrong.") from error
    except json.JSONDecodeError as error:
        raise BadLine(f"The line is not JSON: {error.msg}, at character {error.pos + 1:,}.") from error
    except (ValueError, RecursionError) as error:
        # A ValueError comes of a number of thousands of digits, for example.
        raise BadLine("The line is JSON of a kind that cannot be read: too deep, or with too long a number.") from error
    if not isinstance(fields, dict):
        raise BadLine('The line is not a JSON object, such as {"recipient": "ben", "text": "Hello!"}.')
    for name in ("recipient", "text"):
        if name not in fields:
            raise BadLine(f"The field {name} is missing.")
    for name, value in fields.items():
        if name not in {"recipient", "text", "message_id"}:
            raise BadLine(f"There is no field {json.dumps(name)[:60]}. Use recipient, text and message_id.")
        if not isinstance(value, str):
            raise BadLine(f"The field {name} is not a string.")
    return fields


def _message_id(text: str) -> bytes:
    try:
        return decode_message_id(text)
    except ValueError as error:
        raise BadLine("The message_id is not 32 hex digits, not all 0.") from error


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BadLine("The text holds one half of a surrogate pair, which is no character.") from error
