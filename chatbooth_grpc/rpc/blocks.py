"""Messages of the actions on blocks: SetBlock and ListBlocks."""

from __future__ import annotations

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import LIST_BLOCKS, SET_BLOCK, ListBlocksRequest, SetBlockRequest
from chatbooth_grpc.booth.model import Page
from chatbooth_grpc.rpc.converter import converter


def set_block_to_pb(request: SetBlockRequest) -> pb.SetBlockRequest:
    return pb.SetBlockRequest(username=request.username, blocked=request.is_blocked)


def set_block_from_pb(request: pb.SetBlockRequest) -> SetBlockRequest:
    return SetBlockRequest(request.username, request.blocked)


def list_blocks_to_pb(request: ListBlocksRequest) -> pb.ListBlocksRequest:
    return pb.ListBlocksRequest(page_size=request.page_size, page_token=request.page_token)


def list_blocks_from_pb(request: pb.ListBlocksRequest) -> ListBlocksRequest:
    return ListBlocksRequest(request.page_size, request.page_token)


def blocks_to_pb(page: Page) -> pb.ListBlocksResponse:
    return pb.ListBlocksResponse(usernames=page.usernames, next_page_token=page.next_page_token)


def blocks_from_pb(reply: pb.ListBlocksResponse) -> Page:
    return Page([*reply.usernames], reply.next_page_token)


CONVERTERS = (
    converter(SET_BLOCK, (set_block_to_pb, set_block_from_pb), (lambda _: pb.SetBlockResponse(), lambda _: None)),
    converter(LIST_BLOCKS, (list_blocks_to_pb, list_blocks_from_pb), (blocks_to_pb, blocks_from_pb)),
)
