"""Administration in the messages of gRPC, and back."""

from __future__ import annotations

from chatbooth_grpc._gen import admin_pb2 as pb
from chatbooth_grpc.booth.admin_store import Progress, Statistics, User
from chatbooth_grpc.booth.invites import DEFAULT_LIFETIME, DEFAULT_USES, Invite, InviteState
from chatbooth_grpc.rpc.messages import time_from_pb, time_to_pb


def user_to_pb(user: User) -> pb.User:
    """Encode a user."""
    return pb.User(
        username=user.username,
        account_id=user.account_id,
        create_time=time_to_pb(user.create_time),
        last_use_time=time_to_pb(user.used_time) if user.used_time else None,
        sessions=user.sessions,
        unacknowledged=user.unacknowledged,
        disabled=user.is_disabled,
    )


def user_from_pb(user: pb.User) -> User:
    """Decode a user."""
    return User(
        username=user.username,
        account_id=user.account_id,
        create_time=time_from_pb(user.create_time),
        used_time=time_from_pb(user.last_use_time) if user.HasField("last_use_time") else 0,
        sessions=user.sessions,
        unacknowledged=user.unacknowledged,
        is_disabled=user.disabled,
    )


def statistics_to_pb(statistics: Statistics) -> pb.GetStatisticsResponse:
    """Encode statistics. The fields have the same names."""
    return pb.GetStatisticsResponse(**{name: getattr(statistics, name) for name in Statistics.__dataclass_fields__})


def statistics_from_pb(statistics: pb.GetStatisticsResponse) -> Statistics:
    """Decode statistics."""
    return Statistics(**{name: getattr(statistics, name) for name in Statistics.__dataclass_fields__})


def new_invite_to_pb(uses: int, lifetime: float | None, note: str) -> pb.CreateInviteRequest:
    """Encode the request for an invite. A `lifetime` is in seconds. None gives the invite no end."""
    request = pb.CreateInviteRequest(max_uses=uses, endless=lifetime is None, note=note)
    if lifetime is not None:
        request.lifetime.FromMicroseconds(round(lifetime * 1_000_000))
    return request


def new_invite_from_pb(request: pb.CreateInviteRequest) -> tuple[int, float | None, str]:
    """Decode the request for an invite."""
    lifetime: float | None = DEFAULT_LIFETIME
    if request.endless:
        lifetime = None
    elif request.HasField("lifetime"):
        lifetime = request.lifetime.seconds + request.lifetime.nanos / 1_000_000_000
    return request.max_uses or DEFAULT_USES, lifetime, request.note


def invite_to_pb(invite: Invite) -> pb.Invite:
    """Encode an invite's record."""
    return pb.Invite(
        invite_id=invite.invite_id,
        note=invite.note,
        state=pb.InviteState.Name(invite.state),
        max_uses=invite.max_uses,
        uses=invite.uses,
        create_time=time_to_pb(invite.create_time),
        end_time=None if invite.end_time is None else time_to_pb(invite.end_time),
    )


def invite_from_pb(invite: pb.Invite) -> Invite:
    """Decode an invite's record."""
    return Invite(
        invite_id=invite.invite_id,
        note=invite.note,
        state=InviteState(invite.state),
        max_uses=invite.max_uses,
        uses=invite.uses,
        create_time=time_from_pb(invite.create_time),
        end_time=time_from_pb(invite.end_time) if invite.HasField("end_time") else None,
    )


def progress_to_pb(progress: Progress) -> pb.Progress:
    """Encode how far a piece of work is."""
    return pb.Progress(step=progress.step, done=progress.done, total=progress.total)


def progress_from_pb(progress: pb.Progress) -> Progress:
    """Decode how far a piece of work is."""
    return Progress(progress.step, progress.done, progress.total)
