"""Administration of a running server, through its local socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from chatbooth_grpc._gen import admin_pb2 as pb
from chatbooth_grpc._gen import admin_pb2_grpc as stubs
from chatbooth_grpc.booth.admin_store import Backup, Finding, MaintenanceFailed, Progress, Statistics, Vacuumed
from chatbooth_grpc.booth.administration import InvitePage, UserPage
from chatbooth_grpc.booth.errors import ChatboothError, UnknownError
from chatbooth_grpc.booth.invites import DEFAULT_LIFETIME, DEFAULT_USES, Invite
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.rpc.admin_messages import (
    invite_from_pb,
    new_invite_to_pb,
    progress_from_pb,
    statistics_from_pb,
    user_from_pb,
)
from chatbooth_grpc.rpc.admin_socket import reachable
from chatbooth_grpc.rpc.errors import from_rpc_error

_TIMEOUT = 30.0
"""How long a call may take that does no long work, in seconds."""

_HEALTH_TIMEOUT = 5.0
"""How long a server may take to say how it is, in seconds. A healthy one takes milliseconds."""

_OPTIONS = [
    # A record of an export may hold the largest text.
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]


class AdminClient:
    """An `AdminActions` that a running server performs. `AdminActions` documents the methods."""

    def __init__(self, channel: grpc.Channel, server: str) -> None:
        self._stub = stubs.AdminServiceStub(channel)
        self._server = server

    def users(self, pattern: str = "", page_size: int = 0, page_token: str = "") -> UserPage:
        request = pb.ListUsersRequest(pattern=pattern, page_size=page_size, page_token=page_token)
        reply = self._call(self._stub.ListUsers, request)
        return UserPage([user_from_pb(user) for user in reply.users], reply.next_page_token)

    def problem(self) -> str:
        found: str = self._call(self._stub.GetHealth, pb.GetHealthRequest(), timeout=_HEALTH_TIMEOUT).problem
        return found

    def statistics(self) -> Statistics:
        return statistics_from_pb(self._call(self._stub.GetStatistics, pb.GetStatisticsRequest()))

    def set_disabled(self, username: str, *, is_disabled: bool) -> int:
        if not is_disabled:
            self._call(self._stub.EnableUser, pb.EnableUserRequest(username=username))
            return 0
        ended: int = self._call(self._stub.DisableUser, pb.DisableUserRequest(username=username)).sessions_ended
        return ended

    def delete(self, username: str) -> Removal:
        reply = self._call(self._stub.DeleteUser, pb.DeleteUserRequest(username=username))
        return Removal(reply.messages_removed, reply.sessions_ended)

    def reset_password(self, username: str, password: str) -> int:
        request = pb.ResetPasswordRequest(username=username, password=password)
        ended: int = self._call(self._stub.ResetPassword, request).sessions_ended
        return ended

    def create_invite(
        self, uses: int = DEFAULT_USES, lifetime: float | None = DEFAULT_LIFETIME, note: str = ""
    ) -> tuple[str, Invite]:
        reply = self._call(self._stub.CreateInvite, new_invite_to_pb(uses, lifetime, note))
        return reply.code, invite_from_pb(reply.invite)

    def invites(self, page_size: int = 0, page_token: str = "") -> InvitePage:
        reply = self._call(self._stub.ListInvites, pb.ListInvitesRequest(page_size=page_size, page_token=page_token))
        return InvitePage([invite_from_pb(invite) for invite in reply.invites], reply.next_page_token)

    def revoke_invite(self, invite_id: int) -> None:
        self._call(self._stub.RevokeInvite, pb.RevokeInviteRequest(invite_id=invite_id))

    def export(self, username: str) -> Iterator[Mapping[str, object]]:
        for reply in self._stream(self._stub.ExportUser, pb.ExportUserRequest(username=username)):
            yield json.loads(reply.json)

    def backup(self, target: Path, *, force: bool) -> Iterator[Progress | Backup]:
        for reply in self._stream(self._stub.Backup, pb.BackupRequest(path=str(target.absolute()), force=force)):
            if reply.HasField("backup"):
                yield Backup(target, reply.backup.size, reply.backup.messages)
            else:
                yield progress_from_pb(reply.progress)

    def check(self) -> Iterator[Progress | Finding]:
        for reply in self._stream(self._stub.Check, pb.CheckRequest()):
            if reply.HasField("finding"):
                yield Finding(reply.finding.check, reply.finding.words)
            else:
                yield progress_from_pb(reply.progress)

    def vacuum(self) -> Iterator[Progress | Vacuumed]:
        for reply in self._stream(self._stub.Vacuum, pb.VacuumRequest()):
            if reply.HasField("vacuumed"):
                yield Vacuumed(reply.vacuumed.size_before, reply.vacuumed.size_after)
            else:
                yield progress_from_pb(reply.progress)

    def _call(self, method: Callable[..., Any], request: object, timeout: float = _TIMEOUT) -> Any:
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise _decoded(error, self._server) from error

    def _stream(self, method: Callable[..., Any], request: object) -> Iterator[Any]:
        call = method(request)
        try:
            yield from call
        except grpc.RpcError as error:
            raise _decoded(error, self._server) from error
        finally:
            # A consumer that stops early ends the work too.
            call.cancel()


@contextmanager
def connected(path: Path) -> Iterator[AdminClient]:
    """Give a client of the server that listens on a socket."""
    with reachable(path) as short, grpc.insecure_channel(f"unix:{short}", options=_OPTIONS) as channel:
        yield AdminClient(channel, str(path))


def _decoded(error: grpc.RpcError, server: str) -> ChatboothError | MaintenanceFailed:
    decoded = from_rpc_error(error, server)
    if isinstance(decoded, UnknownError) and decoded.reason == grpc.StatusCode.FAILED_PRECONDITION.name:
        # Every error that gRPC raises for a call is also the call.
        return MaintenanceFailed(error.details())
    return decoded
