"""Messages of List."""

from __future__ import annotations

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import LIST, ListRequest
from chatbooth_grpc.booth.model import Page
from chatbooth_grpc.rpc.converter import converter


def list_request_to_pb(request: ListRequest) -> pb.ListRequest:
    return pb.ListRequest(
        pattern=request.pattern, prefix=request.prefix, page_size=request.page_size, page_token=request.page_token
    )


def list_request_from_pb(request: pb.ListRequest) -> ListRequest:
    return ListRequest(request.pattern, request.prefix, request.page_size, request.page_token)


def page_to_pb(page: Page) -> pb.ListResponse:
    return pb.ListResponse(usernames=page.usernames, next_page_token=page.next_page_token)


def page_from_pb(reply: pb.ListResponse) -> Page:
    return Page([*reply.usernames], reply.next_page_token)


CONVERTERS = (converter(LIST, (list_request_to_pb, list_request_from_pb), (page_to_pb, page_from_pb)),)
