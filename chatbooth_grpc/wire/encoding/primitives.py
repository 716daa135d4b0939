"""The primitives that bodies consist of: varints, sized bytes, strings, extensions.

varint      7 bits a byte, the lowest first. The top bit is set on every byte but the last. At most 64 bits.
            A last byte of 0 after other bytes is refused, so that each number has one encoding.
sized       A varint, then that many bytes.
string      Sized UTF-8.
extension   A varint tag from 1, then sized bytes. Extensions follow the known fields of a body. A reader skips an
            extension whose tag it does not know.
"""

from __future__ import annotations

from functools import lru_cache

EPOCH_SIZE = 16

_MAX_VARINT_SIZE = 10
_MAX_VALUE = (1 << 64) - 1


class BodyError(Exception):
    """Bytes are not a valid encoding. The text says what is wrong."""


class BodyWriter:
    """Collects the fields of a body, in order."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def varint(self, value: int) -> BodyWriter:
        """Add a number from 0 to 2^64 - 1."""
        self._parts.append(encode_varint(value))
        return self

    def fixed(self, value: bytes) -> BodyWriter:
        """Add bytes of a number that the format fixes."""
        self._parts.append(value)
        return self

    def sized(self, value: bytes) -> BodyWriter:
        """Add the number of bytes, then the bytes."""
        self._parts.append(encode_varint(len(value)))
        self._parts.append(value)
        return self

    def string(self, value: str) -> BodyWriter:
        """Add a string."""
        return self.sized(value.encode())

    def flag(self, value: bool) -> BodyWriter:
        """Add a byte that is 0 or 1."""
        return self.fixed(bytes((value,)))

    def optional(self, value: int | None) -> BodyWriter:
        """Add a flag, and after it a number if there is one."""
        self._parts.append(b"\x00" if value is None else b"\x01")
        return self if value is None else self.varint(value)

    def bytes(self) -> bytes:
        """Return the body."""
        return b"".join(self._parts)


class BodyReader:
    """Reads the fields of a body, in order. Every method raises BodyError if the bytes are no such field."""

    __slots__ = ("_body", "_position")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0

    @property
    def is_at_end(self) -> bool:
        """Whether the reader has read every byte."""
        return self._position == len(self._body)

    def varint(self) -> int:
        """Take a number."""
        body, position = self._body, self._position
        # Most numbers are one byte.
        if position < len(body) and body[position] < 0x80:
            self._position = position + 1
            return body[position]
        value = shift = 0
        while True:
            if position == len(body):
                raise BodyError("a number is cut off")
            byte = body[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift >= 7 * _MAX_VARINT_SIZE:
                raise BodyError("a number has more than 64 bits")
        if value > _MAX_VALUE:
            raise BodyError("a number has more than 64 bits")
        if byte == 0 and shift:
            raise BodyError("a number is longer than it needs to be")
        self._position = position
        return value

    def fixed(self, size: int) -> bytes:
        """Take `size` bytes."""
        end = self._position + size
        if end > len(self._body):
            raise BodyError("the body is too short")
        value = self._body[self._position : end]
        self._position = end
        return value

    def sized(self) -> bytes:
        """Take a number, then that many bytes."""
        return self.fixed(self.varint())

    def string(self) -> str:
        """Take a string."""
        try:
            return self.sized().decode()
        except UnicodeDecodeError as error:
            raise BodyError("a string is not UTF-8") from error

    def text(self) -> bytes:
        """Take a string as UTF-8 bytes."""
        value = self.sized()
        try:
            value.decode()
        except UnicodeDecodeError as error:
            raise BodyError("a string is not UTF-8") from error
        return value

    def flag(self) -> bool:
        """Take a byte that is 0 or 1."""
        value = self.fixed(1)[0]
        if value > 1:
            raise BodyError("a flag is neither 0 nor 1")
        return value == 1

    def optional(self) -> int | None:
        """Take a flag, and a number if the flag is 1."""
        return self.varint() if self.flag() else None

    def extensions(self) -> dict[int, bytes]:
        """Take all the rest as extensions, and return them by their tags."""
        found: dict[int, bytes] = {}
        while not self.is_at_end:
            tag = self.varint()
            if tag == 0:
                raise BodyError("bytes are left over")
            found[tag] = self.sized()
        return found

    def finish(self) -> None:
        """Skip all the rest, which must be extensions."""
        if not self.is_at_end:
            self.extensions()


# Apart from their sequences, the messages of one commit repeat the same numbers. So the cache knows most of them.
@lru_cache(maxsize=1_024)
def encode_varint(value: int) -> bytes:
    """Encode a number from 0 to 2^64 - 1."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_sized(value: bytes) -> bytes:
    """Encode the number of bytes, then the bytes."""
    return encode_varint(len(value)) + value


def encode_extension(tag: int, value: bytes) -> bytes:
    """Encode an extension. An empty value has none."""
    return encode_varint(tag) + encode_sized(value) if value else b""


def decode_text(value: bytes) -> str:
    """Decode bytes that are UTF-8. Raises BodyError."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise BodyError("a string is not UTF-8") from error


def decode_number(body: bytes) -> int:
    """Decode a body that is one varint."""
    reader = BodyReader(body)
    value = reader.varint()
    reader.finish()
    return value


def encode_empty(_nothing: None) -> bytes:
    """Encode the body of LOG_OUT, and of a reply that reports only success."""
    return b""


def decode_empty(body: bytes) -> None:
    """Decode a body that has no fields."""
    BodyReader(body).finish()
