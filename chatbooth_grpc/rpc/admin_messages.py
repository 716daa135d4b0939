"""Administration in the messages of gRPC, and back."""

from __future__ import annotations

from chatbooth_grpc._gen import admin_pb2 as pb
from chatbooth_grpc.booth.admin_store import Progress, Statistics, User
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


def progress_to_pb(progress: Progress) -> pb.Progress:
    """Encode how far a piece of work is."""
    return pb.Progress(step=progress.step, done=progress.done, total=progress.total)


def progress_from_pb(progress: pb.Progress) -> Progress:
    """Decode how far a piece of work is."""
    return Progress(progress.step, progress.done, progress.total)
