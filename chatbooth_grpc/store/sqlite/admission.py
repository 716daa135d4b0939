"""Whether a store is the one that was served here last, and its new epoch if it is not.

The epoch names a history. Within one history a sequence means one message. A store that was put back from a copy
continues with another history, so it needs another epoch. Without that, clients would take its new messages for
messages that they have shown, and drop them.
"""

from __future__ import annotations

import logging
import os
from typing import NamedTuple

import apsw

from chatbooth_grpc.booth.counting import counted
from chatbooth_grpc.booth.errors import StoreFull
from chatbooth_grpc.store.group_commit import GroupCommit
from chatbooth_grpc.store.sqlite.seal import FileState, Phase, Seal, SealBroken, Sealed
from chatbooth_grpc.store.sqlite.sql import SQL
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction

_log = logging.getLogger(__name__)


class Standing(NamedTuple):
    """The store's own record of its history. `messages` is how many messages were ever stored."""

    epoch: bytes
    start_id: bytes
    messages: int
    has_accounts: bool


def read_standing(connection: apsw.Connection) -> Standing:
    """Read the store's own record of its history."""
    return Standing(*connection.execute(SQL["standing"]).get)


def admit(
    writer: GroupCommit[WriteTransaction],
    seal: Seal,
    standing: Standing,
    file: FileState,
    *,
    restored: bool,
) -> bytes:
    """Compare a store that was just opened with its seal, seal it for this run, and return its epoch.

    `file` is the state of the store's file before it was opened. `restored` says whether the operator declared that the
    store was put back. Raises the writer's errors. It raises StoreFull only if the store needs a new epoch: otherwise
    the store can be read as it is.
    """
    difference = "--restored says so" if restored else _difference(standing, seal, file)
    if difference:
        epoch, start_id = _begin_epoch(writer)
    else:
        epoch, start_id = standing.epoch, _begin_run(writer, seal, standing)
    seal.put(Sealed(Phase.RUNNING, start_id, start_id, standing.messages))
    if difference and standing.has_accounts:
        _log.warning(
            "this store is not as a server left it here, so it begins a new epoch: clients learn that messages may be "
            "missing, and receive all that they have not acknowledged",
            extra={"cause": difference},
        )
    return epoch


def _difference(standing: Standing, seal: Seal, file: FileState) -> str:
    """Return why the store is not the one that was served here last. The text is empty if it is."""
    try:
        sealed = seal.read()
    except SealBroken as broken:
        return str(broken)
    known = {sealed.start_id}
    if sealed.phase is Phase.STARTING:
        known.add(sealed.previous_start_id)
    if standing.start_id not in known:
        return "another start wrote to it last"
    if sealed.phase is Phase.CLOSED and sealed.file != file:
        return "its file was replaced or changed after it was closed"
    if standing.messages < sealed.messages:
        return f"it lacks {counted(sealed.messages - standing.messages, 'message')} that were stored"
    return ""


def _begin_epoch(writer: GroupCommit[WriteTransaction]) -> tuple[bytes, bytes]:
    epoch, start_id = os.urandom(16), os.urandom(16)
    writer.run(lambda transaction: transaction.write("begin_epoch", (epoch, start_id)))
    return epoch, start_id


def _begin_run(writer: GroupCommit[WriteTransaction], seal: Seal, standing: Standing) -> bytes:
    """Note a new start in the seal and in the store. Return its id, or the previous id if that cannot be written."""
    start_id = os.urandom(16)
    # The seal must know both ids before the commit, because a crash may come before or after the commit.
    if not seal.put(Sealed(Phase.STARTING, start_id, standing.start_id, standing.messages)):
        return standing.start_id
    try:
        writer.run(lambda transaction: transaction.write("note_start", (start_id,)))
    except StoreFull:
        return standing.start_id
    return start_id
