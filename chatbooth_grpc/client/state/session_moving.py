"""Moving sessions that an earlier chatbooth kept under another name of the same server."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from chatbooth_grpc.client.state.durable_file import replace_file, sync_directory
from chatbooth_grpc.client.state.session_file import SavedSession, decode_saved_session

SESSION_SUFFIX = ".json"
OUTBOX_SUFFIX = ".outbox"


def move_sessions(old: Path, new: Path) -> None:
    """Move the sessions and outboxes of a folder into another one, which may have some already. Raises OSError.

    The caller holds the lock of the new folder. A crash in between loses nothing: the next call continues.
    """
    for path in sorted(old.glob(f"[!.]*{SESSION_SUFFIX}")):
        _move_session(path, new / path.name)
    for path in sorted(old.glob(f"[!.]*{OUTBOX_SUFFIX}")):
        _move_outbox(path, new / path.name)
    sync_directory(new)
    _remove_if_empty(old)


def _move_session(old: Path, new: Path) -> None:
    """Move a session. If there are two, keep the newer one, with the last sequence that either of them has shown."""
    old_session, new_session = _session_in(old), _session_in(new)
    if new_session is None:
        old.replace(new)
        return
    if old_session is not None:
        kept, other = new_session, old_session
        if old.stat().st_mtime_ns > new.stat().st_mtime_ns:
            kept, other = old_session, new_session
        shown = max(kept.shown_through, other.shown_of(kept.session.account_id, kept.session.epoch))
        replace_file(new, SavedSession(kept.server, kept.session, shown).encode())
    old.unlink()


def _session_in(path: Path) -> SavedSession | None:
    try:
        return decode_saved_session(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _move_outbox(old: Path, new: Path) -> None:
    """Move an outbox. If there are two, append the messages of the old one to the new one.

    A damaged outbox is moved as it is, so that the next command that opens it says so. If there are two, it stays.
    """
    # This imports SQLite, which few commands need.
    from chatbooth_grpc.client.state.outbox import Outbox, OutboxDamaged

    try:
        # A command that was killed may have left a journal of a half-done change, named after the old file. Opening the
        # outbox under its old name undoes that change.
        with Outbox(old) as outbox:
            outbox.waiting()
    except OutboxDamaged:
        if not new.exists():
            with suppress(FileNotFoundError):
                Path(f"{old}-journal").replace(f"{new}-journal")
            old.replace(new)
        return
    if not new.exists():
        old.replace(new)
        return
    with suppress(OutboxDamaged), Outbox(new) as outbox:
        outbox.take_from(old)
        old.unlink()


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder, if it holds nothing but locks."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name.startswith(".") or path.name.endswith(f"{OUTBOX_SUFFIX}.lock"):
                path.unlink()
        folder.rmdir()
