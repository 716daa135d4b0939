"""The content of a message: one byte for its kind, then its bytes."""

from __future__ import annotations

from chatbooth_grpc.booth.model import ContentKind
from chatbooth_grpc.wire.encoding.primitives import BodyReader, BodyWriter


def write_content(writer: BodyWriter, kind: int, content: bytes) -> BodyWriter:
    """One byte kind, then sized bytes: for TEXT, UTF-8."""
    return writer.fixed(bytes((kind,))).sized(content)


def read_content(reader: BodyReader) -> tuple[int, bytes]:
    """Return the kind and the bytes, as they are if this version does not know the kind. Raises BodyError."""
    kind = reader.fixed(1)[0]
    return (ContentKind.TEXT, reader.text()) if kind == ContentKind.TEXT else (kind, reader.sized())
