"""The content of a message: one byte for its kind, then its bytes."""

from __future__ import annotations

from chatbooth_grpc.booth.model import ContentKind
from chatbooth_grpc.wire.encoding.primitives import BodyError, BodyReader, BodyWriter


def write_content(writer: BodyWriter, kind: ContentKind, content: bytes) -> BodyWriter:
    """One byte kind, then sized bytes: for TEXT, UTF-8."""
    return writer.fixed(bytes((kind,))).sized(content)


def read_content(reader: BodyReader) -> tuple[ContentKind, bytes]:
    """Return the kind and the bytes. Raises BodyError."""
    if reader.fixed(1)[0] != ContentKind.TEXT:
        raise BodyError("the content is of no known kind")
    return ContentKind.TEXT, reader.text()
