"""Bodies of the actions on blocks: SET_BLOCK and LIST_BLOCKS."""

from __future__ import annotations

from chatbooth_grpc.booth.actions import LIST_BLOCKS, SET_BLOCK, ListBlocksRequest, SetBlockRequest
from chatbooth_grpc.wire.encoding.codec import EMPTY, codec
from chatbooth_grpc.wire.encoding.lists import decode_page, encode_page
from chatbooth_grpc.wire.encoding.primitives import BodyReader, BodyWriter


def encode_set_block(request: SetBlockRequest) -> bytes:
    """string username, flag is blocked"""
    return BodyWriter().string(request.username).flag(request.is_blocked).bytes()


def decode_set_block(body: bytes) -> SetBlockRequest:
    """Raises BodyError, as every decoder of this folder does."""
    reader = BodyReader(body)
    request = SetBlockRequest(reader.string(), reader.flag())
    reader.finish()
    return request


def encode_list_blocks(request: ListBlocksRequest) -> bytes:
    """varint page size, string page token"""
    return BodyWriter().varint(request.page_size).string(request.page_token).bytes()


def decode_list_blocks(body: bytes) -> ListBlocksRequest:
    reader = BodyReader(body)
    request = ListBlocksRequest(reader.varint(), reader.string())
    reader.finish()
    return request


CODECS = (
    codec(SET_BLOCK, (encode_set_block, decode_set_block), EMPTY),
    codec(LIST_BLOCKS, (encode_list_blocks, decode_list_blocks), (encode_page, decode_page)),
)
