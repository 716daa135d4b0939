"""Attackers of the wire protocol's port, as a script for each connection."""

from __future__ import annotations

from bench.attacks.crowd import Script
from bench.attacks.target import Target
from chatbooth_grpc.booth import actions
from chatbooth_grpc.wire.encoding import delivering, frames, lists, pushes, sessions
from chatbooth_grpc.wire.encoding.frames import encode_request

_DELIVERS = 20
# The kernel buffers more than a stream's window. Unread replies fill that buffer before the stream is opened.
_REPLIES_BEFORE_LISTEN = 2


def connection(target: Target, number: int) -> Script:  # noqa: ARG001
    """Do nothing."""
    return Script(target.wire, b"")


def half_frames(target: Target, number: int) -> Script:
    """Send half of a frame's header, or half of a body, and no more."""
    header = frames.HEADER.pack(frames.VERSION, actions.SEND, 1_000)
    return Script(target.wire, header[:3] if number % 2 else header + b"x" * 500)


def slow_frames(target: Target, number: int) -> Script:  # noqa: ARG001
    """Send the body of a frame, one byte a second."""
    header = frames.HEADER.pack(frames.VERSION, actions.SEND, 1_000)
    return Script(target.wire, header, b"x", pause=1.0)


def unread_stream(target: Target, number: int) -> Script:  # noqa: ARG001
    """Listen, and read neither the messages nor the replies before them."""
    listen = encode_request(actions.LISTEN, pushes.encode_listen_request(None), target.token)
    return Script(target.wire, _deliver(target) * _REPLIES_BEFORE_LISTEN + listen, reads=False)


def unread_deliveries(target: Target, number: int) -> Script:  # noqa: ARG001
    """Ask for messages again and again, and read no reply."""
    return Script(target.wire, _deliver(target) * _DELIVERS, reads=False)


def log_ins(target: Target, usernames: list[str], source: str) -> Script:
    """Try a wrong password for each of these accounts."""
    requests = (actions.LogInRequest(name, "wrong password") for name in usernames)
    tries = [encode_request(actions.LOG_IN, sessions.encode_log_in(each)) for each in requests]
    return Script(target.wire, b"".join(tries), lasts=1.0, source=source)


def sign_ups(target: Target, usernames: list[str], source: str) -> Script:
    """Make these accounts."""
    requests = (actions.LogInRequest(name, "a password") for name in usernames)
    made = [encode_request(actions.SIGN_UP, sessions.encode_log_in(each)) for each in requests]
    return Script(target.wire, b"".join(made), lasts=1.0, source=source)


def hostile_lists(target: Target, patterns: list[str]) -> Script:
    """List by these patterns, again and again."""
    requests = (actions.ListRequest(pattern, "", 1_000, "") for pattern in patterns)
    asked = [encode_request(actions.LIST, lists.encode_list_request(each), target.token) for each in requests]
    return Script(target.wire, b"".join(asked), b"".join(asked), pause=0.1)


def _deliver(target: Target) -> bytes:
    request = actions.DeliverRequest(max_messages=1_000)
    return encode_request(actions.DELIVER, delivering.encode_deliver_request(request), target.token)
