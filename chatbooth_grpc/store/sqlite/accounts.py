"""Accounts: finding and listing them, making and deleting one, and changing a password."""

from __future__ import annotations

import apsw

from chatbooth_grpc.booth.errors import UsernameTaken, WrongPassword
from chatbooth_grpc.booth.model import Removal
from chatbooth_grpc.booth.store import StoredAccount, StoredSession
from chatbooth_grpc.booth.store_clock import StoreClock
from chatbooth_grpc.store.sqlite.sql import SQL
from chatbooth_grpc.store.sqlite.store_part import StorePart
from chatbooth_grpc.store.sqlite.write_transaction import WriteTransaction

# It sorts after every character that a username may hold.
_PAST_EVERY_NAME = "\x7f"


def find_account(connection: apsw.Connection, username: str) -> StoredAccount | None:
    """Find a live account by its name."""
    row = connection.execute(SQL["account_by_name"], (username,)).fetchone()
    return None if row is None else StoredAccount(*row)


def list_usernames(connection: apsw.Connection, prefix: str, after: str, limit: int) -> bytes:
    """Read names as `Store.usernames` describes."""
    bindings = {
        # This is one bound. Of two, SQLite would seek by one, and step over each name that is below both.
        "start": max(prefix, after),
        "after": after,
        "end": prefix + _PAST_EVERY_NAME,
        "limit": limit,
    }
    return bytes(connection.execute(SQL["usernames"], bindings).get)


def insert_account(
    transaction: WriteTransaction, clock: StoreClock, username: str, password_hash: str, create_time: int
) -> int:
    """Write a new account and its mailbox, and return the account's id. Raises UsernameTaken."""
    _release_name(transaction, clock, username)
    if not transaction.execute("name_is_free", {"username": username}).get:
        raise UsernameTaken(username)
    account_id: int = transaction.execute("insert_account", (username, password_hash, create_time)).get
    transaction.execute("insert_mailbox", (account_id,))
    return account_id


def has_hash(transaction: WriteTransaction, account: StoredAccount) -> bool:
    """Return whether the account still exists, is enabled, and its hash is still the stored one."""
    return transaction.execute("account_has_hash", (account.account_id, account.password_hash)).get is not None


def swap_password_hash(transaction: WriteTransaction, account: StoredAccount, password_hash: str) -> bool:
    """Replace the account's hash if it is still the stored one, and return whether it was."""
    bindings = {"account_id": account.account_id, "old": account.password_hash, "new": password_hash}
    return transaction.write("update_password_hash", bindings) == 1


def change_password(
    transaction: WriteTransaction, session: StoredSession, account: StoredAccount, password_hash: str
) -> int:
    """Change the password, end the account's other sessions, and return how many. Raises WrongPassword."""
    if not swap_password_hash(transaction, account, password_hash):
        raise WrongPassword
    return transaction.end_other_sessions(session)


def delete_account(
    transaction: WriteTransaction, session: StoredSession, account: StoredAccount, name_hold: float, now: int
) -> Removal:
    """Delete the account, and hold its name for `name_hold` seconds from the store time `now`. Raises WrongPassword."""
    if not has_hash(transaction, account):
        raise WrongPassword
    removal = transaction.delete_account(session.account_id, session.mailbox_id)
    hold_name(transaction, account.username, name_hold, now)
    return removal


def hold_name(transaction: WriteTransaction, username: str, name_hold: float, now: int) -> None:
    """Hold the name of an account that was just deleted, for `name_hold` seconds from the store time `now`."""
    if name_hold > 0:
        transaction.execute("hold_name", (username, now, now + round(name_hold * 1_000_000)))


def _release_name(transaction: WriteTransaction, clock: StoreClock, username: str) -> None:
    """Free a name that has been held for long enough."""
    held = transaction.execute("held_name", (username,)).fetchone()
    if held is not None and clock.age(held[0]) >= held[1] - held[0]:
        transaction.execute("release_name", (username,))


class AccountsPart(StorePart):
    """The store's methods for accounts. `Store` documents them."""

    def account(self, username: str) -> StoredAccount | None:
        with self._reader() as connection:
            return find_account(connection, username)

    def usernames(self, prefix: str, after: str, limit: int) -> bytes:
        with self._reader() as connection:
            return list_usernames(connection, prefix, after, limit)

    def replace_password_hash(self, account: StoredAccount, password_hash: str) -> None:
        self._change(None, lambda transaction: swap_password_hash(transaction, account, password_hash))

    def change_password(self, session: StoredSession, account: StoredAccount, password_hash: str) -> int:
        return self._change(session, lambda transaction: change_password(transaction, session, account, password_hash))

    def delete_account(self, session: StoredSession, account: StoredAccount, name_hold: float) -> Removal:
        return self._change(
            session, lambda transaction: delete_account(transaction, session, account, name_hold, self.clock.now())
        )
