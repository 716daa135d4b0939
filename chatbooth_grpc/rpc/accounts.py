"""Messages of the actions on the own account: ChangePassword and Delete."""

from __future__ import annotations

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import CHANGE_PASSWORD, DELETE, ChangePasswordRequest, DeleteRequest
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.rpc.converter import converter


def change_password_to_pb(request: ChangePasswordRequest) -> pb.ChangePasswordRequest:
    return pb.ChangePasswordRequest(old_password=request.old_password, new_password=request.new_password)


def change_password_from_pb(request: pb.ChangePasswordRequest) -> ChangePasswordRequest:
    return ChangePasswordRequest(request.old_password, request.new_password)


def sessions_ended_to_pb(sessions_ended: int) -> pb.ChangePasswordResponse:
    return pb.ChangePasswordResponse(sessions_ended=sessions_ended)


def sessions_ended_from_pb(reply: pb.ChangePasswordResponse) -> int:
    return reply.sessions_ended


def delete_to_pb(request: DeleteRequest) -> pb.DeleteRequest:
    return pb.DeleteRequest(password=request.password)


def delete_from_pb(request: pb.DeleteRequest) -> DeleteRequest:
    return DeleteRequest(request.password)


def removal_to_pb(removal: Removal) -> pb.DeleteResponse:
    return pb.DeleteResponse(messages_removed=removal.messages, sessions_ended=removal.sessions)


def removal_from_pb(reply: pb.DeleteResponse) -> Removal:
    return Removal(reply.messages_removed, reply.sessions_ended)


CONVERTERS = (
    converter(
        CHANGE_PASSWORD,
        (change_password_to_pb, change_password_from_pb),
        (sessions_ended_to_pb, sessions_ended_from_pb),
    ),
    converter(DELETE, (delete_to_pb, delete_from_pb), (removal_to_pb, removal_from_pb)),
)
