"""Invites: making, using, listing and revoking the codes with which people may sign up."""

from __future__ import annotations

from typing import Any

import apsw

from chatbooth_grpc.booth.errors import InviteNotFound, InviteRefused
from chatbooth_grpc.booth.invites import KEPT_AFTER_END, Invite, InviteState, NewInvite
from chatbooth_grpc.booth.store_clock import SECOND, StoreClock
from chatbooth_grpc.store.sqlite.sql import ADMIN_SQL, SQL
from chatbooth_grpc.store.sqlite.store_part import StorePart
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction

_INVITES_PER_STEP = 500
# SQLite has no larger numbers, so no invite has one.
_MAX_ID = (1 << 63) - 1


def insert_invite(transaction: WriteTransaction, clock: StoreClock, new: NewInvite, create_time: int) -> Invite:
    """Write a new invite. `create_time` is the time of day."""
    length = None if new.lifetime is None else round(new.lifetime * SECOND)
    start = clock.now()
    times = (create_time, start, None if length is None else start + length)
    invite_id = transaction.execute("insert_invite", (new.code_hash, new.note, new.max_uses, *times)).get
    end = None if length is None else create_time + length
    return Invite(invite_id, new.note, InviteState.OPEN, new.max_uses, 0, create_time, end)


def use_invite(transaction: WriteTransaction, clock: StoreClock, code_hash: bytes) -> None:
    """Count a use of a code. Raises InviteRefused."""
    invite_id = _open_invite(transaction.execute("unspent_invite", (code_hash,)), clock)
    transaction.execute("use_invite", {"invite_id": invite_id, "now": clock.now()})


def _open_invite(rows: apsw.Cursor, clock: StoreClock) -> int:
    """Return the id of the invite that a look-up has found. Raises InviteRefused if there is none, or it is over."""
    row: Any = rows.fetchone()
    if row is None:
        raise InviteRefused
    invite_id, start, end = row
    if _is_over(clock, start, end):
        raise InviteRefused
    return int(invite_id)


def _is_over(clock: StoreClock, start: int, end: int | None) -> bool:
    return end is not None and clock.age(start) >= end - start


def revoke_invite(transaction: WriteTransaction, clock: StoreClock, invite_id: int) -> None:
    """End an invite. Raises InviteNotFound."""
    bindings = {"invite_id": invite_id, "now": clock.now()}
    if invite_id > _MAX_ID or transaction.write("revoke_invite", bindings) == 0:
        raise InviteNotFound(invite_id)


def list_invites(connection: apsw.Connection, clock: StoreClock, after: int, limit: int) -> list[Invite]:
    """Read invites as `AdminStore.invites` describes."""
    return [_invite(clock, *row) for row in connection.execute(ADMIN_SQL["invites"], (after, limit)).fetchall()]


def _invite(clock: StoreClock, *columns: Any) -> Invite:
    invite_id, note, max_uses, uses, is_revoked, create_time, start, end = columns
    if is_revoked:
        state = InviteState.REVOKED
    elif uses >= max_uses:
        state = InviteState.USED_UP
    else:
        state = InviteState.EXPIRED if _is_over(clock, start, end) else InviteState.OPEN
    # An end in store time is as far from the start as the end by the time of day.
    shown_end = None if end is None else create_time + end - start
    return Invite(invite_id, note, state, max_uses, uses, create_time, shown_end)


class InvitesPart(StorePart):
    """The store's methods for invites. `Store` documents them."""

    def check_invite(self, code_hash: bytes) -> None:
        with self._reader() as connection:
            _open_invite(connection.execute(SQL["unspent_invite"], (code_hash,)), self.clock)

    def remove_old_invites(self) -> int:
        ended = self.clock.cutoff(KEPT_AFTER_END)
        return self._change(
            None, lambda transaction: transaction.write("delete_old_invites", (ended, _INVITES_PER_STEP))
        )
