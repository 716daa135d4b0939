"""HPACK for the raw client: requests as plain literals, replies checked for their grpc-status."""

from __future__ import annotations

import struct

from hpack import Decoder

_NEVER_INDEXED = 0x10
_SEVEN_BITS = 0x7F
_FIRST_INDEXED = 0x80  # a field that stands in a table takes one byte from here on


class CallFailed(Exception):
    """A call ended with another status than OK."""


def encode_headers(fields: list[tuple[str, str]]) -> bytes:
    """Encode fields as never-indexed literals, without Huffman: no table, so a block may be sent again as it is."""
    return b"".join(bytes((_NEVER_INDEXED,)) + _string(name) + _string(value) for name, value in fields)


def _string(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    if size < _SEVEN_BITS:
        return struct.pack("B", size) + data
    rest, size = b"", size - _SEVEN_BITS
    while size >= 0x80:
        rest, size = rest + bytes((size & 0x7F | 0x80,)), size >> 7
    return bytes((_SEVEN_BITS,)) + rest + bytes((size,)) + data


class ReplyHeaders:
    """Reads the header blocks of one connection, in their order; every block is checked.

    A block of nothing but table entries leaves the table as it is and means the same each time, so its meaning is
    kept until a block that does change the table comes: a server that answers alike is decoded once.
    """

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._known: dict[bytes, dict[str, str]] = {}

    def fields(self, block: bytes) -> dict[str, str]:
        """Decode a block."""
        found = self._known.get(block)
        if found is None:
            found = {str(name): str(value) for name, value in self._decoder.decode(block)}
            if all(byte >= _FIRST_INDEXED for byte in block):
                self._known[block] = found
            else:
                self._known.clear()
        return found

    def check_trailers(self, block: bytes) -> None:
        """Decode the block that ends a call. Raises CallFailed: its status is not OK."""
        fields = self.fields(block)
        if fields.get("grpc-status") != "0":
            raise CallFailed(f"grpc-status {fields.get('grpc-status')}: {fields.get('grpc-message')}")
