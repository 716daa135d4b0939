"""A session or a token in the words of a list, and as an object for a program."""

from __future__ import annotations

from chatbooth_grpc.booth.model import SessionEntry
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.client.terminal.display import harmless_line, harmless_name, local_time, utc_time


def record_of(entry: SessionEntry) -> dict[str, object]:
    """Return the object that stands for a session in --json."""
    record: dict[str, object] = {
        "session_id": entry.session_id,
        "label": entry.label,
        "kind": entry.kind.name,
        "create_time": utc_time(entry.create_time),
        "used_time": utc_time(entry.used_time),
        "current": entry.is_current,
    }
    if entry.limits is not None:
        record |= limits_record(entry.limits) | {
            "expire_time": utc_time(entry.expire_time) if entry.expire_time else None
        }
    return record


def limits_record(limits: TokenLimits) -> dict[str, object]:
    """Return what a token may do, for --json."""
    return {
        "may_read": limits.may_read,
        "may_send": limits.may_send,
        "recipient": limits.recipient,
        "recipient_id": limits.recipient_id,
    }


def line_of(entry: SessionEntry) -> str:
    """Return the line of a session for a person."""
    label = f" {harmless_line(entry.label)}" if entry.label else ""
    current = " (this one)" if entry.is_current else ""
    limits = "" if entry.limits is None else f" (token: {limits_words(entry.limits)})"
    times = f"since {local_time(entry.create_time)}, last used {local_time(entry.used_time)}"
    expiry = f", expires {local_time(entry.expire_time)}" if entry.expire_time else ""
    return f"{entry.session_id}{label}{current}{limits}: {times}{expiry}"


def limits_words(limits: TokenLimits) -> str:
    """Return what a token may do, in words."""
    recipient = "anyone" if not limits.recipient_id else harmless_name(limits.recipient) or "a deleted account"
    rights = ["reads"] if limits.may_read else []
    if limits.may_send:
        rights.append(f"sends to {recipient}")
    return " and ".join(rights) or "may do nothing that this client knows"
