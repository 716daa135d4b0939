"""Times and sizes in the words of an administrator's commands."""

from __future__ import annotations

from datetime import datetime, timezone

from chatbooth_grpc.booth.counting import counted


def utc(time: int) -> str:
    """Return a time in microseconds since 1970 as RFC 3339 has it, to the second."""
    moment = datetime.fromtimestamp(time // 1_000_000, timezone.utc)
    return moment.isoformat().replace("+00:00", "Z")


def size(count: int) -> str:
    """Return a number of bytes in words."""
    if count < 1 << 10:
        return counted(count, "byte")
    units = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    unit = max((name for name in units if count >= units[name]), key=units.__getitem__)
    return f"{count / units[unit]:,.1f} {unit}"
