"""Bodies of LIST and of its reply."""

from __future__ import annotations

from chatbooth_grpc.booth.actions import LIST, ListRequest
from chatbooth_grpc.booth.model import Page
from chatbooth_grpc.wire.encoding.codec import codec
from chatbooth_grpc.wire.encoding.primitives import BodyReader, BodyWriter


def encode_list_request(request: ListRequest) -> bytes:
    """string pattern, string prefix, varint page size, string page token"""
    writer = BodyWriter().string(request.pattern).string(request.prefix)
    return writer.varint(request.page_size).string(request.page_token).bytes()


def decode_list_request(body: bytes) -> ListRequest:
    reader = BodyReader(body)
    request = ListRequest(reader.string(), reader.string(), reader.varint(), reader.string())
    reader.finish()
    return request


def encode_page(page: Page) -> bytes:
    """string next page token, varint number of names, the names as strings"""
    writer = BodyWriter().string(page.next_page_token).varint(len(page.usernames))
    for username in page.usernames:
        writer.string(username)
    return writer.bytes()


def decode_page(body: bytes) -> Page:
    reader = BodyReader(body)
    next_page_token = reader.string()
    usernames = [reader.string() for _ in range(reader.varint())]
    reader.finish()
    return Page(usernames, next_page_token)


CODECS = (codec(LIST, (encode_list_request, decode_list_request), (encode_page, decode_page)),)
