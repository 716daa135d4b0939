"""HPACK for the raw client: it encodes requests, and checks the grpc-status of replies."""

from __future__ import annotations

import struct

from hpack import Decoder

_NEVER_INDEXED = 0x10
_SEVEN_BITS = 0x7F
# A field that is in a table takes one byte of this value or more.
_FIRST_INDEXED = 0x80


class CallFailed(Exception):
    """A call ended with another status than OK."""


def encode_headers(fields: list[tuple[str, str]]) -> bytes:
    """Encode fields as never-indexed literals, without Huffman. This needs no table, so a block can be sent again."""
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
    """Reads and checks the header blocks of one connection, in their order.

    A block of table entries alone does not change the table, and has the same meaning each time. So this caches its
    meaning until a block changes the table. If a server answers all calls alike, one block is decoded.
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
        """Decode the block that ends a call. Raises CallFailed if its status is not OK."""
        fields = self.fields(block)
        if fields.get("grpc-status") != "0":
            raise CallFailed(f"grpc-status {fields.get('grpc-status')}: {fields.get('grpc-message')}")
