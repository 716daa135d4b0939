"""The gRPC service of administration: it calls `Administration` and encodes the results."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from chatbooth_grpc._gen import admin_pb2 as pb
from chatbooth_grpc._gen import admin_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.admin_store import MaintenanceFailed, Progress
from chatbooth_grpc.booth.administration import Administration
from chatbooth_grpc.booth.errors import ChatboothError, Internal, InvalidUsername
from chatbooth_grpc.booth.request_ids import new_request_id
from chatbooth_grpc.rpc.admin_messages import (
    invite_to_pb,
    new_invite_from_pb,
    progress_to_pb,
    statistics_to_pb,
    user_to_pb,
)
from chatbooth_grpc.rpc.errors import to_status

_log = logging.getLogger(__name__)


class AdminServicer(pb_grpc.AdminServiceServicer):
    """Answers the calls of an administrator, and logs one line for each that changes or reads out something."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def ListUsers(self, request: pb.ListUsersRequest, context: grpc.ServicerContext) -> pb.ListUsersResponse:
        with _answered(context):
            page = self._administration.users(request.pattern, request.page_size, request.page_token)
        return pb.ListUsersResponse(users=map(user_to_pb, page.users), next_page_token=page.next_page_token)

    def GetHealth(self, request: pb.GetHealthRequest, context: grpc.ServicerContext) -> pb.GetHealthResponse:
        with _answered(context):
            return pb.GetHealthResponse(problem=self._administration.problem())

    def GetStatistics(
        self, request: pb.GetStatisticsRequest, context: grpc.ServicerContext
    ) -> pb.GetStatisticsResponse:
        with _answered(context):
            return statistics_to_pb(self._administration.statistics())

    def DisableUser(self, request: pb.DisableUserRequest, context: grpc.ServicerContext) -> pb.DisableUserResponse:
        with _answered(context) as request_id, _logged("DISABLE_USER", request_id, request.username):
            ended = self._administration.set_disabled(request.username, is_disabled=True)
        return pb.DisableUserResponse(sessions_ended=ended)

    def EnableUser(self, request: pb.EnableUserRequest, context: grpc.ServicerContext) -> pb.EnableUserResponse:
        with _answered(context) as request_id, _logged("ENABLE_USER", request_id, request.username):
            self._administration.set_disabled(request.username, is_disabled=False)
        return pb.EnableUserResponse()

    def DeleteUser(self, request: pb.DeleteUserRequest, context: grpc.ServicerContext) -> pb.DeleteUserResponse:
        with _answered(context) as request_id, _logged("DELETE_USER", request_id, request.username):
            removal = self._administration.delete(request.username)
        return pb.DeleteUserResponse(messages_removed=removal.messages, sessions_ended=removal.sessions)

    def ResetPassword(
        self, request: pb.ResetPasswordRequest, context: grpc.ServicerContext
    ) -> pb.ResetPasswordResponse:
        with _answered(context) as request_id, _logged("RESET_PASSWORD", request_id, request.username):
            ended = self._administration.reset_password(request.username, request.password)
        return pb.ResetPasswordResponse(sessions_ended=ended)

    def CreateInvite(self, request: pb.CreateInviteRequest, context: grpc.ServicerContext) -> pb.CreateInviteResponse:
        with _answered(context) as request_id, _logged("CREATE_INVITE", request_id):
            code, invite = self._administration.create_invite(*new_invite_from_pb(request))
        return pb.CreateInviteResponse(code=code, invite=invite_to_pb(invite))

    def ListInvites(self, request: pb.ListInvitesRequest, context: grpc.ServicerContext) -> pb.ListInvitesResponse:
        with _answered(context):
            page = self._administration.invites(request.page_size, request.page_token)
        return pb.ListInvitesResponse(invites=map(invite_to_pb, page.invites), next_page_token=page.next_page_token)

    def RevokeInvite(self, request: pb.RevokeInviteRequest, context: grpc.ServicerContext) -> pb.RevokeInviteResponse:
        with _answered(context) as request_id, _logged("REVOKE_INVITE", request_id):
            self._administration.revoke_invite(request.invite_id)
        return pb.RevokeInviteResponse()

    def ExportUser(
        self, request: pb.ExportUserRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ExportUserResponse]:
        with _answered(context) as request_id, _logged("EXPORT_USER", request_id, request.username):
            for record in self._administration.export(request.username):
                yield pb.ExportUserResponse(json=json.dumps(record))

    def Backup(self, request: pb.BackupRequest, context: grpc.ServicerContext) -> Iterator[pb.BackupResponse]:
        with _answered(context) as request_id, _logged("BACKUP", request_id):
            for item in self._administration.backup(Path(request.path), force=request.force):
                if isinstance(item, Progress):
                    yield pb.BackupResponse(progress=progress_to_pb(item))
                else:
                    yield pb.BackupResponse(backup=pb.FinishedBackup(size=item.size, messages=item.messages))

    def Check(self, request: pb.CheckRequest, context: grpc.ServicerContext) -> Iterator[pb.CheckResponse]:
        with _answered(context) as request_id, _logged("CHECK", request_id):
            for item in self._administration.check():
                if isinstance(item, Progress):
                    yield pb.CheckResponse(progress=progress_to_pb(item))
                else:
                    yield pb.CheckResponse(finding=pb.Finding(check=item.check, words=item.words))

    def Vacuum(self, request: pb.VacuumRequest, context: grpc.ServicerContext) -> Iterator[pb.VacuumResponse]:
        with _answered(context) as request_id, _logged("VACUUM", request_id):
            for item in self._administration.vacuum():
                if isinstance(item, Progress):
                    yield pb.VacuumResponse(progress=progress_to_pb(item))
                else:
                    sizes = pb.FinishedVacuum(size_before=item.size_before, size_after=item.size_after)
                    yield pb.VacuumResponse(vacuumed=sizes)


@contextmanager
def _answered(context: grpc.ServicerContext) -> Iterator[str]:
    """End the call with the status of the error that the block raises. The block gets the id of the request."""
    request_id = new_request_id()
    try:
        yield request_id
    except ChatboothError as error:
        context.abort_with_status(to_status(error, request_id))
    except MaintenanceFailed as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    except Exception:  # noqa: BLE001  # a bug must answer too
        _log.exception("a call of an administrator failed", extra={"request_id": request_id})
        context.abort_with_status(to_status(Internal(), request_id))


@contextmanager
def _logged(action: str, request_id: str, account: str = "") -> Iterator[None]:
    """Log what an administrator did, and what came of it."""
    outcome = "CANCELLED"
    try:
        yield
        outcome = "OK"
    except ChatboothError as error:
        outcome = error.reason
        # People type passwords into the wrong field.
        if isinstance(error, InvalidUsername):
            account = ""
        raise
    except Exception:
        outcome = "FAILED"
        raise
    finally:
        about = {"account": account} if account else {}
        _log.info("administration", extra={"action": action, **about, "request_id": request_id, "outcome": outcome})
